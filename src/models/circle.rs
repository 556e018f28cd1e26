//! The circle loss ½(u₁² + u₂² − 1)²: two squared weights that share the work.

use super::{Injection, Model, ModelCard, SocketSizes};
use crate::scalar::{Scalar, sum_of_squares};

/// L̂ = ½ (1+η_w) (u₁² + u₂² − 1 − η_y)²; Γ = unit circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circle;

impl Circle {
    /// What `singlim list` shows.
    pub const CARD: &ModelCard = &ModelCard {
        name: "circle",
        takes_data: false,
        formula: "L = ½(u1² + u2² − 1)², Γ = unit circle",
        options: &[],
        observables: &[
            ("angle", "ψ = 2·atan2(u2, u1), in radians, in (−2π, 2π]"),
            ("cos_angle", "cos ψ = (u1² − u2²)/(u1² + u2²)"),
        ],
    };

    #[inline(always)]
    fn residual<S: Scalar>(w: &[S], noise: &Injection<S>) -> S {
        noise.residual(0, sum_of_squares(w) - S::one())
    }
}

impl Model for Circle {
    type Vector<S: Scalar> = [S; 2];

    #[inline(always)]
    fn zeros<S: Scalar>(&self) -> [S; 2] {
        [S::zero(); 2]
    }

    fn parameter_names(&self) -> Vec<String> {
        vec!["u1".into(), "u2".into()]
    }

    #[inline(always)]
    fn sockets(&self) -> SocketSizes {
        SocketSizes {
            weights: 1,
            labels: 1,
            units: 0,
            ..SocketSizes::default()
        }
    }

    #[inline(always)]
    fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S {
        S::constant(0.5) * noise.weight(0) * Self::residual(w, noise).square()
    }

    #[inline(always)]
    fn gradient<S: Scalar>(&self, w: &[S], noise: &Injection<S>, _: &mut [S], gradient: &mut [S]) {
        let slope = S::constant(2.0) * noise.weight(0) * Self::residual(w, noise);
        gradient[0] = slope * w[0];
        gradient[1] = slope * w[1];
    }

    fn card(&self) -> &'static ModelCard {
        Self::CARD
    }

    fn observe(&self, index: usize, w: &[f64]) -> f64 {
        if index == 0 {
            2.0 * libm::atan2(w[1], w[0])
        } else {
            let (a, b) = (w[0] * w[0], w[1] * w[1]);
            (a - b) / (a + b)
        }
    }
}
