//! Σ = G C Gᵀ, the covariance of the noise of the gradient in units of σ², kept in factors and never as an m×m matrix.

use nalgebra::{DMatrix, DVector};

use super::derivatives::{gradient, noise_jacobian_column};
use super::{Frame, Masks, least_squares};
use crate::models::Model;
use crate::noise::{NoisyLoss, Socket};

/// A column whose tangential part is below this share of it is normal to Γ.
pub(crate) const TANGENTIAL: f64 = 1e-13;

/// Σ = Jᵀ K J/N² + B Bᵀ + s² I.
#[derive(Clone, Debug)]
pub struct Covariance {
    /// K (n×n), the covariance of the residuals' noise; none where the loss is not a sum of squares.
    pub residual: Option<DMatrix<f64>>,
    /// B (m×k).
    pub columns: DMatrix<f64>,
    /// s², of noise added to the gradient.
    pub isotropic: f64,
}

impl Covariance {
    /// Σ at w with its frame. For masks the columns are ∇L̂(w, −eᵢ) − ∇L(w), else those of G C^{1/2}.
    pub fn at<M: Model>(
        noisy: &NoisyLoss<M>,
        w: &DVector<f64>,
        frame: &Frame,
        masks: Masks,
    ) -> Self {
        if let Some(rows) = &frame.rows {
            return least_squares::covariance(noisy, w, &rows.jacobian, masks);
        }
        let mut columns = Vec::new();
        let mut isotropic = 0.0;
        let mut eta = vec![0.0; noisy.noise_dimension()];
        let mut quiet = None;
        for (source, part) in noisy.parts() {
            if source.mechanism.socket() == Socket::GradientAdded {
                isotropic += source.scale.powi(2);
                continue;
            }
            for c in part {
                let column = if masks.jumps(source) {
                    eta[c] = -1.0;
                    let masked = gradient(noisy, w, &eta);
                    eta[c] = 0.0;
                    masked - &*quiet.get_or_insert_with(|| gradient(noisy, w, &[]))
                } else {
                    noise_jacobian_column(noisy, w, &eta, c)
                };
                columns.push(column * source.scale);
            }
        }
        Self {
            residual: None,
            columns: match columns.len() {
                0 => DMatrix::zeros(w.len(), 0),
                _ => DMatrix::from_columns(&columns),
            },
            isotropic,
        }
    }

    /// VᵀΣV (r×r).
    pub fn normal(&self, frame: &Frame) -> DMatrix<f64> {
        let half = frame.normal.tr_mul(&self.columns);
        let rank = frame.eigenvalues.len();
        let mut normal = &half * half.transpose() + DMatrix::identity(rank, rank) * self.isotropic;
        if let (Some(k), Some(rows)) = (&self.residual, &frame.rows) {
            // VᵀJᵀ = S Uᵀ.
            let left = rows.scaled_left();
            let n = rows.jacobian.shape.samples as f64;
            normal += left.tr_mul(&(k * &left)) / (n * n);
        }
        normal
    }

    /// P B (m×k), in which columns that are normal up to rounding are zero; without columns where all of them are.
    ///
    /// They are not left out one by one: a path then draws equally many numbers at every step, wherever it is, and coarse and fine
    /// steps of it share their noise.
    pub fn tangential_columns(&self, frame: &Frame) -> DMatrix<f64> {
        let mut tangential = &self.columns - &frame.normal * frame.normal.tr_mul(&self.columns);
        let mut none = true;
        for (mut tangential, column) in tangential.column_iter_mut().zip(self.columns.column_iter())
        {
            if tangential.norm() > TANGENTIAL * column.norm() {
                none = false;
            } else {
                tangential.fill(0.0);
            }
        }
        if none {
            return DMatrix::zeros(self.columns.nrows(), 0);
        }
        tangential
    }

    /// √tr Σ.
    pub fn norm(&self, frame: &Frame) -> f64 {
        let m = self.columns.nrows() as f64;
        let mut square = self.columns.norm_squared() + m * self.isotropic;
        if let (Some(k), Some(rows)) = (&self.residual, &frame.rows) {
            let j = &rows.jacobian;
            let gram = j.transposed.tr_mul(&j.transposed);
            square += k.component_mul(&gram).sum() / (j.shape.samples as f64).powi(2);
        }
        square.max(0.0).sqrt()
    }

    /// √tr PΣP: the size of the Brownian part.
    pub fn tangential_norm(&self, frame: &Frame) -> f64 {
        let free = (self.columns.nrows() - frame.eigenvalues.len()) as f64;
        let square = self.tangential_columns(frame).norm_squared() + free * self.isotropic;
        square.sqrt()
    }
}
