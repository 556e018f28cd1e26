//! The rungs of a run, with the names and roles that they have in all its figures.

use super::Role;
use crate::report::stored::StoredRun;

/// One rung.
#[derive(Clone, Debug)]
pub struct Rung {
    /// Its number in the run folder.
    pub number: usize,
    /// α.
    pub step_size: f64,
    /// σ.
    pub sigma: f64,
    /// Whether it is of the ladder of step sizes, rather than a further σ.
    pub ladder: bool,
    /// `α = 0.04`, with σ where it is needed.
    pub name: String,
}

impl Rung {
    /// Its place in the palette.
    pub fn role(&self) -> Role {
        Role::Rung(self.number)
    }
}

/// All rungs, from `rungs.csv`, or from `summary.csv` where that is missing; none of a run of the limit alone.
pub fn all(run: &StoredRun) -> Vec<Rung> {
    let mut rungs: Vec<Rung> = Vec::new();
    for row in run.table("rungs").rows().chain(run.table("summary").rows()) {
        let Some((number, [step_size, sigma])) =
            row.level("level").zip(row.numbers(["step_size", "sigma"]))
        else {
            continue;
        };
        if rungs.iter().any(|rung| rung.number == number) {
            continue;
        }
        rungs.push(Rung {
            number,
            step_size,
            sigma,
            // Without the table, what repeats a step size is a further σ.
            ladder: match row.text("arm") {
                "" => rungs.iter().all(|rung| rung.step_size != step_size),
                arm => arm != "sigma",
            },
            name: String::new(),
        });
    }
    name(&mut rungs);
    rungs
}

/// σ is named where it is not the ladder's, and on all rungs if the ladder's varies.
fn name(rungs: &mut [Rung]) {
    let sigmas: Vec<f64> = rungs
        .iter()
        .filter(|rung| rung.ladder)
        .map(|rung| rung.sigma)
        .collect();
    let first = sigmas.first().copied().unwrap_or_default();
    let same = |sigma: f64| (sigma - first).abs() <= 1e-9 * first;
    let fixed = sigmas.iter().all(|&sigma| same(sigma));
    for rung in rungs {
        rung.name = format!("α = {}", plain(rung.step_size));
        if !(fixed && same(rung.sigma)) {
            rung.name += &format!(", σ = {}", plain(rung.sigma));
        }
    }
}

/// The rungs of the ladder.
pub fn ladder(run: &StoredRun) -> Vec<Rung> {
    let mut rungs = all(run);
    rungs.retain(|rung| rung.ladder);
    rungs
}

/// Ticks of an axis of step sizes or noise strengths: the values that there are.
pub fn ticks(values: impl Iterator<Item = f64>) -> Vec<(f64, String)> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values.into_iter().map(|x| (x, plain(x))).collect()
}

/// At most four significant digits, without trailing zeros.
pub fn plain(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{x}");
    }
    let digits = (3 - x.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{x:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_plain() {
        for (x, text) in [
            (0.04, "0.04"),
            (0.21, "0.21"),
            (0.27999999999999997, "0.28"),
            (0.005, "0.005"),
            (1.0, "1"),
            (0.0012346, "0.001235"),
            (12.0, "12"),
        ] {
            assert_eq!(plain(x), text);
        }
    }
}
