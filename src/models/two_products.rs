//! The two-product net ½(a₁b₁ + a₂b₂ − 1)²: a linear network with two hidden units, which share the work.

use super::{Injection, Model, ModelCard, SocketSizes};
use crate::scalar::Scalar;

/// L̂ = ½ (1+η_w) (a₁b₁(1+η₁) + a₂b₂(1+η₂) − 1 − η_y)²; Γ = {a₁b₁ + a₂b₂ = 1}. Parameter order a₁, b₁, a₂, b₂.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoProducts;

impl TwoProducts {
    /// What `singlim list` shows.
    pub const CARD: &ModelCard = &ModelCard {
        name: "two-products",
        takes_data: false,
        formula: "L = ½(a1·b1 + a2·b2 − 1)², Γ = {a1·b1 + a2·b2 = 1}",
        options: &[],
        observables: &[("share", "p = a1·b1"), ("mixing", "r = 4p(1 − p)")],
    };

    #[inline(always)]
    fn residual<S: Scalar>(w: &[S], noise: &Injection<S>) -> S {
        let output = noise.unit(0, w[0] * w[1]) + noise.unit(1, w[2] * w[3]);
        noise.residual(0, output - S::one())
    }
}

impl Model for TwoProducts {
    type Vector<S: Scalar> = [S; 4];

    #[inline(always)]
    fn zeros<S: Scalar>(&self) -> [S; 4] {
        [S::zero(); 4]
    }

    fn parameter_names(&self) -> Vec<String> {
        ["a1", "b1", "a2", "b2"].map(String::from).to_vec()
    }

    #[inline(always)]
    fn sockets(&self) -> SocketSizes {
        SocketSizes {
            weights: 1,
            labels: 1,
            units: 2,
            ..SocketSizes::default()
        }
    }

    #[inline(always)]
    fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S {
        S::constant(0.5) * noise.weight(0) * Self::residual(w, noise).square()
    }

    #[inline(always)]
    fn gradient<S: Scalar>(&self, w: &[S], noise: &Injection<S>, _: &mut [S], gradient: &mut [S]) {
        let slope = noise.weight(0) * Self::residual(w, noise);
        let first = noise.unit(0, slope);
        let second = noise.unit(1, slope);
        gradient[0] = first * w[1];
        gradient[1] = first * w[0];
        gradient[2] = second * w[3];
        gradient[3] = second * w[2];
    }

    fn card(&self) -> &'static ModelCard {
        Self::CARD
    }

    fn observe(&self, index: usize, w: &[f64]) -> f64 {
        let share = w[0] * w[1];
        if index == 0 {
            share
        } else {
            4.0 * share * (1.0 - share)
        }
    }
}
