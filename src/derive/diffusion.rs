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
            noise_jacobian_column(noisy, w, &eta, c)
        };
        columns.set_column(c, &(column * source.scale));
    }
    columns
}

/// How ∇L̂ depends on η, which decides on the error terms of the degenerate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseOrder {
    /// ∇L̂ is affine in η: label noise, SGLD, minibatch noise.
    Affine,
    /// Noises multiply each other, but none itself: the mean of ∇L̂ is ∇L, Σ is off by a share of order σ².
    Multilinear,
    /// ∂²_{η_c}∇L̂ ≢ 0 (Dropout, DropConnect, anti-PGD): the mean gradient is that of L + σ²Reg + O(σ⁴), which makes
    /// further errors of order σ² and σ²/α; the degenerate limit needs σ² ≪ α.
    Curved,
}

/// The order of the noise, probed near `w` at zero noise and at one generic value of it.
pub fn noise_order<M: Model>(noisy: &NoisyLoss<M>, w: &DVector<f64>) -> NoiseOrder {
    let d = noisy.noise_dimension();
    // Any point that is not on a symmetry axis will do; the numbers are arbitrary.
    let probe: Vec<f64> = (0..d)
        .map(|c| 0.31 + 0.17 * ((c * 7 + 3) % 5) as f64)
        .collect();
    let none = vec![0.0; d];
    let away: DVector<f64> = w.map(|x| 1.13 * x + 0.07);
    let tolerance = 1e-10 * gradient(noisy, &away, &[]).norm();
    let curved = |eta: &[f64], c| noise_curvature(noisy, &away, eta, c).norm() > tolerance;
    let changes = |c| {
        let here = noise_jacobian_column(noisy, &away, &none, c);
        (noise_jacobian_column(noisy, &away, &probe, c) - here).norm() > tolerance
    };
    if (0..d).any(|c| curved(&none, c) || curved(&probe, c)) {
        NoiseOrder::Curved
    } else if (0..d).any(changes) {
        NoiseOrder::Multilinear
    } else {
        NoiseOrder::Affine
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Product;
    use crate::noise::{Mechanism, Source};
    use crate::random::Law;

    #[test]
    fn label_noise_minibatch_and_sgld_are_affine_and_the_other_mechanisms_are_curved() {
        let w = DVector::from_vec(vec![2.0, 0.5]);
        let order = |mechanisms: &[Mechanism]| {
            let source = |&mechanism: &Mechanism| Source {
                mechanism,
                law: Law::Gaussian,
                scale: 1.0,
            };
            let noisy = NoisyLoss::new(Product, mechanisms.iter().map(source).collect()).unwrap();
            noise_order(&noisy, &w)
        };
        use Mechanism::*;
        for mechanism in [Label, Sgld, Minibatch] {
            assert_eq!(order(&[mechanism]), NoiseOrder::Affine, "{mechanism}");
        }
        for mechanism in [Dropout, Dropconnect, AntiPgd] {
            assert_eq!(order(&[mechanism]), NoiseOrder::Curved, "{mechanism}");
        }
        assert_eq!(order(&[Label, Minibatch]), NoiseOrder::Multilinear);
        assert_eq!(order(&[Label, Sgld]), NoiseOrder::Affine);
    }
}
