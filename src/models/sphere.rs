//! The sphere loss ⅛(|w|² − 1)² in any dimension.

use super::{Injection, Model, ModelCard, SocketSizes};
use crate::scalar::{Scalar, sum_of_squares};

/// L̂ = ½ (1+η_w) (½|w|² − ½ − η_y)²; Γ = unit sphere of Rⁿ, on which ∇²L = w wᵀ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sphere {
    dimension: usize,
}

impl Sphere {
    /// What `singlim list` shows.
    pub const CARD: &ModelCard = &ModelCard {
        name: "sphere",
        takes_data: false,
        formula: "L = ⅛(|w|² − 1)², Γ = unit sphere in Rⁿ",
        options: &[("dimension", "n ≥ 2, default 3")],
        observables: &[],
    };

    /// The sphere in R^`dimension`.
    pub fn new(dimension: usize) -> Self {
        Self { dimension }
    }

    #[inline(always)]
    fn residual<S: Scalar>(w: &[S], noise: &Injection<S>) -> S {
        noise.residual(0, S::constant(0.5) * (sum_of_squares(w) - S::one()))
    }
}

impl Model for Sphere {
    type Vector<S: Scalar> = Vec<S>;

    fn zeros<S: Scalar>(&self) -> Vec<S> {
        vec![S::zero(); self.dimension]
    }

    fn parameter_names(&self) -> Vec<String> {
        (1..=self.dimension).map(|i| format!("w{i}")).collect()
    }

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
        let slope = noise.weight(0) * Self::residual(w, noise);
        for (g, &x) in gradient.iter_mut().zip(w) {
            *g = slope * x;
        }
    }

    fn card(&self) -> &'static ModelCard {
        Self::CARD
    }

    fn observe(&self, _: usize, _: &[f64]) -> f64 {
        f64::NAN
    }
}
