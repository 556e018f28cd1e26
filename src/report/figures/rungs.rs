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
    /// `α = 0.04`, with σ where that is not the first rung's.
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
        let first = rungs.first().map_or(sigma, |rung| rung.sigma);
        let sigma_too = (sigma - first).abs() > 1e-9 * first;
        let name = if sigma_too {
            format!("α = {}, σ = {}", plain(step_size), plain(sigma))
        } else {
            format!("α = {}", plain(step_size))
        };
        rungs.push(Rung {
            number,
            step_size,
            sigma,
            ladder: row.text("arm") != "sigma",
            name,
        });
    }
    rungs
}

/// The rungs of the ladder.
pub fn ladder(run: &StoredRun) -> Vec<Rung> {
    let mut rungs = all(run);
    rungs.retain(|rung| rung.ladder);
    rungs
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
            (0.0012345, "0.001235"),
            (12.0, "12"),
        ] {
            assert_eq!(plain(x), text);
        }
    }
}
