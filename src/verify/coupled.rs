//! Strong error and strong order: how far the iterates are from the limit path by path, driven by one Brownian motion.

use super::{Check, Displacement, Evidence, Table, resamples};
use crate::simulate::{CoupledRun, Moments, Samples};
use crate::statistics::{
    Outcome, PathwiseOrder, StatisticsError, bounded_mean, classify, pathwise_order,
    root_mean_square, squares_at_zero,
};

/// The fewest paths that are left for an interval.
const FEWEST_PATHS: usize = 8;
/// Paths that could not be followed to the end: up to this share they are left out.
const FAILED_SHARE: f64 = 0.01;
/// The limit's mean square error is taken to be at most this multiple of E|o(W_Δ) − o(W_2Δ)|². It is about 1 for both
/// orders that the scheme can have: ½, where errors of different time steps are uncorrelated, and 1, where they are
/// proportional to Δ.
const OWN_ERROR_ALLOWANCE: f64 = 4.0;
/// Beyond this share of the mean square difference at the finest rung the limit's own error hides that of the iterates ...
const DOMINATING_SHARE: f64 = 0.5;
/// ... and with this share it would not.
const HARMLESS_SHARE: f64 = 0.1;

/// The name of the table in [`super::TABLES`].
pub(super) const TABLE: &str = "coupled";

pub(super) fn checks(evidence: &Evidence, tables: &mut Vec<Table>) -> Vec<Check> {
    let Some(run) = evidence.coupled else {
        return Vec::new();
    };
    let paths = complete_paths(run);
    let failed = run.limit.paths - paths.len();
    if paths.len() < FEWEST_PATHS || failed as f64 > FAILED_SHARE * run.limit.paths as f64 {
        let reason = match &run.failure {
            Some(error) => format!(": {error}"),
            None => ", as iterates diverged; take smaller step sizes or a smaller σ".into(),
        };
        let detail = format!(
            "{failed} of {} coupled paths could not be followed to the end{reason}",
            run.limit.paths
        );
        return vec![Check::of("strong error", Outcome::Inconclusive, detail)];
    }
    let mut rows = Vec::new();
    let mut checks = Vec::new();
    for (observable, name) in evidence.observables() {
        let coupled = Coupled {
            run,
            paths: &paths,
            observable,
        };
        rows.extend(coupled.rows(name));
        let displacement = Displacement::of(evidence, observable);
        if displacement.scale == 0.0 {
            continue;
        }
        let error = error_check(evidence, &coupled, displacement.scale).on(name);
        let mut order = order_check(evidence, &coupled).on(name);
        // What does not vanish may still decrease, down to what is left of it.
        if error.verdict != Outcome::Pass && order.verdict == Outcome::Pass {
            order.verdict = Outcome::Inconclusive;
            order.detail = format!("the strong error is not shown to vanish; {}", order.detail);
        }
        checks.extend([error, order]);
    }
    tables.push(Table {
        name: TABLE,
        header: vec![
            "step_size",
            "slow_time",
            "observable",
            "strong_error",
            "strong_error_std_error",
            "limit_own_error",
            "mean_error",
            "mean_error_std_error",
            "variance_reduction",
            "finer_difference",
            "finer_difference_std_error",
            "finer_difference_variance",
        ],
        rows,
    });
    checks
}

/// Paths that are finite everywhere, on all rungs and in the limit.
fn complete_paths(run: &CoupledRun) -> Vec<usize> {
    let all = || run.rungs.iter().chain([&run.limit, &run.coarse_limit]);
    let is_complete = |samples: &Samples, path: usize| {
        let per_path = samples.records * samples.width;
        let values = &samples.values[path * per_path..(path + 1) * per_path];
        values.iter().all(|x| x.is_finite())
    };
    let complete = |&path: &usize| all().all(|samples| is_complete(samples, path));
    (0..run.limit.paths).filter(complete).collect()
}

/// One observable on the coupled paths.
struct Coupled<'a> {
    run: &'a CoupledRun,
    paths: &'a [usize],
    observable: usize,
}

impl Coupled<'_> {
    fn values(&self, samples: &Samples, record: usize) -> Vec<f64> {
        let value = |&path: &usize| samples.value(path, record, self.observable);
        self.paths.iter().map(value).collect()
    }

    /// o(a) − o(b), path by path.
    fn differences(&self, a: &Samples, b: &Samples, record: usize) -> Vec<f64> {
        let (a, b) = (self.values(a, record), self.values(b, record));
        a.iter().zip(b).map(|(a, b)| a - b).collect()
    }

    /// max_t |o(a) − o(b)|, path by path.
    fn largest(&self, a: &Samples, b: &Samples) -> Vec<f64> {
        let mut largest = vec![0.0; self.paths.len()];
        for record in 0..self.run.times.len() {
            for (most, d) in largest.iter_mut().zip(self.differences(a, b, record)) {
                *most = f64::max(*most, d.abs());
            }
        }
        largest
    }

    /// [`Coupled::largest`] of each rung and the limit.
    fn errors(&self) -> Vec<Vec<f64>> {
        let rungs = self.run.rungs.iter();
        rungs
            .map(|rung| self.largest(rung, &self.run.limit))
            .collect()
    }

    fn own_errors(&self) -> Vec<f64> {
        self.largest(&self.run.limit, &self.run.coarse_limit)
    }

    /// The limit's mean square error as a share of the mean square difference at the finest rung.
    fn own_share(&self, errors: &[Vec<f64>]) -> f64 {
        mean_square(&self.own_errors()) / mean_square(&errors[errors.len() - 1])
    }

    /// What to do where the limit's own error hides that of the iterates.
    fn remedy(&self, share: f64) -> String {
        let run = self.run;
        if run.time_step < 1.5 * run.finest_step {
            return format!(
                "the limit's own error makes up {share:.2} of the mean square at the finest rung although it takes a step for each of that rung; leave that rung out, or give [coupling] a ladder with smaller steps"
            );
        }
        let better = (run.time_step * HARMLESS_SHARE / share).max(run.finest_step);
        format!(
            "the limit's own error makes up {share:.2} of the mean square at the finest rung; set coupling.time_step = {better:.1e}"
        )
    }

    /// The errors in words.
    fn description(&self, errors: &[Vec<f64>]) -> String {
        let rung = |(alpha, errors): (&f64, &Vec<f64>)| match root_mean_square(errors) {
            Ok(rms) => format!("α={alpha}: {:.2e}±{:.0e}", rms.estimate, rms.std_error),
            Err(error) => format!("α={alpha}: {error}"),
        };
        let rungs = self.run.step_sizes.iter().zip(errors).map(rung);
        let own = mean_square(&self.own_errors()).sqrt();
        format!(
            "{}; the limit's own error {own:.1e} with time step {:.1e}",
            rungs.collect::<Vec<_>>().join(", "),
            self.run.time_step
        )
    }

    fn rows(&self, name: &str) -> Vec<Vec<String>> {
        let run = self.run;
        let mut rows = Vec::new();
        for (r, &alpha) in run.step_sizes.iter().enumerate() {
            for (record, time) in run.times.iter().enumerate() {
                let errors = self.differences(&run.rungs[r], &run.limit, record);
                let own = self.differences(&run.limit, &run.coarse_limit, record);
                let of_errors = moments(&errors);
                let apart = moments(&self.values(&run.rungs[r], record)).variance()
                    + moments(&self.values(&run.limit, record)).variance();
                let reduction = apart / of_errors.variance();
                let mut row = vec![alpha.to_string(), time.to_string(), name.to_owned()];
                row.extend(error_fields(&errors, &own));
                row.push(of_errors.mean.to_string());
                row.push(of_errors.std_error().to_string());
                row.push(if reduction.is_finite() {
                    reduction.to_string()
                } else {
                    String::new()
                });
                row.extend(match run.rungs.get(r + 1) {
                    Some(finer) => {
                        let step = moments(&self.differences(&run.rungs[r], finer, record));
                        [step.mean, step.std_error(), step.variance()].map(|x| x.to_string())
                    }
                    None => [const { String::new() }; 3],
                });
                rows.push(row);
            }
            // The largest over the record times, which have no time of their own.
            let errors = self.largest(&run.rungs[r], &run.limit);
            let mut row = vec![alpha.to_string(), String::new(), name.to_owned()];
            row.extend(error_fields(&errors, &self.own_errors()));
            row.resize(12, String::new());
            rows.push(row);
        }
        rows
    }

    /// What the coupling is worth at the horizon, in words.
    fn multilevel(&self, evidence: &Evidence) -> String {
        let run = self.run;
        let (last, finest) = (run.times.len() - 1, run.rungs.len() - 1);
        let errors = self.differences(&run.rungs[finest], &run.limit, last);
        let of_errors = moments(&errors);
        let apart = moments(&self.values(&run.rungs[finest], last)).variance()
            + moments(&self.values(&run.limit, last)).variance();
        let reduction = apart / of_errors.variance();
        let steps: Vec<_> = run
            .rungs
            .windows(2)
            .map(|pair| centred(self.differences(&pair[0], &pair[1], last)))
            .collect();
        let decay = match fit(evidence, &run.step_sizes[..finest], &steps) {
            Ok(order) => format!(
                "the variance of the difference of neighbouring rungs ∝ α^{:.2} [{:.2}, {:.2}]",
                2.0 * order.exponent,
                2.0 * order.interval.lower,
                2.0 * order.interval.upper
            ),
            Err(_) => "neighbouring rungs do not differ".into(),
        };
        format!(
            "at the horizon {decay}, and the finest rung's mean error {:+.1e}±{:.0e} has 1/{reduction:.0} of the variance that independent ensembles would have",
            of_errors.mean,
            of_errors.std_error()
        )
    }
}

/// The strong error, extrapolated to α → 0, against the margin.
fn error_check(evidence: &Evidence, coupled: &Coupled, scale: f64) -> Check {
    const NAME: &str = "strong error";
    let errors = coupled.errors();
    let level = evidence.margins().level;
    let share = evidence.study.spec.coupling.as_ref().map(|c| c.margin);
    let margin = share.unwrap_or_default() * scale;
    let tested = squares_at_zero(&coupled.run.step_sizes, &errors).and_then(|squares| {
        let own = coupled.own_errors();
        let beyond_own: Vec<_> = squares
            .iter()
            .zip(&own)
            .map(|(square, own)| square - OWN_ERROR_ALLOWANCE * own * own)
            .collect();
        Ok((
            bounded_mean(&squares, margin * margin, level)?,
            bounded_mean(&beyond_own, margin * margin, level)?,
        ))
    });
    let (all, beyond_own) = match tested {
        Ok(tested) => tested,
        Err(error) => return Check::impossible(NAME, &error),
    };
    let verdict = if all.interval.upper < margin * margin {
        Outcome::Pass
    } else if beyond_own.interval.lower > margin * margin {
        Outcome::Rejected
    } else {
        Outcome::Inconclusive
    };
    let mut detail = format!(
        "(E max_t |o(w) − o(W)|²)^½ over {} record times on {} coupled paths, at α → 0: {}",
        coupled.run.times.len(),
        coupled.paths.len(),
        coupled.description(&errors)
    );
    let share = coupled.own_share(&errors);
    if share > DOMINATING_SHARE {
        detail = format!("{}; {detail}", coupled.remedy(share));
    }
    let root = |square: f64| square.max(0.0).sqrt();
    let mut interval = all.interval;
    (interval.lower, interval.upper) = (root(interval.lower), root(interval.upper));
    let mut check =
        Check::of(NAME, verdict, detail).with(root(all.estimate), interval, 0.0, margin);
    check.p_value = Some(all.p_at_least);
    check.p_difference = Some(beyond_own.p_at_most);
    check
}

/// p in strong error ∝ α^p: the expected one if there is one, else above 0.
fn order_check(evidence: &Evidence, coupled: &Coupled) -> Check {
    const NAME: &str = "strong order";
    let errors = coupled.errors();
    let order = match fit(evidence, &coupled.run.step_sizes, &errors) {
        Ok(order) => order,
        Err(error) => return Check::impossible(NAME, &error),
    };
    let interval = order.interval;
    let margin = evidence.margins().order;
    let expected = evidence.study.spec.expect.strong_order;
    let mut verdict = match expected {
        Some(expected) => classify(interval, expected, margin),
        None if interval.lower > 0.0 => Outcome::Pass,
        None if interval.upper <= 0.0 => Outcome::Rejected,
        None => Outcome::Inconclusive,
    };
    let p_values = match expected {
        Some(expected) => evidence
            .test(order.exponent, order.std_error, None, expected, margin)
            .map(|test| (test.p_value, test.p_difference)),
        None => Ok((order.p_at_most(0.0), order.p_at_least(0.0))),
    };
    let (mut p_value, mut p_difference) = match p_values {
        Ok(p_values) => p_values,
        Err(error) => return Check::impossible(NAME, &error),
    };
    let mut detail = coupled.multilevel(evidence);
    let share = coupled.own_share(&errors);
    if share > DOMINATING_SHARE {
        detail = format!("{}; {detail}", coupled.remedy(share));
        (verdict, p_value, p_difference) = (Outcome::Inconclusive, 1.0, 1.0);
    }
    let mut check = Check::of(NAME, verdict, detail);
    check.estimate = Some(order.exponent);
    check.interval = Some(interval);
    check.null = Some(expected.unwrap_or(0.0));
    check.margin = expected.map(|_| margin);
    check.p_value = Some(p_value);
    check.p_difference = Some(p_difference);
    check
}

fn fit(
    evidence: &Evidence,
    step_sizes: &[f64],
    differences: &[Vec<f64>],
) -> Result<PathwiseOrder, StatisticsError> {
    let (level, seed) = (evidence.margins().level, evidence.study.spec.seed);
    pathwise_order(step_sizes, differences, level, resamples(level), seed)
}

/// Root mean square, its standard error, and that of the limit's own error.
fn error_fields(errors: &[f64], own: &[f64]) -> [String; 3] {
    match root_mean_square(errors) {
        Ok(rms) => [rms.estimate, rms.std_error, mean_square(own).sqrt()].map(|x| x.to_string()),
        Err(_) => [const { String::new() }; 3],
    }
}

fn mean_square(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64
}

fn centred(values: Vec<f64>) -> Vec<f64> {
    let mean = moments(&values).mean;
    values.into_iter().map(|x| x - mean).collect()
}

fn moments(values: &[f64]) -> Moments {
    values.iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use crate::predict::predict;
    use crate::scenario::{Study, parse};
    use crate::simulate::{Silent, Simulation, run_both, run_coupled};
    use crate::statistics::Outcome;
    use crate::verify::{TABLES, Verdict, verify};

    fn verdict(set: &[&str]) -> Verdict {
        let text = include_str!("../../scenarios/valley-sgld-coupled.toml");
        let few = [
            "ladder.paths=100",
            "coupling.paths=128",
            "margins.order=0.35",
        ];
        let set: Vec<_> = few.iter().chain(set).map(|s| (*s).to_owned()).collect();
        let (spec, source) = parse("test.toml", text, &set).unwrap();
        let study = Study::resolve(spec, source).unwrap();
        let prediction = predict(&study).unwrap();
        let (levels, limits) = run_both(&study, &prediction, &Silent).unwrap();
        let simulation = Simulation::of(&study, &prediction, &levels, &limits, &Silent);
        verify(&study, &prediction, &simulation)
    }

    fn outcomes(verdict: &Verdict, name: &str) -> Vec<Outcome> {
        let named = verdict.checks.iter().filter(|check| check.name == name);
        named.map(|check| check.verdict).collect()
    }

    #[test]
    fn the_theory_passes_with_few_paths_and_its_evidence_is_a_table() {
        let verdict = verdict(&[]);
        for name in ["strong error", "strong order"] {
            assert_eq!(outcomes(&verdict, name), [Outcome::Pass; 2], "{name}");
        }
        let strong = verdict
            .checks
            .iter()
            .filter(|c| c.name.starts_with("strong"));
        for check in strong {
            assert!(check.p_value.unwrap() < 1e-2 && check.p_difference.unwrap() > 0.1);
        }
        let table = verdict
            .tables
            .iter()
            .find(|t| t.name == super::TABLE)
            .unwrap();
        assert!(TABLES.contains(&table.name));
        // Two observables on four rungs at four times and over all of them.
        assert_eq!(table.rows.len(), 2 * 4 * 5);
        assert!(table.rows.iter().all(|row| row.len() == table.header.len()));
    }

    /// Each is noticed by what is left of the error as α → 0; −1 leaves every law as it is.
    #[test]
    fn a_wrong_diffusion_drift_or_coupling_is_rejected() {
        for fault in [
            "limit.diffusion_scale=1.1",
            "limit.diffusion_scale=-1.0",
            "limit.ito_correction=false",
        ] {
            let verdict = verdict(&[fault]);
            let errors = outcomes(&verdict, "strong error");
            assert!(errors.contains(&Outcome::Rejected), "{fault}: {errors:?}");
            let orders = outcomes(&verdict, "strong order");
            assert!(!orders.contains(&Outcome::Pass), "{fault}: {orders:?}");
            let p_value = |c: &crate::verify::Check| c.p_difference.unwrap_or(1.0);
            let strong = verdict.checks.iter().filter(|c| c.name == "strong error");
            assert!(strong.map(p_value).fold(1.0, f64::min) < 1e-6);
        }
    }

    #[test]
    fn a_wrong_expectation_of_the_order_is_rejected() {
        let verdict = verdict(&["expect.strong_order=1.0", "margins.order=0.2"]);
        assert_eq!(outcomes(&verdict, "strong order"), [Outcome::Rejected; 2]);
        assert_eq!(outcomes(&verdict, "strong error"), [Outcome::Pass; 2]);
    }

    #[test]
    fn without_coupling_nothing_is_called_strong() {
        let text = include_str!("../../scenarios/valley-sgld.toml");
        let few = ["ladder.paths=16".to_owned()];
        let (spec, source) = parse("test.toml", text, &few).unwrap();
        let study = Study::resolve(spec, source).unwrap();
        let prediction = predict(&study).unwrap();
        assert!(run_coupled(&study, &prediction, &Silent).is_none());
    }
}
