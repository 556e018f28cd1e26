//! The noise of the gradient: the columns whose outer products add up to Σ = G C Gᵀ.

use nalgebra::{DMatrix, DVector};

use super::Masks;
use super::derivatives::{gradient, noise_curvature, noise_jacobian_column};
use crate::models::Model;
use crate::noise::NoisyLoss;

/// G C^{1/2} (m×d), so that Σ = (G C^{1/2})(G C^{1/2})ᵀ in units of σ²; for masks column i is ∇L̂(w, −eᵢ) − ∇L(w).
pub fn diffusion_columns<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    masks: Masks,
) -> DMatrix<f64> {
    let d = noisy.noise_dimension();
    let mut columns = DMatrix::zeros(w.len(), d);
    let mut eta = vec![0.0; d];
    let quiet = gradient(noisy, w, &[]);
    for (c, source) in noisy.source_of_coordinates().into_iter().enumerate() {
        let column = if masks.jumps(source) {
            eta[c] = -1.0;
            let masked = gradient(noisy, w, &eta);
            eta[c] = 0.0;
            masked - &quiet
        } else {
            noise_jacobian_column(noisy, w, c)
        };
        columns.set_column(c, &(column * source.scale));
    }
    columns
}

/// Whether ∇L̂ is affine in η, so that noise of mean zero leaves its mean exactly ∇L: probed near `w`, at zero noise and
/// at one generic value of it.
///
/// Where it is not (Dropout, DropConnect), the mean gradient is that of L + σ²Reg + O(σ⁴), which in the degenerate
/// regime makes further errors of order σ² and σ²/α: the limit needs σ² ≪ α.
pub fn is_affine_in_noise<M: Model>(noisy: &NoisyLoss<M>, w: &DVector<f64>) -> bool {
    let d = noisy.noise_dimension();
    // Any point that is not on a symmetry axis will do; the numbers are arbitrary.
    let probe: Vec<f64> = (0..d)
        .map(|c| 0.31 + 0.17 * ((c * 7 + 3) % 5) as f64)
        .collect();
    let away: DVector<f64> = w.map(|x| 1.13 * x + 0.07);
    let scale = gradient(noisy, &away, &[]).norm();
    let curved = |eta: &[f64], c| noise_curvature(noisy, &away, eta, c).norm() > 1e-10 * scale;
    !(0..d).any(|c| curved(&vec![0.0; d], c) || curved(&probe, c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Product;
    use crate::noise::{Mechanism, Source};
    use crate::random::Law;

    #[test]
    fn label_noise_minibatch_and_sgld_are_affine_and_the_other_mechanisms_are_not() {
        let w = DVector::from_vec(vec![2.0, 0.5]);
        for (mechanism, expected) in [
            (Mechanism::Label, true),
            (Mechanism::Sgld, true),
            (Mechanism::Minibatch, true),
            (Mechanism::Dropout, false),
            (Mechanism::Dropconnect, false),
            (Mechanism::AntiPgd, false),
        ] {
            let law = Law::Gaussian;
            let noisy = NoisyLoss::new(
                Product,
                vec![Source {
                    mechanism,
                    law,
                    scale: 1.0,
                }],
            )
            .unwrap();
            assert_eq!(is_affine_in_noise(&noisy, &w), expected, "{mechanism}");
        }
    }
}
