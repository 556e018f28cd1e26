//! The rungs of the ladder: step sizes, noise strengths and numbers of paths; and the times of the records.

use super::{FEWEST_PATHS, Resolver, Result, STRENGTHS};
use crate::scenario::spec::{LadderSpec, PathsSpec, RecordsSpec};
use crate::scenario::{Arm, Level};

const MOST_RECORDS: usize = 10_000;
/// Neighbouring step sizes must differ by this factor to tell a rate.
const SMALLEST_RATIO: f64 = 1.05;

impl Resolver<'_> {
    pub(super) fn levels(&self) -> Result<Vec<Level>> {
        let spec = &self.spec.ladder;
        let rungs = self.rungs(spec)?;
        let largest = rungs[0].0;
        self.within("ladder.sigma", spec.sigma, STRENGTHS)?;
        let q = spec.sigma_exponent;
        if !(q.is_finite() && q >= 0.0) {
            let message = format!("ladder.sigma_exponent must be at least 0, not {q}");
            return self.fail(
                "ladder.sigma_exponent",
                message,
                "usual exponents are 0, 0.5 and 1",
            );
        }
        let mut levels = Vec::new();
        for (step_size, paths) in rungs {
            let sigma = spec.sigma * (step_size / largest).powf(q);
            if sigma < STRENGTHS.0 {
                let message = format!(
                    "ladder.sigma_exponent {q} makes σ = {sigma:e} at step size {step_size}"
                );
                return self.fail(
                    "ladder.sigma_exponent",
                    message,
                    "usual exponents are 0, 0.5 and 1",
                );
            }
            levels.push(Level {
                number: levels.len() as u32,
                step_size,
                sigma,
                paths,
                arm: Arm::StepSizes,
            });
        }
        let ladder = levels.clone();
        for base in self.sigma_bases(&ladder)? {
            for &factor in &spec.sigma_factors {
                levels.push(Level {
                    number: levels.len() as u32,
                    sigma: base.sigma * factor,
                    arm: Arm::Sigmas,
                    ..base
                });
            }
        }
        Ok(levels)
    }

    /// The rungs of the ladder at which σ is varied: one, or all of a grid.
    fn sigma_bases(&self, ladder: &[Level]) -> Result<Vec<Level>> {
        let spec = &self.spec.ladder;
        let at = spec.sigma_step_size.unwrap_or(ladder[1].step_size);
        let Some(base) = ladder.iter().find(|level| level.step_size == at) else {
            let message = format!("ladder.sigma_step_size {at} is not one of ladder.step_sizes");
            let away = |level: &&Level| (level.step_size / at).ln().abs();
            let near = ladder.iter().min_by(|a, b| away(a).total_cmp(&away(b)));
            let help = near.map_or(String::new(), |near| {
                format!("the nearest of them is {}", near.step_size)
            });
            return self.fail("ladder.sigma_step_size", message, help);
        };
        for (i, &factor) in spec.sigma_factors.iter().enumerate() {
            let key = format!("ladder.sigma_factors.{i}");
            if !(factor.is_finite() && factor > 0.0 && (factor - 1.0).abs() > 0.01) {
                let message = format!(
                    "ladder.sigma_factors must be positive and differ from 1, not {factor}"
                );
                return self.fail(&key, message, "0.5 and 0.7 are good choices");
            }
            if spec.sigma_factors[..i].contains(&factor) {
                return self.fail(&key, format!("ladder.sigma_factors has {factor} twice"), "");
            }
            self.within(&key, factor, (1e-3, 1e3))?;
        }
        if !spec.sigma_grid {
            return Ok(vec![*base]);
        }
        const KEY: &str = "ladder.sigma_grid";
        if spec.sigma_factors.is_empty() {
            let message = "ladder.sigma_grid needs ladder.sigma_factors";
            return self.fail(KEY, message, "add sigma_factors = [0.5, 0.7]");
        }
        if spec.sigma_step_size.is_some() {
            let message = "ladder.sigma_grid varies σ at every step size, not at ladder.sigma_step_size alone";
            return self.fail(KEY, message, "remove one of the two");
        }
        Ok(ladder.to_vec())
    }

    /// Step sizes in descending order with their numbers of paths.
    fn rungs(&self, spec: &LadderSpec) -> Result<Vec<(f64, usize)>> {
        let fail = |message: String, help: &str| self.fail("ladder.step_sizes", message, help);
        let sizes = &spec.step_sizes;
        if sizes.len() < 4 {
            return fail(
                format!("{} step sizes are too few to tell a rate", sizes.len()),
                "give at least four, each a fixed factor smaller than the last: [0.2, 0.1, 0.05, 0.025]",
            );
        }
        if let Some(bad) = sizes.iter().find(|x| !(x.is_finite() && **x > 0.0)) {
            return fail(
                format!("step sizes must be positive numbers, not {bad}"),
                "each is a fixed factor smaller than the last: [0.2, 0.1, 0.05, 0.025]",
            );
        }
        let mut rungs: Vec<_> = sizes.iter().copied().zip(self.paths(spec)?).collect();
        rungs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let ratio = rungs[0].0 / rungs[1].0;
        for pair in rungs.windows(2) {
            let (a, b) = (pair[0].0, pair[1].0);
            if a == b {
                return fail(
                    format!("the step size {a} stands twice"),
                    "remove one of them",
                );
            }
            if (a / b / ratio - 1.0).abs() > 0.05 {
                return fail(
                    format!("the step sizes are not geometric: {a} / {b} is not {ratio:.3}"),
                    "make each a fixed factor smaller than the last (5 % rounding is allowed)",
                );
            }
            if a / b < SMALLEST_RATIO {
                return fail(
                    format!("the step sizes {a} and {b} are too close to tell a rate"),
                    "make each smaller than the last by a factor of 1.4 or 2",
                );
            }
        }
        Ok(rungs)
    }

    fn paths(&self, spec: &LadderSpec) -> Result<Vec<usize>> {
        let rungs = spec.step_sizes.len();
        let paths = match &spec.paths {
            PathsSpec::Same(n) => vec![*n; rungs],
            PathsSpec::Each(each) => each.clone(),
        };
        if paths.len() != rungs {
            let message = format!("{} numbers of paths for {rungs} step sizes", paths.len());
            return self.fail(
                "ladder.paths",
                message,
                "give one number, or one for each step size",
            );
        }
        match paths.iter().find(|&&n| n < FEWEST_PATHS) {
            None => Ok(paths),
            Some(n) => {
                let message = format!(
                    "{n} paths are too few to estimate a standard error; give at least {FEWEST_PATHS}"
                );
                let help = format!("the nearest valid value is {FEWEST_PATHS}");
                self.fail("ladder.paths", message, help)
            }
        }
    }

    pub(super) fn record_times(&self) -> Result<Vec<f64>> {
        let spec = &self.spec.ladder;
        self.positive("ladder.horizon", spec.horizon)?;
        let horizon = spec.horizon;
        let fail = |message: String| {
            self.fail(
                "ladder.records",
                message,
                "8 equally spaced ones are the default",
            )
        };
        match &spec.records {
            RecordsSpec::Count(0) => fail("at least one record is needed".into()),
            RecordsSpec::Count(n) if *n > MOST_RECORDS => {
                fail(format!("{n} records are too many; at most {MOST_RECORDS}"))
            }
            RecordsSpec::Count(n) => Ok((1..=*n).map(|i| horizon * i as f64 / *n as f64).collect()),
            RecordsSpec::Times(times) => {
                let increasing = times.windows(2).all(|t| t[0] < t[1]);
                match (times.first(), times.last()) {
                    (Some(&first), Some(&last)) if increasing && first > 0.0 && last <= horizon => {
                        let mut times = times.clone();
                        if last < horizon {
                            times.push(horizon);
                        }
                        Ok(times)
                    }
                    _ => fail(format!(
                        "record times must increase and lie between 0 and the horizon {horizon}"
                    )),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Study, parse};

    fn levels(ladder: &str) -> Vec<(u32, f64, f64, usize, Arm)> {
        let text = format!(
            "observables = [\"u\"]\n[model]\nkind = \"product\"\nstart = [2.0, 0.5]\n[[noise]]\nkind = \"label\"\n\
             [ladder]\nstep_sizes = [0.1, 0.4, 0.2, 0.05]\nsigma = 0.5\nsigma_exponent = 1.0\nhorizon = 1.0\n\
             paths = [11, 14, 12, 10]\nsigma_factors = [0.5, 2.0]\n{ladder}"
        );
        let (spec, source) = parse("s.toml", &text, &[]).unwrap();
        let study = Study::resolve(spec, source).unwrap();
        let levels = study.levels.into_iter();
        levels
            .map(|l| (l.number, l.step_size, l.sigma, l.paths, l.arm))
            .collect()
    }

    /// The numbers name the random streams: a grid adds rungs after those of the ladder, largest step size first.
    #[test]
    fn a_grid_in_sigma_has_every_factor_at_every_step_size_and_leaves_the_ladder_as_it_is() {
        let (line, grid) = (levels(""), levels("sigma_grid = true"));
        assert_eq!(line[..4], grid[..4]);
        assert_eq!((line.len(), grid.len()), (6, 12));
        assert_eq!(line[4], (4, 0.2, 0.125, 12, Arm::Sigmas));
        for (i, step_size) in [0.4, 0.2, 0.1, 0.05].into_iter().enumerate() {
            let (_, _, sigma, paths, _) = grid[i];
            for (j, factor) in [0.5, 2.0].into_iter().enumerate() {
                let number = 4 + 2 * i + j;
                let expected = (number as u32, step_size, sigma * factor, paths, Arm::Sigmas);
                assert_eq!(grid[number], expected);
            }
        }
    }
}
