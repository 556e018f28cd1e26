//! How the gradient depends on the noise, which decides on the error terms of the limit.

use nalgebra::DVector;

use super::derivatives::{gradient, noise_curvature, noise_jacobian};
use crate::models::Model;
use crate::noise::NoisyLoss;

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

/// The order of the noise, probed near `w` at zero noise and at one generic value of it, in one generic direction of each
/// source. Real minibatches are no small noise, but part of the algorithm: their weights are not varied.
pub fn noise_order<M: Model>(noisy: &NoisyLoss<M>, w: &DVector<f64>) -> NoiseOrder {
    let d = noisy.noise_dimension();
    let small: Vec<_> = noisy
        .parts()
        .filter(|(source, _)| source.batch.is_none())
        .map(|(_, part)| part)
        .collect();
    // Any point that is not on a symmetry axis will do; the numbers are arbitrary.
    let mut probe = vec![0.0; d];
    for c in small.iter().cloned().flatten() {
        probe[c] = 0.31 + 0.17 * ((c * 7 + 3) % 5) as f64;
    }
    let none = vec![0.0; d];
    let away: DVector<f64> = w.map(|x| 1.13 * x + 0.07);
    let slope = gradient(noisy, &away, &[]).norm();
    let (mut curved, mut changes) = (false, false);
    for part in small {
        let mut direction = vec![0.0; d];
        for c in part {
            direction[c] = 1.0 + 0.29 * ((c * 5 + 2) % 7) as f64;
        }
        let here = noise_jacobian(noisy, &away, &none, &direction);
        let there = noise_jacobian(noisy, &away, &probe, &direction);
        let tolerance = 1e-10 * (slope + here.norm());
        let bends = |eta: &[f64]| noise_curvature(noisy, &away, eta, &direction).norm() > tolerance;
        curved |= bends(&none) || bends(&probe);
        changes |= (there - here).norm() > tolerance;
    }
    match (curved, changes) {
        (true, _) => NoiseOrder::Curved,
        (_, true) => NoiseOrder::Multilinear,
        _ => NoiseOrder::Affine,
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
            let source = |&mechanism: &Mechanism| Source::new(mechanism, Law::Gaussian);
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
