//! The equation of the limit: drift and diffusion at a point of Γ, for the regime at hand.

use nalgebra::{DMatrix, DVector};

use crate::derive::{
    Frame, GeometryError, Masks, Regime, diffusion_columns, normal_regularization,
    regularizer_gradient, second_order_drift,
};
use crate::models::Model;
use crate::noise::NoisyLoss;

/// Faults planted in the limit on purpose, to show that a wrong theory is noticed. The default has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// Multiplies the drift; 1 is the theory.
    pub drift_scale: f64,
    /// Multiplies the Brownian part; 1 is the theory.
    pub diffusion_scale: f64,
    /// Leaves out `½∂²Φ[Σ]`, the Itô correction, where false.
    pub ito_correction: bool,
    /// How masks enter; the theory is non-local.
    pub masks: Masks,
    /// Solves the Lyapunov equation where the corrected limit needs the Stein equation.
    pub lyapunov: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            drift_scale: 1.0,
            diffusion_scale: 1.0,
            ito_correction: true,
            masks: Masks::NonLocal,
            lyapunov: false,
        }
    }
}

/// dW = b(W) dt + B(W) dB on Γ in slow time, tangential parts only; the normal Itô correction comes from projecting.
#[derive(Clone, Debug)]
pub struct Coefficients {
    /// b (m), tangential.
    pub drift: DVector<f64>,
    /// B (m×d), tangential; zero columns in a deterministic limit.
    pub diffusion: DMatrix<f64>,
}

/// The limit process of a noisy loss in a regime.
#[derive(Clone, Debug)]
pub struct LimitProcess<'a, M> {
    /// The loss with its noise.
    pub noisy: &'a NoisyLoss<M>,
    /// The regime, which decides on the equation.
    pub regime: Regime,
    /// The rank of H on Γ.
    pub rank: usize,
    /// Planted faults.
    pub faults: Faults,
}

impl<M: Model> LimitProcess<'_, M> {
    /// The coefficients at w with its frame; `step_size` α > 0 gives the limit corrected for a finite step size
    /// (Stein in place of Lyapunov), 0 the plain limit.
    ///
    /// - non-degenerate: b = −P∇Reg − (α/2) P`∂³L[X]`, B = 0
    /// - degenerate: b = mixed + normal regularisation, B = P G C^{1/2}
    /// - trivial: both zero
    pub fn coefficients(&self, w: &DVector<f64>, frame: &Frame, step_size: f64) -> Coefficients {
        let d = self.noisy.noise_dimension();
        let masks = self.faults.masks;
        let stein = if self.faults.lyapunov { 0.0 } else { step_size };
        let still = DMatrix::zeros(w.len(), d);
        let (drift, diffusion) = match self.regime {
            Regime::Trivial => (DVector::zeros(w.len()), still),
            Regime::NonDegenerate => {
                let reg = regularizer_gradient(self.noisy, w, masks).gradient;
                let mut drift = -frame.tangent_part(&reg);
                if step_size > 0.0 {
                    let columns = diffusion_columns(self.noisy, w, masks);
                    drift +=
                        normal_regularization(self.noisy, w, frame, &columns, stein) * step_size;
                }
                (drift, still)
            }
            Regime::Degenerate => {
                let columns = diffusion_columns(self.noisy, w, masks);
                let parts = second_order_drift(self.noisy, w, frame, &columns, stein);
                let diffusion = &columns - &frame.normal * frame.normal.tr_mul(&columns);
                let ito = if self.faults.ito_correction { 1.0 } else { 0.0 };
                (parts.tangential() * ito, diffusion)
            }
        };
        Coefficients {
            drift: drift * self.faults.drift_scale,
            diffusion: diffusion * self.faults.diffusion_scale,
        }
    }

    /// The drift alone, at a point near Γ.
    ///
    /// # Errors
    /// The frame at w can't be computed.
    pub fn drift(&self, w: &DVector<f64>, step_size: f64) -> Result<DVector<f64>, GeometryError> {
        let frame = Frame::at(self.noisy, w, self.rank)?;
        Ok(self.coefficients(w, &frame, step_size).drift)
    }
}
