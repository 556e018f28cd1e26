//! The widening valley ½ v² |u|²: the smaller |u|, the flatter the loss across the branch v = 0.

use super::{Injection, Model, ModelCard, SocketSizes};
use crate::scalar::{Scalar, sum_of_squares};

/// L̂ = ½ Σᵢ (1+η_wᵢ) (v uᵢ − η_yᵢ)², u ∈ R^d; Γ ⊃ {v = 0}. Parameter order u₁ … u_d, v.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WideningValley {
    width: usize,
}

impl WideningValley {
    /// What `singlim list` shows.
    pub const CARD: &ModelCard = &ModelCard {
        name: "widening-valley",
        takes_data: false,
        formula: "L = ½·v²·|u|², u ∈ R^d, branch v = 0 of Γ",
        options: &[("dimension", "d ≥ 1, default 3 (there are d + 1 parameters)")],
        observables: &[("radius", "|u|"), ("radius_squared", "|u|²")],
    };

    /// The valley with u ∈ R^`width`.
    pub fn new(width: usize) -> Self {
        Self { width }
    }
}

impl Model for WideningValley {
    type Vector<S: Scalar> = Vec<S>;

    fn zeros<S: Scalar>(&self) -> Vec<S> {
        vec![S::zero(); self.width + 1]
    }

    fn parameter_names(&self) -> Vec<String> {
        let mut names: Vec<_> = (1..=self.width).map(|i| format!("u{i}")).collect();
        names.push("v".into());
        names
    }

    fn sockets(&self) -> SocketSizes {
        SocketSizes {
            weights: self.width,
            labels: self.width,
            units: 0,
            ..SocketSizes::default()
        }
    }

    #[inline(always)]
    fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S {
        let v = w[self.width];
        let mut sum = S::zero();
        for (i, &u) in w[..self.width].iter().enumerate() {
            sum = sum + noise.weight(i) * noise.residual(i, v * u).square();
        }
        S::constant(0.5) * sum
    }

    #[inline(always)]
    fn gradient<S: Scalar>(&self, w: &[S], noise: &Injection<S>, _: &mut [S], gradient: &mut [S]) {
        let v = w[self.width];
        let mut along_v = S::zero();
        for (i, (&u, g)) in w[..self.width].iter().zip(gradient.iter_mut()).enumerate() {
            let slope = noise.weight(i) * noise.residual(i, v * u);
            *g = slope * v;
            along_v = along_v + slope * u;
        }
        gradient[self.width] = along_v;
    }

    fn card(&self) -> &'static ModelCard {
        Self::CARD
    }

    fn observe(&self, index: usize, w: &[f64]) -> f64 {
        let squared = sum_of_squares(&w[..self.width]);
        if index == 0 { squared.sqrt() } else { squared }
    }
}
