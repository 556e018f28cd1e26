//! Everything that is said beside a result without being a verdict or an error: each with a name that can be asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a reader should know before trusting a result. `singlim explain NAME` tells more of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Warning {
    /// ReLU or `abs`: Γ has kinks.
    PiecewiseSmooth,
    /// The mean of ∇L̂ is not ∇L.
    BiasedGradient {
        /// The largest σ²/α of all rungs.
        ratio: f64,
    },
    /// A baseline from before verdicts said what they are of.
    BaselineUnnamed,
    /// A baseline of a scenario with another name.
    BaselineOfAnother {
        /// That name.
        name: String,
    },
    /// The scenario is not the baseline's.
    ScenarioChanged {
        /// The keys whose values differ.
        keys: Vec<String>,
    },
    /// Run and baseline share their random numbers.
    SharedSeed {
        /// The seed of both.
        seed: u64,
    },
    /// There are baselines, but none of this scenario.
    NoBaseline {
        /// The scenario.
        scenario: String,
    },
}

impl Warning {
    /// The name and the paragraph of every warning.
    pub const ALL: [(&'static str, &'static str); 7] = [
        (
            "piecewise-smooth",
            "A ReLU network is linear in each layer on either side of a kink, so its zero-loss set Γ consists of smooth pieces. \
             The theory holds on each piece. A path that crosses from one piece to another meets a point where Hessian and drift \
             jump, of which the theory says nothing; a disagreement may come from there. A smooth activation (tanh, gelu, \
             softplus) has no such points.",
        ),
        (
            "biased-gradient",
            "With this noise the mean of ∇L̂(w, η) is not ∇L(w): ∇L̂ is curved in η, and its mean differs by a term of order σ². \
             In the degenerate regime this term adds a drift of order ασ² a step, against α²σ² of the limit, so the limit is \
             reached only for σ² ≪ α. Tie σ to the step size (ladder.sigma_exponent = 1), so that σ²/α vanishes along the ladder.",
        ),
        (
            "baseline-unnamed",
            "The baseline was written by a version that did not note the scenario in verdict.json. Estimates are compared all \
             the same, but a change of the scenario itself would not be noticed. Make a new baseline with this version.",
        ),
        (
            "baseline-of-another",
            "A single baseline is compared with the single scenario of the call, whatever their names. Here the names differ, \
             which is right after a file was renamed and wrong otherwise.",
        ),
        (
            "scenario-changed",
            "Some keys of the scenario have other values than those that the baseline was made with. Estimates that moved may \
             have moved for that reason. If the change is meant, make a new baseline.",
        ),
        (
            "shared-seed",
            "Run and baseline have the same seed, so their random numbers are the same and their errors are not independent. The \
             joint uncertainty √(se₁² + se₂²) is then an upper bound: small changes are found less often, and false alarms are \
             rarer than stated. Another --seed makes the runs independent.",
        ),
        (
            "no-baseline",
            "Several baselines were given and are matched with the scenarios by name; none has the name of this one, so it was \
             verified without a comparison.",
        ),
    ];

    /// The name, by which `singlim explain` knows it.
    pub fn name(&self) -> &'static str {
        let index = match self {
            Self::PiecewiseSmooth => 0,
            Self::BiasedGradient { .. } => 1,
            Self::BaselineUnnamed => 2,
            Self::BaselineOfAnother { .. } => 3,
            Self::ScenarioChanged { .. } => 4,
            Self::SharedSeed { .. } => 5,
            Self::NoBaseline { .. } => 6,
        };
        Self::ALL[index].0
    }

    /// The sentence, and where there is more about it.
    pub fn line(&self) -> String {
        format!("{self} (singlim explain {})", self.name())
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::PiecewiseSmooth => f.write_str(
                "with ReLU, or `abs` in a formula, the manifold Γ is only piecewise smooth: the theory holds on each piece, and says nothing of paths that cross a kink",
            ),
            Self::BiasedGradient { ratio } => write!(
                f,
                "the mean of ∇L̂ is not ∇L: the limit needs σ² ≪ α; here σ²/α is up to {ratio:.3}"
            ),
            Self::BaselineUnnamed => f.write_str(
                "the baseline does not say which scenario it is of: changes of the scenario are not noticed",
            ),
            Self::BaselineOfAnother { name } => {
                write!(f, "the baseline is of the scenario `{name}`")
            }
            Self::ScenarioChanged { keys } => write!(
                f,
                "the scenario is not the baseline's: {} changed; if that is meant, make a new baseline",
                keys.join(", ")
            ),
            Self::SharedSeed { seed } => write!(
                f,
                "both runs have seed {seed} and share their random numbers, so the joint uncertainty is an upper bound; another --seed makes them independent"
            ),
            Self::NoBaseline { scenario } => {
                write!(f, "no baseline is of the scenario `{scenario}`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warning_has_the_name_that_its_variant_has() {
        let all = [
            Warning::PiecewiseSmooth,
            Warning::BiasedGradient { ratio: 1.0 },
            Warning::BaselineUnnamed,
            Warning::BaselineOfAnother { name: "x".into() },
            Warning::ScenarioChanged { keys: Vec::new() },
            Warning::SharedSeed { seed: 1 },
            Warning::NoBaseline {
                scenario: "x".into(),
            },
        ];
        assert_eq!(all.len(), Warning::ALL.len());
        for warning in all {
            let json = serde_json::to_string(&warning).unwrap();
            assert!(json.contains(&format!("\"{}\"", warning.name())), "{json}");
            assert!(warning.line().contains("singlim explain"));
        }
    }
}
