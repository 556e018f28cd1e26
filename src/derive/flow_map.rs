//! Where a start off Γ lands: Φ(w₀) of the gradient flow, and the limit of noise-free gradient descent.

use nalgebra::DVector;

use super::GeometryError;
use super::derivatives::{gradient, hessian, loss};
use super::frame::{RANK_TOLERANCE, project, rank_on_manifold};
use crate::integrators::DormandPrince;
use crate::models::Model;
use crate::noise::NoisyLoss;

/// Flow and descent hand over to the projection when |∇L| is below this share of λ_max(1 + |w|).
const NEARLY_THERE: f64 = 1e-9;
const FLOW_STEPS: usize = 200_000;
const DESCENT_STEPS: usize = 20_000_000;

/// Φ(w) = lim_{t→∞} x(t) of ẋ = −∇L(x), x(0) = w (length m), to about 1e-9 relative.
///
/// # Errors
/// The flow stops at a positive loss, leaves the finite numbers, or is too slow.
pub fn flow_map<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
) -> Result<DVector<f64>, GeometryError> {
    let mut point = w.clone();
    let mut pair = DormandPrince::new(1e-11);
    let mut scale = check_finite(noisy, &point)?;
    for step in 0..FLOW_STEPS {
        if step % 16 == 0 {
            scale = check_finite(noisy, &point)?;
        }
        if gradient(noisy, &point, &[]).norm() <= NEARLY_THERE * scale {
            return land(noisy, &point);
        }
        let downhill = |_: f64, x: &DVector<f64>| Ok(-gradient(noisy, x, &[]));
        pair.step(&mut point, f64::INFINITY, downhill)?;
    }
    Err(slow("the gradient flow", FLOW_STEPS, noisy, &point, w))
}

/// The limit of noise-free gradient descent w ← w − α∇L(w) from w (length m): where the iterates at a finite step
/// size α begin to creep.
///
/// # Errors
/// As [`flow_map`].
pub fn descent_limit<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    step_size: f64,
) -> Result<DVector<f64>, GeometryError> {
    let mut point = w.clone();
    let mut scale = check_finite(noisy, &point)?;
    for step in 0..DESCENT_STEPS {
        if step % 64 == 0 {
            scale = check_finite(noisy, &point)?;
        }
        let slope = gradient(noisy, &point, &[]);
        if slope.norm() <= NEARLY_THERE * scale {
            return land(noisy, &point);
        }
        point -= slope * step_size;
    }
    Err(slow("gradient descent", DESCENT_STEPS, noisy, &point, w))
}

fn land<M: Model>(
    noisy: &NoisyLoss<M>,
    point: &DVector<f64>,
) -> Result<DVector<f64>, GeometryError> {
    let no_zero = || GeometryError::NoZero {
        loss: loss(noisy, point),
        w: point.as_slice().to_vec(),
    };
    // On Γ the loss is of second order in the distance; a positive minimum is not.
    let slope = gradient(noisy, point, &[]).norm();
    let curvature = hessian(noisy, point).norm();
    if loss(noisy, point) > 10.0 * slope.powi(2) / (RANK_TOLERANCE * curvature) + 1e-12 * curvature
    {
        return Err(no_zero());
    }
    let rank = rank_on_manifold(noisy, point)?;
    Ok(project(noisy, point, rank)?.0)
}

/// λ(1 + |w|) with λ = |H|, or an error where loss or Hessian is not finite.
fn check_finite<M: Model>(noisy: &NoisyLoss<M>, w: &DVector<f64>) -> Result<f64, GeometryError> {
    let curvature = hessian(noisy, w).norm();
    if curvature.is_finite() && loss(noisy, w).is_finite() {
        Ok(curvature * (1.0 + w.norm()))
    } else {
        Err(GeometryError::NotFinite {
            what: "the loss or its Hessian",
            w: w.as_slice().to_vec(),
        })
    }
}

fn slow<M: Model>(
    what: &'static str,
    iterations: usize,
    noisy: &NoisyLoss<M>,
    point: &DVector<f64>,
    start: &DVector<f64>,
) -> GeometryError {
    GeometryError::NoConvergence {
        what,
        iterations,
        gradient: gradient(noisy, point, &[]).norm(),
        w: start.as_slice().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Product, Sphere};
    use crate::noise::{Mechanism, Source};
    use crate::random::Law;

    fn quiet<M: Model>(model: M) -> NoisyLoss<M> {
        let source = Source::new(Mechanism::Sgld, Law::Gaussian);
        NoisyLoss::new(model, vec![source]).unwrap()
    }

    #[test]
    fn the_flow_of_the_product_model_keeps_the_imbalance() {
        let noisy = quiet(Product);
        let landed = flow_map(&noisy, &DVector::from_vec(vec![2.3, 0.9])).unwrap();
        assert!((landed[0] * landed[1] - 1.0).abs() < 1e-12);
        let imbalance = landed[0].powi(2) - landed[1].powi(2);
        assert!((imbalance - (2.3f64.powi(2) - 0.81)).abs() < 1e-8);
    }

    #[test]
    fn descent_at_a_finite_step_lands_elsewhere_and_tends_to_the_flow() {
        let noisy = quiet(Product);
        let start = DVector::from_vec(vec![2.3, 0.9]);
        let flow = flow_map(&noisy, &start).unwrap();
        let error = |alpha| (descent_limit(&noisy, &start, alpha).unwrap() - &flow).norm();
        let ratio = error(0.01) / error(0.005);
        assert!((ratio - 2.0).abs() < 0.1, "first order in α: {ratio}");
    }

    #[test]
    fn the_sphere_is_reached_along_the_ray() {
        let noisy = quiet(Sphere::new(3));
        let landed = flow_map(&noisy, &DVector::from_vec(vec![0.3, 0.0, -0.4])).unwrap();
        assert!((landed - DVector::from_vec(vec![0.6, 0.0, -0.8])).norm() < 1e-9);
    }

    #[test]
    fn a_start_at_a_saddle_is_told_its_loss() {
        let error = flow_map(&quiet(Product), &DVector::from_vec(vec![0.0, 0.0])).unwrap_err();
        assert!(error.to_string().contains("does not reach zero"), "{error}");
        assert!(flow_map(&quiet(Product), &DVector::from_vec(vec![f64::NAN, 0.0])).is_err());
    }
}
