//! The regulariser that noise adds to the loss on average: Reg = ½ tr(C ∂²_η L̂), or its non-local form for masks.

use nalgebra::DVector;

use super::derivatives::{gradient, noise_curvature, noise_curvature_of_loss, unit};
use super::{Frame, Jacobian, least_squares};
use crate::models::Model;
use crate::noise::{NoisyLoss, Source};
use crate::random::Law;

/// How Bernoulli masks enter the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masks {
    /// Exactly, as p → 1: Σᵢ [L̂(w, −eᵢ) − L(w)]. All moments of a mask are of the same order, so this is the limit.
    NonLocal,
    /// As if they were Gaussian: ½ Δ_η L̂. Wrong unless L̂ is quadratic in each ηᵢ; offered as a planted fault.
    Local,
}

impl Masks {
    /// Whether masks enter as the theory says.
    pub fn are_exact(self) -> bool {
        self == Self::NonLocal
    }

    /// Whether a coordinate of this source contributes by a difference over the full mask rather than by derivatives.
    pub(crate) fn jumps(self, source: Source) -> bool {
        self.are_exact() && source.law == Law::Bernoulli
    }
}

/// ∇Reg at a point, with the size of what was summed up.
#[derive(Clone, Debug)]
pub struct Regularizer {
    /// ∇Reg (length m).
    pub gradient: DVector<f64>,
    /// Σ_c of the norms of the terms that add up to it: the scale against which a cancellation is judged.
    pub scale: f64,
}

impl Regularizer {
    /// Adds `factor`·`gradient`.
    pub(super) fn add(&mut self, gradient: DVector<f64>, factor: f64) {
        self.scale += factor * gradient.norm();
        self.gradient.axpy(factor, &gradient, 1.0);
    }
}

/// ∇Reg(w) = Σ_c s_c² ½∂²_{η_c}∇L̂(w, 0), with ∇L̂(w, −e_c) − ∇L(w) in place of the second derivative for masks. For a
/// sum of squares up to a part normal to Γ.
///
/// The unit of σ² is taken out: s_c is the source's relative scale.
pub fn regularizer_gradient<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    frame: &Frame,
    masks: Masks,
) -> Regularizer {
    if let Some(rows) = &frame.rows {
        return least_squares::regularizer_gradient(noisy, w, &rows.jacobian, masks);
    }
    let d = noisy.noise_dimension();
    let mut sum = Regularizer {
        gradient: DVector::zeros(w.len()),
        scale: 0.0,
    };
    let mut eta = vec![0.0; d];
    let quiet = gradient(noisy, w, &[]);
    for (c, source) in noisy.source_of_coordinates().into_iter().enumerate() {
        let square = source.scale.powi(2);
        if masks.jumps(source) {
            eta[c] = -1.0;
            let masked = gradient(noisy, w, &eta);
            eta[c] = 0.0;
            sum.add(masked - &quiet, square);
        } else {
            sum.add(noise_curvature(noisy, w, &eta, &unit(d, c)), 0.5 * square);
        }
    }
    sum
}

/// Reg(w), in units of σ²; for a sum of squares that of the same w with all residuals zero.
pub fn regularizer_value<M: Model>(noisy: &NoisyLoss<M>, w: &DVector<f64>, masks: Masks) -> f64 {
    if let Some(jacobian) = Jacobian::at(noisy.model(), w) {
        return least_squares::regularizer_value(noisy, w, &jacobian, masks);
    }
    let mut eta = vec![0.0; noisy.noise_dimension()];
    let mut total = 0.0;
    for (c, source) in noisy.source_of_coordinates().into_iter().enumerate() {
        let term = if masks.jumps(source) {
            eta[c] = -1.0;
            let masked = noisy.loss(w.as_slice(), &eta);
            eta[c] = 0.0;
            masked - noisy.loss(w.as_slice(), &[])
        } else {
            0.5 * noise_curvature_of_loss(noisy, w, c)
        };
        total += source.scale.powi(2) * term;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Circle, Product, TwoProducts};
    use crate::noise::Mechanism;

    fn noisy<M: Model>(model: M, mechanism: Mechanism, law: Law) -> NoisyLoss<M> {
        let mut source = Source::new(mechanism, law);
        source.scale = 1.5;
        NoisyLoss::new(model, vec![source]).unwrap()
    }

    #[test]
    fn the_gradient_is_the_derivative_of_the_value() {
        let w = DVector::from_vec(vec![0.9, 0.7, 0.4, 1.1]);
        for law in [Law::Gaussian, Law::Bernoulli] {
            let noisy = noisy(TwoProducts, Mechanism::Dropconnect, law);
            let frame = Frame::at(&noisy, &w, 1).unwrap();
            let found = regularizer_gradient(&noisy, &w, &frame, Masks::NonLocal).gradient;
            for i in 0..4 {
                let mut step = DVector::zeros(4);
                step[i] = 1e-5;
                let value = |w: &DVector<f64>| regularizer_value(&noisy, w, Masks::NonLocal);
                let difference = (value(&(&w + &step)) - value(&(&w - &step))) / 2e-5;
                assert!((found[i] - difference).abs() < 1e-8, "{law:?} ∂{i}");
            }
        }
    }

    #[test]
    fn anti_pgd_regularises_half_the_trace_of_the_hessian() {
        let noisy = noisy(Product, Mechanism::AntiPgd, Law::Gaussian);
        let w = DVector::from_vec(vec![2.0, 0.5]);
        let trace = super::super::derivatives::hessian(&noisy, &w).trace();
        let value = regularizer_value(&noisy, &w, Masks::NonLocal);
        assert!((value - 1.5f64.powi(2) * 0.5 * trace).abs() < 1e-13);
    }

    #[test]
    fn local_and_non_local_agree_where_the_loss_is_quadratic_in_the_mask_and_differ_elsewhere() {
        let w = DVector::from_vec(vec![0.8, 0.6]);
        let quartic = noisy(Circle, Mechanism::Dropconnect, Law::Bernoulli);
        let local = regularizer_value(&quartic, &w, Masks::Local);
        let non_local = regularizer_value(&quartic, &w, Masks::NonLocal);
        assert!((local - non_local).abs() > 0.1 * local);
        let quadratic = noisy(Product, Mechanism::Dropout, Law::Bernoulli);
        let w = DVector::from_vec(vec![2.0, 0.5]);
        let local = regularizer_value(&quadratic, &w, Masks::Local);
        let non_local = regularizer_value(&quadratic, &w, Masks::NonLocal);
        assert!((local - non_local).abs() < 1e-13);
    }
}
