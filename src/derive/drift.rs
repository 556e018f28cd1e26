//! The drift `½∂²Φ[Σ]` that noise of the gradient makes along Γ, in the decomposition of Li, Wang and Arora (2022).

use nalgebra::{DMatrix, DVector};

use super::derivatives::third_derivative;
use super::least_squares::third_derivative_of_square;
use super::{Covariance, Frame};
use crate::models::Model;
use crate::noise::NoisyLoss;

/// X in the eigenbasis of H on range(H) (r×r): X_ij = S_ij/(λ_i + λ_j − α λ_i λ_j), S = Vᵀ Σ V.
///
/// With α = `step_size` it solves the Stein equation HX + XH − αHXH = S of the discrete iterates; with α = 0 the
/// Lyapunov equation of the limit. The iterates fluctuate around Γ with covariance α σ² V X Vᵀ.
pub fn normal_covariance(frame: &Frame, noise: &Covariance, step_size: f64) -> DMatrix<f64> {
    let mut covariance = noise.normal(frame);
    for i in 0..covariance.nrows() {
        for j in 0..covariance.ncols() {
            let (a, b) = (frame.eigenvalues[i], frame.eigenvalues[j]);
            covariance[(i, j)] /= a + b - step_size * a * b;
        }
    }
    covariance
}

/// `P∂³L[V X Vᵀ]` for a symmetric X (r×r): length m.
pub fn contracted_third_derivative<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    frame: &Frame,
    x: &DMatrix<f64>,
) -> DVector<f64> {
    if let Some(rows) = &frame.rows {
        // M∇rⱼ for all j at once: V X Vᵀ Jᵀ = V X S Uᵀ.
        let directions = &frame.normal * (x * rows.scaled_left().transpose());
        let shape = rows.jacobian.shape;
        let total = third_derivative_of_square(noisy.model(), w, shape, &directions);
        return frame.tangent_part(&total);
    }
    let eigen = x.clone().symmetric_eigen();
    let mut total = DVector::zeros(w.len());
    for (weight, vector) in eigen
        .eigenvalues
        .iter()
        .zip(eigen.eigenvectors.column_iter())
    {
        let direction = &frame.normal * vector;
        total += third_derivative(noisy, w, &direction, &direction) * *weight;
    }
    frame.tangent_part(&total)
}

/// `−½ P ∂³L[V X Vᵀ]` with X of [`normal_covariance`], the stationary covariance of the normal fluctuations (length m).
pub fn normal_regularization<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    frame: &Frame,
    noise: &Covariance,
    step_size: f64,
) -> DVector<f64> {
    let x = normal_covariance(frame, noise, step_size);
    contracted_third_derivative(noisy, w, frame, &x) * -0.5
}

/// `−P ∂³L[H⁺ QΣP]` (length m). Isotropic noise and that of residuals have QΣP = 0.
fn mixed<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    frame: &Frame,
    noise: &Covariance,
) -> DVector<f64> {
    let mut mixed = DVector::zeros(w.len());
    for column in noise.columns.column_iter() {
        let column = column.into_owned();
        let tangent = frame.tangent_part(&column);
        if tangent.norm() > 1e-13 * column.norm() {
            mixed += third_derivative(noisy, w, &frame.pseudo_inverse(&column), &tangent);
        }
    }
    frame.tangent_part(&mixed) * -1.0
}

/// The tangential part of `½∂²Φ(w)[Σ]` (length m): mixed + normal regularisation; `step_size` = 0 for the plain limit.
///
/// The normal part, `−½ H⁺ ∂³L[PΣP]`, keeps a point that diffuses along Γ on it; the projection of the integrator does
/// that.
pub fn tangential_drift<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    frame: &Frame,
    noise: &Covariance,
    step_size: f64,
) -> DVector<f64> {
    mixed(noisy, w, frame, noise) + normal_regularization(noisy, w, frame, noise, step_size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive::{Masks, flow_map, project};
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
                takes_data: false,
                formula: "",
                options: &[],
                observables: &[],
            }
        }
        fn observe(&self, _: usize, _: &[f64]) -> f64 {
            f64::NAN
        }
    }

    fn columns(columns: DMatrix<f64>) -> Covariance {
        Covariance {
            residual: None,
            columns,
            isotropic: 0.0,
        }
    }

    /// `½∂²Φ[s sᵀ]` against second differences of the numerically integrated gradient flow.
    #[test]
    fn the_drift_is_the_second_derivative_of_the_gradient_flow() {
        let source = Source::new(Mechanism::Sgld, Law::Gaussian);
        let noisy = NoisyLoss::new(Curved, vec![source]).unwrap();
        let (w, frame) = project(&noisy, &DVector::from_vec(vec![0.7, -0.4, 0.3]), 1).unwrap();
        for s in [
            [1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [0.3, -0.8, 1.1],
            [0.9, 0.2, 0.5],
        ] {
            let s = DVector::from_column_slice(&s);
            let noise = columns(DMatrix::from_columns(std::slice::from_ref(&s)));
            let tangent = frame.tangent_part(&s);
            let along = third_derivative(&noisy, &w, &tangent, &tangent);
            let normal = frame.pseudo_inverse(&along) * -0.5;
            let exact = tangential_drift(&noisy, &w, &frame, &noise, 0.0) + &normal;
            let h = 2e-3;
            let phi = |size: f64| flow_map(&noisy, &(&w + &s * size)).unwrap();
            let second = |h: f64| (phi(h) + phi(-h) - &w * 2.0) / (2.0 * h * h);
            // Richardson: the remainder is of order h⁴.
            let difference = (second(h) * 4.0 - second(2.0 * h)) / 3.0;
            let error = (exact - &difference).norm();
            assert!(
                error < 2e-5 * (1.0 + difference.norm()),
                "{s:?}: {error:.1e}"
            );
            assert!(
                normal.norm()
                    + mixed(&noisy, &w, &frame, &noise).norm()
                    + normal_regularization(&noisy, &w, &frame, &noise, 0.0).norm()
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
            rows: None,
        };
        let noise = DMatrix::from_fn(4, 2, |i, j| 0.3 + i as f64 - 1.7 * (i * j) as f64);
        let h = DMatrix::from_diagonal(&frame.eigenvalues);
        let half = noise.rows(0, 3);
        let s = half * half.transpose();
        for alpha in [0.0, 0.4] {
            let x = normal_covariance(&frame, &columns(noise.clone()), alpha);
            assert!(x[(0, 1)].abs() > 1e-3, "the off-diagonal part takes part");
            let left = &h * &x + &x * &h - &h * &x * &h * alpha;
            assert!((left - &s).norm() < 1e-13);
        }
    }

    #[test]
    fn label_noise_on_least_squares_drifts_by_minus_a_quarter_of_the_gradient_of_tr_h() {
        use crate::models::Product;
        let source = Source::new(Mechanism::Label, Law::Gaussian);
        let noisy = NoisyLoss::new(Product, vec![source]).unwrap();
        let (w, frame) = project(&noisy, &DVector::from_vec(vec![2.0, 0.5]), 1).unwrap();
        let noise = Covariance::at(&noisy, &w, &frame, Masks::NonLocal);
        let drift = tangential_drift(&noisy, &w, &frame, &noise, 0.0);
        // tr H = u² + v² on Γ and beyond: gradient (2u, 2v).
        let expected = frame.tangent_part(&(&w * 2.0)) * -0.25;
        assert!((drift - expected).norm() < 1e-12);
        // Stein instead of Lyapunov multiplies the drift by 1/(1 − αS/2).
        let alpha = 0.2;
        let corrected = tangential_drift(&noisy, &w, &frame, &noise, alpha);
        let expected =
            frame.tangent_part(&(&w * 2.0)) * (-0.25 / (1.0 - alpha * w.norm_squared() / 2.0));
        assert!((corrected - expected).norm() < 1e-12);
    }
}
