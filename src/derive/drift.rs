//! The drift `½∂²Φ[Σ]` that noise of the gradient makes along Γ, in the decomposition of Li, Wang and Arora (2022).

use nalgebra::{DMatrix, DVector};

use super::Frame;
use super::derivatives::third_derivative;
use crate::models::Model;
use crate::noise::NoisyLoss;

/// The three parts of `½∂²Φ(w)[Σ]` at w ∈ Γ, each of length m.
#[derive(Clone, Debug)]
pub struct SecondOrderDrift {
    /// `−½ H⁺ ∂³L[PΣP]`: keeps a point that diffuses along Γ on it.
    pub normal: DVector<f64>,
    /// `−P ∂³L[H⁺ QΣP]`.
    pub mixed: DVector<f64>,
    /// `−½ P ∂³L[X]`, X the stationary covariance of the normal fluctuations.
    pub normal_regularization: DVector<f64>,
}

impl SecondOrderDrift {
    /// The tangential part, mixed + normal regularisation (length m).
    pub fn tangential(&self) -> DVector<f64> {
        &self.mixed + &self.normal_regularization
    }

    /// `½∂²Φ[Σ]`, all three parts (length m).
    pub fn total(&self) -> DVector<f64> {
        self.tangential() + &self.normal
    }
}

/// X in the eigenbasis of H on range(H) (r×r): X_ij = S_ij/(λ_i + λ_j − α λ_i λ_j), S = Vᵀ Σ V.
///
/// With α = `step_size` it solves the Stein equation HX + XH − αHXH = S of the discrete iterates; with α = 0 the
/// Lyapunov equation of the limit. The iterates fluctuate around Γ with covariance α σ² V X Vᵀ.
pub fn normal_covariance(frame: &Frame, columns: &DMatrix<f64>, step_size: f64) -> DMatrix<f64> {
    let half = frame.normal.tr_mul(columns);
    let mut covariance = &half * half.transpose();
    for i in 0..covariance.nrows() {
        for j in 0..covariance.ncols() {
            let (a, b) = (frame.eigenvalues[i], frame.eigenvalues[j]);
            covariance[(i, j)] /= a + b - step_size * a * b;
        }
    }
    covariance
}

/// `−½ P ∂³L[V X Vᵀ]` with X of [`normal_covariance`] (length m).
pub fn normal_regularization<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    frame: &Frame,
    columns: &DMatrix<f64>,
    step_size: f64,
) -> DVector<f64> {
    let eigen = normal_covariance(frame, columns, step_size).symmetric_eigen();
    let mut total = DVector::zeros(w.len());
    for (weight, vector) in eigen
        .eigenvalues
        .iter()
        .zip(eigen.eigenvectors.column_iter())
    {
        let direction = &frame.normal * vector;
        total += third_derivative(noisy, w, &direction, &direction) * *weight;
    }
    frame.tangent_part(&total) * -0.5
}

/// All parts of `½∂²Φ(w)[Σ]`, Σ = `columns`·`columns`ᵀ (m×d); `step_size` = 0 for the plain limit.
pub fn second_order_drift<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    frame: &Frame,
    columns: &DMatrix<f64>,
    step_size: f64,
) -> SecondOrderDrift {
    let mut normal = DVector::zeros(w.len());
    let mut mixed = DVector::zeros(w.len());
    for column in columns.column_iter() {
        let column = column.into_owned();
        let tangent = frame.tangent_part(&column);
        if tangent.iter().any(|&x| x != 0.0) {
            normal += third_derivative(noisy, w, &tangent, &tangent);
            mixed += third_derivative(noisy, w, &frame.pseudo_inverse(&column), &tangent);
        }
    }
    SecondOrderDrift {
        normal: frame.pseudo_inverse(&normal) * -0.5,
        mixed: frame.tangent_part(&mixed) * -1.0,
        normal_regularization: normal_regularization(noisy, w, frame, columns, step_size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive::{Masks, diffusion_columns, flow_map, project};
    use crate::models::{Injection, ModelCard, SocketSizes};
    use crate::noise::{Mechanism, Source};
    use crate::random::Law;
    use crate::scalar::Scalar;

    /// A curved surface in R³: L = ½ e^{xy/2} (z − ½x² + xy³/3)², neither flat nor symmetric, H varying along Γ.
    struct Curved;

    impl Curved {
        fn parts<S: Scalar>(w: &[S]) -> (S, S) {
            let half = S::constant(0.5);
            let height = w[2] - half * w[0] * w[0] + w[0] * w[1] * w[1] * w[1] / S::constant(3.0);
            ((half * w[0] * w[1]).exp(), height)
        }
    }

    impl Model for Curved {
        type Vector<S: Scalar> = [S; 3];
        fn zeros<S: Scalar>(&self) -> [S; 3] {
            [S::zero(); 3]
        }
        fn parameter_names(&self) -> Vec<String> {
            ["x", "y", "z"].map(String::from).to_vec()
        }
        fn sockets(&self) -> SocketSizes {
            SocketSizes::default()
        }
        fn loss<S: Scalar>(&self, w: &[S], _: &Injection<S>) -> S {
            let (h, height) = Self::parts(w);
            S::constant(0.5) * h * height.square()
        }
        fn gradient<S: Scalar>(&self, w: &[S], _: &Injection<S>, _: &mut [S], g: &mut [S]) {
            let (h, height) = Self::parts(w);
            let third = S::one() / S::constant(3.0);
            let quarter = S::constant(0.25) * h * height.square();
            g[0] = quarter * w[1] + h * height * (third * w[1] * w[1] * w[1] - w[0]);
            g[1] = quarter * w[0] + h * height * w[0] * w[1] * w[1];
            g[2] = h * height;
        }
        fn card(&self) -> &'static ModelCard {
            &ModelCard {
                name: "curved",
                formula: "",
                options: &[],
                observables: &[],
            }
        }
        fn observe(&self, _: usize, _: &[f64]) -> f64 {
            f64::NAN
        }
    }

    /// `½∂²Φ[s sᵀ]` against second differences of the numerically integrated gradient flow.
    #[test]
    fn the_drift_is_the_second_derivative_of_the_gradient_flow() {
        let source = Source {
            mechanism: Mechanism::Sgld,
            law: Law::Gaussian,
            scale: 1.0,
        };
        let noisy = NoisyLoss::new(Curved, vec![source]).unwrap();
        let (w, frame) = project(&noisy, &DVector::from_vec(vec![0.7, -0.4, 0.3]), 1).unwrap();
        for s in [
            [1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [0.3, -0.8, 1.1],
            [0.9, 0.2, 0.5],
        ] {
            let s = DVector::from_column_slice(&s);
            let exact = second_order_drift(
                &noisy,
                &w,
                &frame,
                &DMatrix::from_columns(std::slice::from_ref(&s)),
                0.0,
            );
            let h = 2e-3;
            let phi = |size: f64| flow_map(&noisy, &(&w + &s * size)).unwrap();
            let second = |h: f64| (phi(h) + phi(-h) - &w * 2.0) / (2.0 * h * h);
            // Richardson: the remainder is of order h⁴.
            let difference = (second(h) * 4.0 - second(2.0 * h)) / 3.0;
            let error = (exact.total() - &difference).norm();
            assert!(
                error < 2e-5 * (1.0 + difference.norm()),
                "{s:?}: {error:.1e}"
            );
            assert!(
                exact.mixed.norm() + exact.normal.norm() + exact.normal_regularization.norm()
                    > 1e-2
            );
        }
    }

    #[test]
    fn the_normal_covariance_solves_the_stein_equation_and_for_step_size_zero_the_lyapunov_equation()
     {
        let frame = Frame {
            normal: DMatrix::from_fn(4, 3, |i, j| if i == j { 1.0 } else { 0.0 }),
            eigenvalues: DVector::from_vec(vec![3.0, 1.0, 0.2]),
        };
        let columns = DMatrix::from_fn(4, 2, |i, j| 0.3 + i as f64 - 1.7 * (i * j) as f64);
        let h = DMatrix::from_diagonal(&frame.eigenvalues);
        let half = columns.rows(0, 3);
        let s = half * half.transpose();
        for alpha in [0.0, 0.4] {
            let x = normal_covariance(&frame, &columns, alpha);
            assert!(x[(0, 1)].abs() > 1e-3, "the off-diagonal part takes part");
            let left = &h * &x + &x * &h - &h * &x * &h * alpha;
            assert!((left - &s).norm() < 1e-13);
        }
    }

    #[test]
    fn label_noise_on_least_squares_drifts_by_minus_a_quarter_of_the_gradient_of_tr_h() {
        use crate::models::Product;
        let source = Source {
            mechanism: Mechanism::Label,
            law: Law::Gaussian,
            scale: 1.0,
        };
        let noisy = NoisyLoss::new(Product, vec![source]).unwrap();
        let (w, frame) = project(&noisy, &DVector::from_vec(vec![2.0, 0.5]), 1).unwrap();
        let columns = diffusion_columns(&noisy, &w, Masks::NonLocal);
        let drift = second_order_drift(&noisy, &w, &frame, &columns, 0.0).tangential();
        // tr H = u² + v² on Γ and beyond: gradient (2u, 2v).
        let expected = frame.tangent_part(&(&w * 2.0)) * -0.25;
        assert!((drift - expected).norm() < 1e-12);
        // Stein instead of Lyapunov multiplies the drift by 1/(1 − αS/2).
        let alpha = 0.2;
        let corrected = second_order_drift(&noisy, &w, &frame, &columns, alpha).tangential();
        let expected =
            frame.tangent_part(&(&w * 2.0)) * (-0.25 / (1.0 - alpha * w.norm_squared() / 2.0));
        assert!((corrected - expected).norm() < 1e-12);
    }
}
