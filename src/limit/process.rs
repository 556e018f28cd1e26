//! The equation of the limit: drift and diffusion at a point of Γ, for the regime at hand.

use nalgebra::{DMatrix, DVector};

use crate::derive::{
    Covariance, Frame, GeometryError, Masks, Regime, normal_regularization, project,
    regularizer_gradient, retract, tangential_drift,
};
use crate::models::Model;
use crate::noise::NoisyLoss;

/// Up to so many parameters a frame costs little.
pub(super) const FEW: usize = 8;

/// Faults planted in the limit on purpose, to show that a wrong theory is noticed. The default has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// Multiplies the drift; 1 is the theory.
    pub drift_scale: f64,
    /// Multiplies the Brownian part; 1 is the theory.
    pub diffusion_scale: f64,
    /// Leaves out `½∂²Φ[Σ]`, the Itô correction, where false.
    pub ito_correction: bool,
    /// Leaves the steps of the integrator where they end, off Γ, where false.
    pub projection: bool,
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
            projection: true,
            masks: Masks::NonLocal,
            lyapunov: false,
        }
    }
}

/// dW = b(W) dt + B(W) dB on Γ in slow time, tangential parts only; the normal Itô correction comes from projecting.
///
/// B dB consists of k Brownian motions along columns and, for noise added to the gradient, of one that is isotropic on
/// the tangent space: s P dB′ with B′ in R^m.
#[derive(Clone, Debug)]
pub struct Coefficients {
    /// b (m), tangential.
    pub drift: DVector<f64>,
    /// The columns (m×k) of B, tangential.
    pub diffusion: DMatrix<f64>,
    /// s.
    pub isotropic: f64,
}

impl Coefficients {
    /// How many normal numbers drive a step.
    pub fn normals(&self) -> usize {
        let isotropic = if self.isotropic == 0.0 {
            0
        } else {
            self.drift.len()
        };
        self.diffusion.ncols() + isotropic
    }

    /// B ξ for independent standard normal ξ, drawn one by one: first those of the columns.
    pub fn shock(&self, frame: &Frame, mut normal: impl FnMut() -> f64) -> DVector<f64> {
        let along = DVector::from_fn(self.diffusion.ncols(), |_, _| normal());
        let mut shock = &self.diffusion * along;
        if self.isotropic != 0.0 {
            let all = DVector::from_fn(self.drift.len(), |_, _| normal());
            shock += self.isotropic_shock(frame, &all);
        }
        shock
    }

    /// s P ξ, the isotropic part alone, for a given ξ in R^m.
    pub fn isotropic_shock(&self, frame: &Frame, normals: &DVector<f64>) -> DVector<f64> {
        frame.tangent_part(normals) * self.isotropic
    }

    /// √tr B Bᵀ, with `frame` that of the point.
    pub fn brownian_norm(&self, frame: &Frame) -> f64 {
        let free = (self.drift.len() - frame.eigenvalues.len()) as f64;
        (self.diffusion.norm_squared() + free * self.isotropic.powi(2)).sqrt()
    }
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
        let masks = self.faults.masks;
        let stein = if self.faults.lyapunov { 0.0 } else { step_size };
        let mut found = Coefficients {
            drift: DVector::zeros(w.len()),
            diffusion: DMatrix::zeros(w.len(), 0),
            isotropic: 0.0,
        };
        match self.regime {
            Regime::Trivial => (),
            Regime::NonDegenerate => {
                let reg = regularizer_gradient(self.noisy, w, frame, masks).gradient;
                found.drift = -frame.tangent_part(&reg);
                if step_size > 0.0 {
                    let noise = Covariance::at(self.noisy, w, frame, masks);
                    found.drift +=
                        normal_regularization(self.noisy, w, frame, &noise, stein) * step_size;
                }
            }
            Regime::Degenerate => {
                let noise = Covariance::at(self.noisy, w, frame, masks);
                if self.faults.ito_correction {
                    found.drift = tangential_drift(self.noisy, w, frame, &noise, stein);
                }
                let scale = self.faults.diffusion_scale;
                found.diffusion = noise.tangential_columns(frame) * scale;
                found.isotropic = noise.isotropic.sqrt() * scale;
            }
        }
        found.drift *= self.faults.drift_scale;
        found
    }

    /// Where a step that ends at w near Γ leads: π(w), and the frame there.
    ///
    /// # Errors
    /// The projection fails, or the rank of H changes.
    pub fn land(&self, w: &DVector<f64>) -> Result<(DVector<f64>, Frame), GeometryError> {
        if self.faults.projection {
            project(self.noisy, w, self.rank)
        } else {
            Ok((w.clone(), Frame::at(self.noisy, w, self.rank)?))
        }
    }

    /// The same for a tangential step from a point of Γ with its frame, whose algebra is used again where a new one costs more.
    ///
    /// # Errors
    /// As [`LimitProcess::land`].
    pub fn land_from(
        &self,
        frame: &Frame,
        w: &DVector<f64>,
    ) -> Result<(DVector<f64>, Frame), GeometryError> {
        if self.faults.projection && w.len() > FEW {
            retract(self.noisy, w, frame, self.rank)
        } else {
            self.land(w)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Study, parse};

    /// Langevin noise on the sphere as a formula: three columns, of which the first is normal at (1, 0, 0). Coarse and fine
    /// steps of a path would not share their noise if it took two numbers there and three elsewhere.
    #[test]
    fn a_step_takes_equally_many_numbers_whichever_columns_are_tangential() {
        let text = "observables = [\"w1\"]\n[model]\nkind = \"formula\"\nparameters = [\"w[1..3]\"]\n\
            noise = [\"e[1..3]\"]\nloss = \"(dot(w, w) - 1)^2/8 + dot(w, e)\"\nstart = [1.0, 0.0, 0.0]\n\
            [ladder]\nstep_sizes = [0.04, 0.02, 0.01, 0.005]\nsigma = 0.1\nhorizon = 1.0\npaths = 100\n";
        let (spec, file) = parse("test.toml", text, &[]).unwrap();
        let study = Study::resolve(spec, file).unwrap();
        let process = LimitProcess {
            noisy: &study.noisy,
            regime: Regime::Degenerate,
            rank: 1,
            faults: Faults::default(),
        };
        for w in [[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.48, 0.64, 0.6]] {
            let w = DVector::from_column_slice(&w);
            let frame = Frame::at(&study.noisy, &w, 1).unwrap();
            let coefficients = process.coefficients(&w, &frame, 0.0);
            assert_eq!(coefficients.normals(), 3);
            // B Bᵀ = P.
            let covariance = &coefficients.diffusion * coefficients.diffusion.transpose();
            let expected = DMatrix::identity(3, 3) - &w * w.transpose();
            assert!((covariance - expected).norm() < 1e-12);
        }
    }
}
