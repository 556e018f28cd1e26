//! Exact derivatives of a noisy loss by dual and hyper-dual numbers.

use nalgebra::{DMatrix, DVector};

use crate::models::Model;
use crate::noise::NoisyLoss;
use crate::scalar::{Dual64, HyperDual64};

/// ∇_w L̂(w, η) (length m); an empty `eta` is η = 0.
pub fn gradient<M: Model>(noisy: &NoisyLoss<M>, w: &DVector<f64>, eta: &[f64]) -> DVector<f64> {
    let mut gradient = DVector::zeros(w.len());
    noisy.gradient(w.as_slice(), eta, gradient.as_mut_slice());
    gradient
}

/// L(w).
pub fn loss<M: Model>(noisy: &NoisyLoss<M>, w: &DVector<f64>) -> f64 {
    noisy.loss(w.as_slice(), &[])
}

/// H(w)·a = ∂_t ∇L(w + t a) at t = 0 (length m).
pub fn hessian_vector<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    a: &DVector<f64>,
) -> DVector<f64> {
    let column = DMatrix::from_columns(std::slice::from_ref(a));
    hessian_times(noisy, w, &column).column(0).into_owned()
}

/// H(w)·A of every column of A (m×k): m×k.
pub fn hessian_times<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    a: &DMatrix<f64>,
) -> DMatrix<f64> {
    let mut product = DMatrix::zeros(w.len(), a.ncols());
    let mut point: Vec<_> = w.iter().map(|&x| Dual64::from(x)).collect();
    let mut gradient = vec![Dual64::from(0.0); w.len()];
    for (mut column, a) in product.column_iter_mut().zip(a.column_iter()) {
        for (x, &dx) in point.iter_mut().zip(a.iter()) {
            x.eps = dx;
        }
        noisy.gradient(&point, &[], &mut gradient);
        for (entry, g) in column.iter_mut().zip(&gradient) {
            *entry = g.eps;
        }
    }
    product
}

/// H(w) = ∇²L(w) (m×m), symmetrised.
pub fn hessian<M: Model>(noisy: &NoisyLoss<M>, w: &DVector<f64>) -> DMatrix<f64> {
    let hessian = hessian_times(noisy, w, &DMatrix::identity(w.len(), w.len()));
    (&hessian + hessian.transpose()) * 0.5
}

/// `∂³L(w)[a, b]`: component k is Σᵢⱼ ∂ᵢⱼₖL aᵢ bⱼ (length m).
pub fn third_derivative<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    a: &DVector<f64>,
    b: &DVector<f64>,
) -> DVector<f64> {
    let m = w.len();
    let point: Vec<_> = (0..m)
        .map(|i| HyperDual64::new(w[i], a[i], b[i], 0.0))
        .collect();
    let mut gradient = vec![HyperDual64::from(0.0); m];
    noisy.gradient(&point, &[], &mut gradient);
    DVector::from_iterator(m, gradient.iter().map(|g| g.eps1eps2))
}

/// ∂_t ∇_w L̂(w, η + t d) at t = 0 (length m), `direction` d and `eta` of the length of η.
pub fn noise_jacobian<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    eta: &[f64],
    direction: &[f64],
) -> DVector<f64> {
    let point: Vec<_> = w.iter().map(|&x| Dual64::from(x)).collect();
    let eta: Vec<_> = eta
        .iter()
        .zip(direction)
        .map(|(&x, &dx)| Dual64::new(x, dx))
        .collect();
    let mut gradient = vec![Dual64::from(0.0); w.len()];
    noisy.gradient(&point, &eta, &mut gradient);
    DVector::from_iterator(w.len(), gradient.iter().map(|g| g.eps))
}

/// Column c of ∂_η ∇_w L̂(w, η) (length m); G(w) is made of them at η = 0.
pub fn noise_jacobian_column<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    eta: &[f64],
    c: usize,
) -> DVector<f64> {
    noise_jacobian(noisy, w, eta, &unit(eta.len(), c))
}

/// e_c in R^d.
pub(super) fn unit(d: usize, c: usize) -> Vec<f64> {
    let mut unit = vec![0.0; d];
    unit[c] = 1.0;
    unit
}

/// ∂²_t ∇_w L̂(w, η + t d) at t = 0 (length m), `direction` d and `eta` of the length of η.
pub fn noise_curvature<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    eta: &[f64],
    direction: &[f64],
) -> DVector<f64> {
    let point: Vec<_> = w.iter().map(|&x| HyperDual64::from(x)).collect();
    let noise: Vec<_> = eta
        .iter()
        .zip(direction)
        .map(|(&x, &dx)| HyperDual64::new(x, dx, dx, 0.0))
        .collect();
    let mut gradient = vec![HyperDual64::from(0.0); w.len()];
    noisy.gradient(&point, &noise, &mut gradient);
    DVector::from_iterator(w.len(), gradient.iter().map(|g| g.eps1eps2))
}

/// ∂²_{η_c} L̂(w, 0).
pub fn noise_curvature_of_loss<M: Model>(noisy: &NoisyLoss<M>, w: &DVector<f64>, c: usize) -> f64 {
    let point: Vec<_> = w.iter().map(|&x| HyperDual64::from(x)).collect();
    let mut noise = vec![HyperDual64::from(0.0); noisy.noise_dimension()];
    noise[c].eps1 = 1.0;
    noise[c].eps2 = 1.0;
    noisy.loss(&point, &noise).eps1eps2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Product;
    use crate::noise::{Mechanism, Source};
    use crate::random::Law;
    use proptest::prelude::*;

    fn noisy() -> NoisyLoss<Product> {
        let sources = Mechanism::ALL.map(|mechanism| Source::new(mechanism, Law::Gaussian));
        NoisyLoss::new(Product, sources.to_vec()).unwrap()
    }

    proptest! {
        #[test]
        fn derivatives_agree_with_finite_differences(
            w in prop::collection::vec(-1.5..1.5f64, 2),
            a in prop::collection::vec(-1.0..1.0f64, 2),
            b in prop::collection::vec(-1.0..1.0f64, 2),
            c in 0..9usize,
        ) {
            let noisy = noisy();
            let (w, a, b) = (DVector::from_vec(w), DVector::from_vec(a), DVector::from_vec(b));
            let h = 1e-4;
            let close = |exact: DVector<f64>, difference: DVector<f64>| {
                (&exact - &difference).amax() < 1e-5 * (1.0 + exact.amax())
            };
            let difference = (gradient(&noisy, &(&w + &a * h), &[]) - gradient(&noisy, &(&w - &a * h), &[])) / (2.0 * h);
            prop_assert!(close(hessian(&noisy, &w) * &a, difference.clone()));
            let columns = DMatrix::from_columns(&[b.clone(), a.clone()]);
            prop_assert!(close(hessian_times(&noisy, &w, &columns).column(1).into_owned(), difference));
            let difference = (hessian_vector(&noisy, &(&w + &b * h), &a) - hessian_vector(&noisy, &(&w - &b * h), &a)) / (2.0 * h);
            prop_assert!(close(third_derivative(&noisy, &w, &a, &b), difference));
            let mut eta = vec![0.0; 9];
            let mut at = |x: f64| { eta[c] = x; gradient(&noisy, &w, &eta) };
            let (plus, minus, zero) = (at(h), at(-h), at(0.0));
            prop_assert!(close(noise_jacobian_column(&noisy, &w, &[0.0; 9], c), (&plus - &minus) / (2.0 * h)));
            prop_assert!(close(noise_curvature(&noisy, &w, &[0.0; 9], &unit(9, c)), (plus + minus - zero * 2.0) / (h * h)));
            let mut eta = vec![0.0; 9];
            let mut at = |x: f64| { eta[c] = x; noisy.loss(w.as_slice(), &eta) };
            let difference = (at(h) + at(-h) - 2.0 * at(0.0)) / (h * h);
            prop_assert!((noise_curvature_of_loss(&noisy, &w, c) - difference).abs() < 1e-5 * (1.0 + difference.abs()));
        }
    }
}
