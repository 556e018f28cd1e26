//! The product model ½(uv − 1)²: a linear network with one hidden unit and one sample.

use super::{Injection, Model, ModelCard, SocketSizes};
use crate::scalar::Scalar;

/// L̂ = ½ (1+η_w) (u v (1+η_h) − 1 − η_y)²; Γ = {uv = 1}.
///
/// η_w is the noise of the sample weight, η_y of the label, η_h of the hidden unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product;

impl Product {
    /// What `singlim list` shows.
    pub const CARD: &ModelCard = &ModelCard {
        name: "product",
        takes_data: false,
        formula: "L = ½(uv − 1)², Γ = {uv = 1}",
        options: &[],
        observables: &[
            ("imbalance", "D = u² − v²"),
            ("sum_of_squares", "S = u² + v²"),
        ],
    };
}

impl Product {
    /// u v (1+η_h) − 1 − η_y; the product is the last to be known, and the label is ready by then.
    #[inline(always)]
    fn residual<S: Scalar>(w: &[S], noise: &Injection<S>) -> S {
        noise.unit(0, w[0]).mul_add(w[1], -noise.label(0, S::one()))
    }
}

impl Model for Product {
    type Vector<S: Scalar> = [S; 2];

    #[inline(always)]
    fn zeros<S: Scalar>(&self) -> [S; 2] {
        [S::zero(); 2]
    }

    fn parameter_names(&self) -> Vec<String> {
        vec!["u".into(), "v".into()]
    }

    #[inline(always)]
    fn sockets(&self) -> SocketSizes {
        SocketSizes {
            weights: 1,
            labels: 1,
            units: 1,
            ..SocketSizes::default()
        }
    }

    #[inline(always)]
    fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S {
        let residual = Self::residual(w, noise);
        S::constant(0.5) * noise.weight(0) * residual.square()
    }

    #[inline(always)]
    fn gradient<S: Scalar>(&self, w: &[S], noise: &Injection<S>, _: &mut [S], gradient: &mut [S]) {
        let residual = Self::residual(w, noise);
        let slope = noise.unit(0, noise.weight(0) * residual);
        gradient[0] = slope * w[1];
        gradient[1] = slope * w[0];
    }

    fn card(&self) -> &'static ModelCard {
        Self::CARD
    }

    fn observe(&self, index: usize, w: &[f64]) -> f64 {
        let (a, b) = (w[0] * w[0], w[1] * w[1]);
        if index == 0 { a - b } else { a + b }
    }
}
