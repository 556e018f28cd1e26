//! Which of the three regimes a noise is in: does P∇Reg vanish on Γ, does Σ?

use std::fmt;

use nalgebra::DVector;
use serde::{Deserialize, Serialize};

use super::{Covariance, Frame, GeometryError, Masks, project, regularizer_gradient};
use crate::models::Model;
use crate::noise::NoisyLoss;

/// A share of the natural scale below which a quantity counts as identically zero.
pub const REGIME_TOLERANCE: f64 = 1e-8;

/// How the iterates evolve along Γ (Shalova, Schlichting and Peletier 2024).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// P∇Reg ≢ 0: a gradient flow in slow time k α σ².
    NonDegenerate,
    /// P∇Reg ≡ 0, Σ ≢ 0: a (possibly deterministic) diffusion in slow time k α² σ².
    Degenerate,
    /// Both vanish: nothing moves after the fast phase.
    Trivial,
}

impl Regime {
    /// The exponents (a, b) of the iterations ∝ α^−a σ^−b; none if nothing moves.
    pub fn exponents(self) -> Option<(f64, f64)> {
        match self {
            Self::NonDegenerate => Some((1.0, 2.0)),
            Self::Degenerate => Some((2.0, 2.0)),
            Self::Trivial => None,
        }
    }
}

impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::NonDegenerate => "non-degenerate",
            Self::Degenerate => "degenerate",
            Self::Trivial => "trivial",
        })
    }
}

/// What was found at one point of Γ, each as a share of its natural scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PointEvidence {
    /// |P∇Reg| against the sum of the terms that make it up (or the rounding of the gradient, if larger).
    pub regularizer: f64,
    /// |G C^{1/2}| against λ_max(1 + |w|).
    pub noise: f64,
    /// |P G C^{1/2}| against the same: the Brownian part of a degenerate limit.
    pub brownian: f64,
}

/// What was found over a set of points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RegimeEvidence {
    /// The regime that follows.
    pub regime: Regime,
    /// The largest values over the points.
    pub largest: PointEvidence,
    /// How many points were looked at.
    pub points: usize,
    /// The share below which a value counts as zero.
    pub tolerance: f64,
}

/// The evidence at one point of Γ with its frame.
pub fn evidence_at<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    frame: &Frame,
    masks: Masks,
) -> PointEvidence {
    // In units of the largest source, so that a small σ does not make a regime trivial.
    let unit = noisy
        .sources()
        .iter()
        .map(|source| source.scale)
        .fold(0.0, f64::max);
    let scale = unit * frame.largest_eigenvalue() * (1.0 + w.norm());
    let reg = regularizer_gradient(noisy, w, frame, masks);
    let covariance = Covariance::at(noisy, w, frame, masks);
    PointEvidence {
        regularizer: frame.tangent_part(&reg.gradient).norm() / reg.scale.max(1e-6 * unit * scale),
        noise: covariance.norm(frame) / scale,
        brownian: covariance.tangential_norm(frame) / scale,
    }
}

impl RegimeEvidence {
    /// Whether the limit has a Brownian part: a degenerate noise with a tangential part somewhere among the points.
    pub fn is_stochastic(&self) -> bool {
        self.regime == Regime::Degenerate && self.largest.brownian > self.tolerance
    }

    /// The regime that follows from the evidence at several points.
    pub fn over(points: &[PointEvidence]) -> Self {
        let most = |f: fn(&PointEvidence) -> f64| points.iter().map(f).fold(0.0, f64::max);
        let largest = PointEvidence {
            regularizer: most(|p| p.regularizer),
            noise: most(|p| p.noise),
            brownian: most(|p| p.brownian),
        };
        let regime = if largest.regularizer > REGIME_TOLERANCE {
            Regime::NonDegenerate
        } else if largest.noise > REGIME_TOLERANCE {
            Regime::Degenerate
        } else {
            Regime::Trivial
        };
        Self {
            regime,
            largest,
            points: points.len(),
            tolerance: REGIME_TOLERANCE,
        }
    }
}

/// The evidence at `w` ∈ Γ and at points around it on Γ: P∇Reg may vanish at a single point (an equilibrium) without
/// vanishing on Γ.
///
/// # Errors
/// The frame at `w` can't be computed; a neighbour that can't be reached is left out.
pub fn regime_near<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    rank: usize,
    masks: Masks,
) -> Result<RegimeEvidence, GeometryError> {
    let frame = Frame::at(noisy, w, rank)?;
    let mut points = vec![evidence_at(noisy, w, &frame, masks)];
    let m = w.len();
    let radius = 0.1 * w.norm().max(1.0);
    for neighbour in 0..4 {
        // Fixed, generic directions: the choice only has to avoid symmetry axes.
        let raw = DVector::from_fn(m, |i, _| {
            libm::sin(1.0 + 2.3 * i as f64 + 1.7 * neighbour as f64)
        });
        let tangent = frame.tangent_part(&raw);
        let moved = w + &tangent * (radius / tangent.norm().max(f64::MIN_POSITIVE));
        if let Ok((on, frame)) = project(noisy, &moved, rank) {
            points.push(evidence_at(noisy, &on, &frame, masks));
        }
    }
    Ok(RegimeEvidence::over(&points))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{AnyModel, Circle, Product, Sphere, TwoProducts, WideningValley};
    use crate::noise::{Mechanism, Source};
    use crate::random::Law;

    #[test]
    fn every_noise_is_in_the_regime_that_the_theory_says() {
        use Mechanism::*;
        use Regime::*;
        let product = || (AnyModel::Product(Product), vec![2.0, 0.5]);
        let pair = || (AnyModel::TwoProducts(TwoProducts), vec![0.8, 0.8, 0.6, 0.6]);
        let circle = || (AnyModel::Circle(Circle), vec![0.8, 0.6]);
        let widening = || {
            (
                AnyModel::WideningValley(WideningValley::new(2)),
                vec![1.0, 0.5, 0.0],
            )
        };
        for ((model, w), mechanism, expected) in [
            (product(), AntiPgd, NonDegenerate),
            (product(), Label, Degenerate),
            (product(), Sgld, Degenerate),
            (product(), Minibatch, Trivial),
            (product(), Dropconnect, Degenerate),
            (product(), Dropout, Degenerate),
            (pair(), Dropconnect, NonDegenerate),
            (pair(), Dropout, NonDegenerate),
            (pair(), Minibatch, Trivial),
            (circle(), Dropconnect, NonDegenerate),
            (widening(), AntiPgd, NonDegenerate),
            (widening(), Sgld, Degenerate),
            (
                (AnyModel::Sphere(Sphere::new(3)), vec![0.6, 0.0, 0.8]),
                Sgld,
                Degenerate,
            ),
        ] {
            for law in [Law::Gaussian, Law::Bernoulli] {
                let source = Source::new(mechanism, law);
                let Ok(noisy) = NoisyLoss::new(model.clone(), vec![source]) else {
                    assert_eq!(law, Law::Bernoulli);
                    continue;
                };
                // A fully masked product has no gradient left: as p → 1, nothing moves on either clock.
                let one_unit = matches!(model, AnyModel::Product(_)) && law == Law::Bernoulli;
                let masked = matches!(mechanism, Dropconnect | Dropout);
                let expected = if one_unit && masked {
                    Trivial
                } else {
                    expected
                };
                let w = DVector::from_vec(w.clone());
                let (w, _) = project(&noisy, &w, 1).unwrap();
                let found = regime_near(&noisy, &w, 1, Masks::NonLocal).unwrap();
                assert_eq!(
                    found.regime,
                    expected,
                    "{} {mechanism} {law:?}: {found:?}",
                    model_name(&noisy)
                );
            }
        }
    }

    fn model_name(noisy: &NoisyLoss<AnyModel>) -> &'static str {
        noisy.model().card().name
    }

    #[test]
    fn an_equilibrium_of_the_flow_is_not_taken_for_a_degenerate_noise() {
        let source = Source::new(Mechanism::AntiPgd, Law::Gaussian);
        let noisy = NoisyLoss::new(Product, vec![source]).unwrap();
        let balanced = DVector::from_vec(vec![1.0, 1.0]);
        let found = regime_near(&noisy, &balanced, 1, Masks::NonLocal).unwrap();
        assert_eq!(found.regime, Regime::NonDegenerate);
    }
}
