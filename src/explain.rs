//! A paragraph on everything that a verdict or a warning can name: `singlim explain`.

use crate::warning::Warning;

/// What a topic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A check of a verdict.
    Check,
    /// A warning.
    Warning,
    /// An exit code of the program.
    ExitCode,
}

/// Something that can be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// What it is.
    pub kind: Kind,
    /// Its name, as printed.
    pub name: &'static str,
    /// A paragraph.
    pub text: &'static str,
}

/// All topics: checks in the order in which a verdict lists them, warnings, exit codes.
pub fn topics() -> Vec<Topic> {
    let of = |kind: Kind, all: &[(&'static str, &'static str)]| -> Vec<Topic> {
        let topic = |&(name, text): &(_, _)| Topic { kind, name, text };
        all.iter().map(topic).collect()
    };
    [
        of(Kind::Check, &CHECKS),
        of(Kind::Warning, &Warning::ALL),
        of(Kind::ExitCode, &EXIT_CODES),
    ]
    .concat()
}

/// The topic of a name; blanks and hyphens are the same, case does not count, and `a` and `s` may stand for α and σ.
pub fn explain(name: &str) -> Option<Topic> {
    let plain = |name: &str| {
        let lower = name.trim().to_lowercase().replace(['-', '_'], " ");
        lower.replace('α', "alpha").replace('σ', "sigma")
    };
    let mut all = topics().into_iter();
    all.find(|topic| plain(topic.name) == plain(name))
}

/// The checks of a verdict.
pub const CHECKS: [(&str, &str); 28] = [
    (
        "regime",
        "Is the derived regime (non-degenerate, degenerate or trivial) the same all along the limit, and the one that \
         expect.regime names? It follows from whether P∇Reg and the noise of the gradient vanish on Γ, and is a fact about the \
         model, not a statistic: it passes or is rejected.",
    ),
    (
        "stability",
        "α·λ_max must stay below 2 along the whole limit at the largest step size, or gradient descent leaves the valley that the \
         limit moves in. The estimate is the largest α·λ_max. Remedy: smaller step sizes.",
    ),
    (
        "divergence",
        "How many paths of the iterates left every bounded set. None: pass. Up to 1 % of a rung: inconclusive, as the paths that \
         are left may not be typical. More: rejected. diverged.csv names them. Remedy: smaller step sizes or a smaller σ.",
    ),
    (
        "independence",
        "With noise of a continuous law no two paths end in the same value. If more than 1 % do, paths share random numbers and \
         every standard error is too small. It is shown only where it fails.",
    ),
    (
        "limit paths",
        "Some paths of a stochastic limit could not be continued, because the rank of H changes or a projection fails. Up to one in \
         a thousand passes; more is inconclusive. The detail gives the reason of the first.",
    ),
    (
        "ladder",
        "Some error term that the theory predicts does not vanish as α → 0 with σ tied to α as it is, so this ladder does not \
         approach the limit, and no number of paths helps. The detail names the term and the ladder.sigma_exponent that lets it vanish. \
         It is shown only where it fails.",
    ),
    (
        "mean",
        "The mean of an observable over the iterates less that of the limit, at each compared time, extrapolated along the ladder \
         to α → 0, against 0 ± margins.mean of the displacement (an equivalence test: pass needs the whole interval inside the \
         margin). In a corrected limit each rung is judged by itself. In tables the worst record stands for all.",
    ),
    (
        "mean square",
        "The same as `mean` for the mean squared displacement E (o − o(W(0)))² of a stochastic limit, against margins.square: it sees \
         a wrong diffusion that leaves the means alone.",
    ),
    (
        "path",
        "The error of the mean at all record times at once: a band that covers the whole curve with the stated confidence (sup-t) \
         must lie within the margin of `mean`. bands.csv has the bands.",
    ),
    (
        "order",
        "p in error ∝ α^p, one power for all observables and times, against expect.order ± margins.order. Checked only where an order \
         is expected; errors below the noise floor of three standard errors do not drive it. orders.csv has each series.",
    ),
    (
        "spread",
        "Around a deterministic limit the iterates must have a spread that vanishes with α: the standard deviation at the horizon is \
         fitted as a power of the slowest rate that theory derives, and the exponent must be at least 1 − margins.spread. Faster is \
         no fault.",
    ),
    (
        "law W1",
        "The Wasserstein-1 distance between the laws of an observable at the horizon, iterates of the finest rung against the stochastic \
         limit, in standard deviations of the limit, below margins.law. laws.csv has all rungs and distances.",
    ),
    (
        "law KS",
        "The Kolmogorov–Smirnov distance between the laws of an observable at the horizon, iterates of the finest rung against the \
         stochastic limit, below margins.ks.",
    ),
    (
        "joint law",
        "The sliced Wasserstein-1 distance between the joint laws of all observables that spread in the limit, at the horizon, below \
         margins.law: it sees a wrong dependence between observables whose own laws are right.",
    ),
    (
        "exponent of α",
        "a in iterations ∝ α^−a σ^−b: the iterations that it takes to cover margins.share of the displacement, measured from the \
         iterates alone, against that of the derived regime (1 non-degenerate, 2 degenerate) or expect.exponents, ± \
         margins.exponent. It passes only if the other time scale is excluded.",
    ),
    (
        "exponent of σ",
        "b in iterations ∝ α^−a σ^−b, from the rungs with another σ (ladder.sigma_factors), against 2 or expect.exponents, ± \
         margins.exponent.",
    ),
    (
        "exponent a + bq",
        "With σ ∝ α^q and no further values of σ, only the combination a + bq can be measured: it is tested in place of a and b. Add \
         ladder.sigma_factors to separate them.",
    ),
    (
        "time scale",
        "The exponents of the time scale could not be estimated: rungs never cover the share of the way that defines it, or something \
         else is missing, as the detail says. Rejected if a rung is significantly short of a way that it should have gone: the clock is \
         wrong. Otherwise take a longer horizon or more paths.",
    ),
    (
        "time scale (a, b)",
        "Both exponents at once: their confidence ellipse (ellipse.csv) must agree with the predicted pair and exclude that of the \
         other time scale.",
    ),
    (
        "collapse",
        "Data collapse: plotted against the claimed slow time the trajectories of all rungs fall onto one curve, against the \
         other clock they do not. The estimate is by how much the distance between the curves is larger on the other clock; pass \
         if its interval lies above 0. collapse.csv has the trajectories on both clocks.",
    ),
    (
        "freezing",
        "With a schedule under which slow time stays finite, the iterates end where the limit is at that time and not where a constant \
         step size would have brought them, within margins.freezing. Checked where expect.freezes is given; inconclusive where \
         both places are too close to tell.",
    ),
    (
        "standstill",
        "In the trivial regime nothing moves after the fast phase: the mean displacement of each observable from the end of the fast \
         phase on, on every rung and on both clocks, is 0 ± margins.mean of the scale on which the observable varies along Γ.",
    ),
    (
        "strong error",
        "On coupled paths, which iterates and limit walk with one Brownian motion: the root mean square over paths of the largest \
         |o(w) − o(W)| over the record times, taken to α → 0, below coupling.margin of the displacement. coupled.csv has the rungs.",
    ),
    (
        "strong order",
        "p in strong error ∝ α^p on coupled paths, against expect.strong_order ± margins.order if that is given, else above 0.",
    ),
    (
        "separation",
        "How far the limit moves while the slowest mode of the fast phase relaxes once, on the coarsest rung, as a share of its way. \
         Beyond 0.3 the two time scales mix, errors are no power series in α, and differences are no evidence against the limit: \
         inconclusive. Remedy: a smaller σ.",
    ),
    (
        "fast phase",
        "Had the iterates reached Γ by the first record that is compared? The slowest mode must have decayed below a tenth of the \
         margin of the means on every rung. Otherwise inconclusive: take later records, a smaller σ or a start on Γ.",
    ),
    (
        "exponents",
        "expect.exponents names a time scale, but the regime is trivial and nothing moves: rejected.",
    ),
    (
        "error budget",
        "The errors that are ours (time discretisation of the limit, its distance from Γ) must not take more than half of the margin \
         of a comparison. Otherwise it is inconclusive, and the detail says which setting to refine. budget.csv has every comparison.",
    ),
];

/// The exit codes of the program.
pub const EXIT_CODES: [(&str, &str); 5] = [
    (
        "exit code 0",
        "Pass: every check of every scenario passed, or the command did what it was asked for.",
    ),
    (
        "exit code 1",
        "Rejected: at least one check found a difference from the theory beyond its margin that stands among all tests (Holm); or, \
         with --baseline, an estimate moved, a verdict got worse or a check vanished.",
    ),
    (
        "exit code 2",
        "Error: a mistake on the command line or in a scenario, a file that can't be read or written, or a limit that can't be \
         continued. Nothing was judged.",
    ),
    (
        "exit code 3",
        "Inconclusive: nothing was rejected, but some check has not enough power to say. The detail of the check names a remedy; \
         `singlim plan` says how many paths are needed, and `verify --until-conclusive` adds them.",
    ),
    (
        "exit code 130",
        "Interrupted by Ctrl-C or by a signal to terminate. What was done is kept where it can be, and the message says how to go on.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_as_people_type_them() {
        let all = topics();
        for topic in &all {
            assert_eq!(explain(topic.name), Some(*topic));
            assert!(topic.text.ends_with('.'), "{}", topic.name);
        }
        for typed in [
            "Mean-Square",
            "law_w1",
            "exponent of alpha",
            "time scale (a, b)",
            "exit-code-130",
        ] {
            assert!(explain(typed).is_some(), "{typed}");
        }
        assert!(explain("nothing").is_none());
    }

    /// Every name that a check is given in the source is explained.
    #[test]
    fn every_check_is_explained() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/verify");
        let mut found = 0;
        let files = std::fs::read_dir(folder).unwrap();
        let files = files.map(|file| file.unwrap().path());
        for file in files.filter(|file| file.is_file()) {
            let text = std::fs::read_to_string(file).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            let calls = [
                "Check::of(",
                "Check::fact(",
                "Check::tested(",
                "Check::impossible(",
                "tested(",
                "const NAME: &str = ",
            ];
            for call in calls {
                for after in text.split(call).skip(1) {
                    let Some(name) = after.trim_start().strip_prefix('"') else {
                        continue;
                    };
                    let name = name.split('"').next().unwrap();
                    let explained = explain(name).is_some_and(|t| t.kind == Kind::Check);
                    assert!(explained, "the check {name:?} has no paragraph");
                    found += 1;
                }
            }
        }
        assert!(found > 30, "{found}");
    }
}
