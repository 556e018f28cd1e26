//! The valley ½ h(x) y², whose walls steepen and flatten along its floor y = 0.

use super::{Injection, Model, ModelCard, SocketSizes};
use crate::scalar::Scalar;

/// The curvature h(x) > 0 across the valley; c is the strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// h = e^{c·sin x}.
    ExpSine,
    /// h = 1 + c·x², c ≥ 0.
    Quadratic,
    /// h = cosh(c·x).
    Cosh,
}

impl Profile {
    /// Every profile with its name in a scenario.
    pub const ALL: [(&'static str, Self); 3] = [
        ("exp-sine", Self::ExpSine),
        ("quadratic", Self::Quadratic),
        ("cosh", Self::Cosh),
    ];
}

/// L̂ = ½ (1+η_w) h(x) y²; Γ = {y = 0}.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Valley {
    profile: Profile,
    strength: f64,
}

impl Valley {
    /// What `singlim list` shows.
    pub const CARD: &ModelCard = &ModelCard {
        name: "valley",
        takes_data: false,
        formula: "L = ½·h(x)·y², Γ = {y = 0}",
        options: &[
            (
                "profile",
                "h: \"exp-sine\" e^{c·sin x} (default), \"quadratic\" 1 + c·x², \"cosh\" cosh(c·x)",
            ),
            ("strength", "c, default 1; at least 0 for \"quadratic\""),
        ],
        observables: &[("sin_x", "sin x"), ("cos_x", "cos x")],
    };

    /// The valley with curvature `profile` of strength c = `strength`.
    pub fn new(profile: Profile, strength: f64) -> Self {
        Self { profile, strength }
    }

    /// h(x) and h′(x).
    #[inline(always)]
    fn curvature<S: Scalar>(&self, x: S) -> (S, S) {
        let c = S::constant(self.strength);
        match self.profile {
            Profile::ExpSine => {
                let h = (c * x.sin()).exp();
                (h, c * x.cos() * h)
            }
            Profile::Quadratic => (S::one() + c * x * x, S::constant(2.0) * c * x),
            Profile::Cosh => {
                let half = S::constant(0.5);
                let (up, down) = ((c * x).exp(), (-(c * x)).exp());
                (half * (up + down), half * c * (up - down))
            }
        }
    }
}

impl Model for Valley {
    type Vector<S: Scalar> = [S; 2];

    #[inline(always)]
    fn zeros<S: Scalar>(&self) -> [S; 2] {
        [S::zero(); 2]
    }

    fn parameter_names(&self) -> Vec<String> {
        vec!["x".into(), "y".into()]
    }

    #[inline(always)]
    fn sockets(&self) -> SocketSizes {
        SocketSizes {
            weights: 1,
            labels: 0,
            units: 0,
            ..SocketSizes::default()
        }
    }

    #[inline(always)]
    fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S {
        let (h, _) = self.curvature(w[0]);
        S::constant(0.5) * noise.weight(0) * h * w[1].square()
    }

    #[inline(always)]
    fn gradient<S: Scalar>(&self, w: &[S], noise: &Injection<S>, _: &mut [S], gradient: &mut [S]) {
        let (h, slope) = self.curvature(w[0]);
        let weighted = noise.weight(0) * w[1];
        gradient[0] = S::constant(0.5) * slope * weighted * w[1];
        gradient[1] = h * weighted;
    }

    fn card(&self) -> &'static ModelCard {
        Self::CARD
    }

    fn observe(&self, index: usize, w: &[f64]) -> f64 {
        if index == 0 {
            libm::sin(w[0])
        } else {
            libm::cos(w[0])
        }
    }
}
