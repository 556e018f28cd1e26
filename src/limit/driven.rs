//! One path of a stochastic limit, driven by a Brownian path from outside: Euler–Maruyama with projection.

use nalgebra::DVector;

use super::LimitProcess;
use crate::derive::{Frame, GeometryError, project};
use crate::integrators::euler_maruyama_step;
use crate::models::Model;

/// A path of dW = b dt + s P dB with B in R^m given: the isotropic part alone, that of noise added to the gradient.
#[derive(Clone, Debug)]
pub struct DrivenPath<'a, M> {
    process: &'a LimitProcess<'a, M>,
    w: DVector<f64>,
    frame: Frame,
    time: f64,
}

impl<'a, M: Model> DrivenPath<'a, M> {
    /// A path from `start` ∈ Γ, at slow time 0.
    ///
    /// # Errors
    /// The projection fails.
    pub fn new(
        process: &'a LimitProcess<'a, M>,
        start: &DVector<f64>,
    ) -> Result<Self, GeometryError> {
        let (w, frame) = project(process.noisy, start, process.rank)?;
        Ok(Self {
            process,
            w,
            frame,
            time: 0.0,
        })
    }

    /// W′ = π(W + b Δt + s P ΔB), with `increment` ΔB (m) over `time_step` Δt > 0.
    ///
    /// # Errors
    /// The projection fails, or something is not finite; the message says when.
    pub fn step(&mut self, increment: &DVector<f64>, time_step: f64) -> Result<(), GeometryError> {
        let coefficients = self.process.coefficients(&self.w, &self.frame, 0.0);
        let normals = increment / time_step.sqrt();
        let shock = coefficients.isotropic_shock(&self.frame, &normals);
        let moved = euler_maruyama_step(&self.w, &coefficients.drift, &shock, time_step);
        let landed = self.process.land_from(&self.frame, &moved);
        (self.w, self.frame) = landed.map_err(|error| error.at_time(self.time))?;
        self.time += time_step;
        Ok(())
    }

    /// W.
    pub fn parameters(&self) -> &[f64] {
        self.w.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive::Regime;
    use crate::limit::Faults;
    use crate::models::Valley;
    use crate::models::{AnyModel, Profile};
    use crate::noise::{Mechanism, NoisyLoss, Source};
    use crate::random::Law;

    /// On the floor of a valley, for noise of twice the size: dX = −(log h)′(X) dt + 2 dB with log h = sin x, so that one
    /// step is known in closed form.
    #[test]
    fn a_step_follows_the_increment_along_gamma_and_the_drift() {
        let mut source = Source::new(Mechanism::Sgld, Law::Gaussian);
        source.scale = 2.0;
        let model = AnyModel::Valley(Valley::new(Profile::ExpSine, 1.0));
        let noisy = NoisyLoss::new(model, vec![source]).unwrap();
        let process = LimitProcess {
            noisy: &noisy,
            regime: Regime::Degenerate,
            rank: 1,
            faults: Faults::default(),
        };
        let mut path = DrivenPath::new(&process, &DVector::from_vec(vec![1.0, 0.0])).unwrap();
        let increment = DVector::from_vec(vec![0.3, 5.0]);
        path.step(&increment, 0.1).unwrap();
        let expected = 1.0 - 0.25 * 4.0 * 1f64.cos() * 0.1 + 2.0 * 0.3;
        assert!((path.parameters()[0] - expected).abs() < 1e-9);
        assert!(path.parameters()[1].abs() < 1e-12);
    }
}
