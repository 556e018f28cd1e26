//! Where a start off Γ lands: Φ(w₀) of the gradient flow, and the limit of noise-free gradient descent.

use nalgebra::DVector;

use super::GeometryError;
use super::derivatives::{gradient, hessian_vector, loss, third_derivative};
use super::frame::{Frame, RANK_TOLERANCE, positive_part, project, rank_on_manifold};
use crate::integrators::Exponential;
use crate::models::Model;
use crate::noise::NoisyLoss;

/// A loss below −this share of its scale is no rounding.
const BELOW_ZERO: f64 = 1e-10;
/// The local error of a step of the flow, relative to 1 + |w|.
const TOLERANCE: f64 = 1e-11;
/// The error of the last jump on Γ, relative to 1 + |w|, apart from rounding.
const JUMP_ERROR: f64 = 1e-11;
/// Rounding of H⁺∇L, as a multiple of the condition number of H on its range.
const JUMP_ROUNDING: f64 = 1e-15;
/// The error of following the modified flow in place of gradient descent, relative to 1 + |w|.
const MODIFIED_ERROR: f64 = 1e-9;
/// Γ is looked for when it is this close by Newton's method, relative to 1 + |w|.
const NEAR: f64 = 0.1;
/// A gradient below this share of λ_max(1 + |w|) is rounding.
const STATIONARY: f64 = 1e-13;
/// A gradient below this share of λ_max(1 + |w|) at a positive loss is a saddle or a minimum; beyond, rounding would decide.
const STALLED: f64 = 1e-9;
/// Residuals of which less than this share lies in the range of J can't be got rid of.
const LEFT_OVER: f64 = 0.05;
/// Where the loss has kinks: the first step size in units of 1/λ_max, how often it may be halved, and how closely two step
/// sizes must agree, relative to 1 + |w|.
const SMALL_STEP: f64 = 0.1;
const HALVINGS: i32 = 6;
const KINK_ERROR: f64 = 1e-3;
const NEWTON_STEPS: usize = 20;
const FLOW_STEPS: usize = 50_000;
const DESCENT_STEPS: usize = 20_000_000;

/// Φ(w) = lim_{t→∞} x(t) of ẋ = −∇L(x), x(0) = w (length m), to about 1e-8 relative.
///
/// The flow is integrated by [`Exponential`] with the positive eigenvalues of H as linear part, so that stiffness costs
/// little. The rest is a jump on Γ by Newton's method, x − H⁺∇L and so on, once its error, of second order in the
/// distance, is small enough: how far the first jump misses Γ, and how much of it is tangential where it ends.
///
/// # Errors
/// The flow stops at a positive loss, leaves the finite numbers, or is too slow.
pub fn flow_map<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
) -> Result<DVector<f64>, GeometryError> {
    if noisy.model().is_smooth() {
        return follow(noisy, w, 0.0).map(|(landing, _)| landing);
    }
    across_kinks(noisy, w)
}

/// Φ(w) by gradient descent at ever smaller steps, where kinks stop a method of higher order: halved until the landing
/// points agree to 1e-3 relative.
fn across_kinks<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
) -> Result<DVector<f64>, GeometryError> {
    let largest = look(noisy, w)?
        .eigenvalues
        .iter()
        .copied()
        .fold(0.0, f64::max);
    let step_size =
        |halvings: i32| SMALL_STEP / largest.max(f64::MIN_POSITIVE) / 2f64.powi(halvings);
    let mut landing = descent_limit(noisy, w, step_size(0))?;
    for halvings in 1..=HALVINGS {
        let finer = descent_limit(noisy, w, step_size(halvings))?;
        let error = (&finer - &landing).norm();
        landing = finer;
        if error <= KINK_ERROR * (1.0 + landing.norm()) {
            return Ok(landing);
        }
    }
    Err(slow(
        "gradient descent at ever smaller steps",
        HALVINGS as usize,
        noisy,
        &landing,
        w,
    ))
}

/// The limit of noise-free gradient descent w ← w − α∇L(w) from w (length m), to about 1e-8 relative: where the iterates
/// at a finite step size α begin to creep.
///
/// The iterates are computed one by one until one of two short cuts is good. Near Γ the rest of the way is
/// x − H⁺∇L up to second order in the distance, for any stable α, as for the flow. And where only slow directions are
/// left, the iterates follow the flow of L + (α/4)|∇L|² up to α²(H²∇L/3 + ∂³L[∇L, ∇L]/12) in the velocity (the modified
/// equation: E. Hairer, C. Lubich & G. Wanner, *Geometric Numerical Integration*, 2006, IX.1); times the relaxation time
/// |H⁺∇L|/|∇L|, that is the error made by following this flow instead.
///
/// # Errors
/// As [`flow_map`].
pub fn descent_limit<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    step_size: f64,
) -> Result<DVector<f64>, GeometryError> {
    let mut point = w.clone();
    let mut approach = Approach::default();
    let mut next_look = 0;
    for step in 0..DESCENT_STEPS {
        let slope = gradient(noisy, &point, &[]);
        if step == next_look {
            // Looking takes eigenvectors: an eighth more iterations than needed, and few looks.
            next_look = step + (step / 8).max(16);
            let frame = look(noisy, &point)?;
            if let Some(landing) = approach.landing(noisy, &point, &slope, &frame)? {
                return Ok(landing);
            }
            if is_stationary(noisy, &point, &slope, &frame) {
                return land(noisy, &point);
            }
            if approach.rank.is_some() && noisy.model().is_smooth() {
                let time = frame.pseudo_inverse(&slope).norm() / slope.norm();
                let twice = hessian_vector(noisy, &point, &hessian_vector(noisy, &point, &slope));
                let bend = third_derivative(noisy, &point, &slope, &slope);
                let error = step_size.powi(2) * (twice.norm() / 3.0 + bend.norm() / 12.0) * time;
                if error <= MODIFIED_ERROR * (1.0 + point.norm()) {
                    return follow(noisy, &point, step_size).map(|(landing, _)| landing);
                }
            }
        }
        point -= slope * step_size;
    }
    Err(slow("gradient descent", DESCENT_STEPS, noisy, &point, w))
}

/// Where ẋ = −∇(L + (α/4)|∇L|²) ends from w, and after how many steps of the integrator.
fn follow<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    alpha: f64,
) -> Result<(DVector<f64>, usize), GeometryError> {
    let mut point = w.clone();
    let mut flow = Exponential::new(TOLERANCE);
    let mut approach = Approach::default();
    let (mut elapsed, mut fastest) = (0.0, 0.0f64);
    let velocity = |x: &DVector<f64>| {
        let slope = gradient(noisy, x, &[]);
        Ok(if alpha == 0.0 {
            -slope
        } else {
            -(hessian_vector(noisy, x, &slope) * (0.5 * alpha) + slope)
        })
    };
    for step in 0..FLOW_STEPS {
        let frame = look(noisy, &point)?;
        let slope = gradient(noisy, &point, &[]);
        if let Some(landing) = approach.landing(noisy, &point, &slope, &frame)? {
            return Ok((landing, step));
        }
        fastest = frame.eigenvalues.iter().copied().fold(fastest, f64::max);
        // The same time again would not lower the loss by more than a share of 1e-12.
        let no_gain = elapsed * slope.norm_squared() < 1e-12 * loss(noisy, &point);
        let stagnant = no_gain && elapsed * fastest > 1e6;
        if stagnant || is_stationary(noisy, &point, &slope, &frame) || elapsed * fastest > 1e60 {
            return land(noisy, &point).map(|landing| (landing, step));
        }
        let rates = frame.eigenvalues.map(|x| x * (1.0 + 0.5 * alpha * x));
        let start = velocity(&point)?;
        elapsed += flow.step(&mut point, &start, |_| Ok((frame.normal, rates)), velocity)?;
    }
    Err(slow("the gradient flow", FLOW_STEPS, noisy, &point, w))
}

/// What is known of Γ while a path comes closer.
#[derive(Default)]
struct Approach {
    /// The rank of H on Γ nearby.
    rank: Option<usize>,
    /// How far Γ was when it was last looked for in vain.
    tried: Option<f64>,
    /// How far Γ was when a jump on it was last found too long.
    jumped: Option<f64>,
}

impl Approach {
    /// The end of the path from `point`, with ∇L and the [`positive_part`] there, if a jump is good enough.
    fn landing<M: Model>(
        &mut self,
        noisy: &NoisyLoss<M>,
        point: &DVector<f64>,
        slope: &DVector<f64>,
        frame: &Frame,
    ) -> Result<Option<DVector<f64>>, GeometryError> {
        let scale = 1.0 + point.norm();
        let distance = frame.pseudo_inverse(slope).norm();
        if frame.eigenvalues.is_empty() || distance > NEAR * scale {
            return Ok(None);
        }
        if self.rank.is_none() && self.tried.is_none_or(|tried| distance < 0.5 * tried) {
            self.tried = Some(distance);
            self.rank = rank_nearby(noisy, point)?;
        }
        let Some(rank) = self.rank else {
            return Ok(None);
        };
        // An error of second order falls to a quarter over half the distance: sooner, another look is not worth its cost.
        // And where H has not yet the rank it has on Γ, it is too early.
        if self.jumped.is_some_and(|jumped| distance > 0.5 * jumped) {
            return Ok(None);
        }
        self.jumped = Some(distance);
        let Some(here) = frame.of_rank(rank) else {
            return Ok(None);
        };
        let jump = here.pseudo_inverse(slope);
        let end = point - &jump;
        let Ok(there) = Frame::at(noisy, &end, rank) else {
            return Ok(None);
        };
        let missed = there.pseudo_inverse(&gradient(noisy, &end, &[]));
        let condition = here.largest_eigenvalue() / here.eigenvalues[rank - 1];
        let error = missed.norm() + there.tangent_part(&jump).norm();
        if error > (JUMP_ERROR + JUMP_ROUNDING * condition) * scale {
            return Ok(None);
        }
        let (landing, there) = project(noisy, &end, rank)?;
        refuse_negative(noisy, &landing, &there)?;
        Ok(Some(landing))
    }
}

/// The rank of H where Newton's method from `point` meets Γ; none if it does not.
fn rank_nearby<M: Model>(
    noisy: &NoisyLoss<M>,
    point: &DVector<f64>,
) -> Result<Option<usize>, GeometryError> {
    let mut x = point.clone();
    for _ in 0..NEWTON_STEPS {
        let Ok(frame) = positive_part(noisy, &x) else {
            return Ok(None);
        };
        let step = frame.pseudo_inverse(&gradient(noisy, &x, &[]));
        x -= &step;
        let largest = frame.eigenvalues.iter().copied().fold(0.0, f64::max);
        if step.norm() <= 1e-8 * (1.0 + x.norm()) {
            let zero = loss(noisy, &x) <= 1e-12 * largest * (1.0 + x.norm_squared());
            return if zero {
                rank_on_manifold(noisy, &x).map(Some)
            } else {
                Ok(None)
            };
        }
    }
    Ok(None)
}

/// Whether ∇L is rounding, or next to nothing where the loss is positive: a saddle, or a minimum.
fn is_stationary<M: Model>(
    noisy: &NoisyLoss<M>,
    point: &DVector<f64>,
    slope: &DVector<f64>,
    frame: &Frame,
) -> bool {
    let largest = frame.eigenvalues.iter().copied().fold(0.0, f64::max);
    let share = slope.norm() / (largest * (1.0 + point.norm()));
    share <= STATIONARY
        || slope.norm() == 0.0
        || (share <= STALLED && misses_zero(noisy, point, slope, frame))
}

/// Whether a point with a small ∇L is not on the way to Γ: of a sum of squares the residuals are left over by the range of J;
/// of another loss there is more than Γ nearby could explain, L ≤ |∇L|²/(2 λ_min) with λ_min > `RANK_TOLERANCE` λ_max.
fn misses_zero<M: Model>(
    noisy: &NoisyLoss<M>,
    point: &DVector<f64>,
    slope: &DVector<f64>,
    frame: &Frame,
) -> bool {
    let largest = frame.eigenvalues.iter().copied().fold(0.0, f64::max);
    let loss = loss(noisy, point);
    match &frame.rows {
        Some(rows) => {
            let r = &rows.jacobian.residuals;
            loss > 1e-20 * largest && rows.left.tr_mul(r).norm() < LEFT_OVER * r.norm()
        }
        None => {
            let near = 10.0 * slope.norm_squared() / (RANK_TOLERANCE * largest);
            loss > near + 1e-12 * largest
        }
    }
}

/// The [`positive_part`] of H, or an error where loss or Hessian is not finite, or the loss is negative.
fn look<M: Model>(noisy: &NoisyLoss<M>, w: &DVector<f64>) -> Result<Frame, GeometryError> {
    if !loss(noisy, w).is_finite() {
        return Err(GeometryError::NotFinite {
            what: "the loss",
            w: w.as_slice().to_vec(),
        });
    }
    let frame = positive_part(noisy, w)?;
    refuse_negative(noisy, w, &frame)?;
    Ok(frame)
}

/// An error where the loss is negative by more than rounding.
fn refuse_negative<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    frame: &Frame,
) -> Result<(), GeometryError> {
    let loss = loss(noisy, w);
    let largest = frame.eigenvalues.iter().copied().fold(0.0, f64::max);
    if loss < -BELOW_ZERO * (1.0 + largest * (1.0 + w.norm_squared())) {
        let w = w.as_slice().to_vec();
        return Err(GeometryError::Negative { loss, w });
    }
    Ok(())
}

fn land<M: Model>(
    noisy: &NoisyLoss<M>,
    point: &DVector<f64>,
) -> Result<DVector<f64>, GeometryError> {
    let frame = positive_part(noisy, point)?;
    if misses_zero(noisy, point, &gradient(noisy, point, &[]), &frame) {
        return Err(no_zero(noisy, point));
    }
    let rank = rank_on_manifold(noisy, point)?;
    let (landing, frame) = project(noisy, point, rank)?;
    refuse_negative(noisy, &landing, &frame)?;
    Ok(landing)
}

fn no_zero<M: Model>(noisy: &NoisyLoss<M>, point: &DVector<f64>) -> GeometryError {
    GeometryError::NoZero {
        loss: loss(noisy, point),
        w: point.as_slice().to_vec(),
    }
}

/// Why an iteration came to no end: the loss has a positive minimum, or the way is too long.
fn slow<M: Model>(
    what: &'static str,
    iterations: usize,
    noisy: &NoisyLoss<M>,
    point: &DVector<f64>,
    start: &DVector<f64>,
) -> GeometryError {
    let slope = gradient(noisy, point, &[]);
    match positive_part(noisy, point) {
        Ok(frame) if frame.rows.is_some() && misses_zero(noisy, point, &slope, &frame) => {
            no_zero(noisy, point)
        }
        _ => GeometryError::NoConvergence {
            what,
            iterations,
            gradient: slope.norm(),
            loss: loss(noisy, point),
            w: start.as_slice().to_vec(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrators::DormandPrince;
    use crate::models::{
        AnyModel, Circle, Injection, ModelCard, Product, Profile, SocketSizes, Sphere, TwoProducts,
        Valley, WideningValley,
    };
    use crate::noise::{Mechanism, Source};
    use crate::random::Law;
    use crate::scalar::Scalar;

    /// L = ½(r₁² + ε r₂²) + c: two residuals on scales far apart.
    #[derive(Clone, Copy)]
    struct Bent {
        epsilon: f64,
        floor: f64,
        /// r₁ = y − x² z, r₂ = x z + x − s, whose directions turn; else r₁ = x y − 1, r₂ = z s − 1, apart from each other.
        turns: bool,
    }

    impl Bent {
        /// r₁, r₂ and their gradients.
        fn residuals<S: Scalar>(self, [x, y, z, s]: [S; 4]) -> [(S, [S; 4]); 2] {
            let (zero, one) = (S::zero(), S::one());
            if !self.turns {
                return [
                    (x * y - one, [y, x, zero, zero]),
                    (z * s - one, [zero, zero, s, z]),
                ];
            }
            [
                (y - x * x * z, [-(x * z + x * z), one, -(x * x), zero]),
                (x * z + x - s, [z + one, zero, x, -one]),
            ]
        }
    }

    impl Model for Bent {
        type Vector<S: Scalar> = [S; 4];

        fn zeros<S: Scalar>(&self) -> [S; 4] {
            [S::zero(); 4]
        }

        fn parameter_names(&self) -> Vec<String> {
            ["x", "y", "z", "s"].map(String::from).to_vec()
        }

        fn sockets(&self) -> SocketSizes {
            SocketSizes::default()
        }

        fn loss<S: Scalar>(&self, w: &[S], _: &Injection<S>) -> S {
            let [(a, _), (b, _)] = self.residuals([w[0], w[1], w[2], w[3]]);
            let sum = a.square() + S::constant(self.epsilon) * b.square();
            sum * S::constant(0.5) + S::constant(self.floor)
        }

        fn gradient<S: Scalar>(&self, w: &[S], _: &Injection<S>, _: &mut [S], gradient: &mut [S]) {
            let [(a, da), (b, db)] = self.residuals([w[0], w[1], w[2], w[3]]);
            let b = S::constant(self.epsilon) * b;
            for (i, g) in gradient.iter_mut().enumerate() {
                *g = a * da[i] + b * db[i];
            }
        }

        fn card(&self) -> &'static ModelCard {
            Circle::CARD
        }

        fn observe(&self, _: usize, _: &[f64]) -> f64 {
            f64::NAN
        }
    }

    fn bent(epsilon: f64) -> (NoisyLoss<Bent>, DVector<f64>) {
        let model = Bent {
            epsilon,
            floor: 0.0,
            turns: true,
        };
        (quiet(model), DVector::from_vec(vec![0.9, 0.3, 0.5, 0.8]))
    }

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
    fn a_start_at_a_saddle_or_on_its_stable_manifold_is_told_its_loss() {
        for w in [[1.0, -1.0], [0.37, -0.37]] {
            let error = flow_map(&quiet(Product), &DVector::from_column_slice(&w)).unwrap_err();
            assert!(error.to_string().contains("L = 5.000e-1"), "{error}");
        }
        let error = flow_map(&quiet(Product), &DVector::from_vec(vec![0.0, 0.0])).unwrap_err();
        assert!(error.to_string().contains("does not reach zero"), "{error}");
        assert!(flow_map(&quiet(Product), &DVector::from_vec(vec![f64::NAN, 0.0])).is_err());
    }

    /// Φ by an explicit method to within 1e-7 of Γ, where the smallest eigenvalue is about ε.
    fn by_explicit_steps<M: Model>(
        noisy: &NoisyLoss<M>,
        w: &DVector<f64>,
        epsilon: f64,
    ) -> DVector<f64> {
        let mut pair = DormandPrince::new(1e-13);
        let mut x = w.clone();
        while gradient(noisy, &x, &[]).norm() > 1e-7 * epsilon {
            let f = |_: f64, x: &DVector<f64>| Ok::<_, GeometryError>(-gradient(noisy, x, &[]));
            pair.step(&mut x, f64::INFINITY, f).unwrap();
        }
        land(noisy, &x).unwrap()
    }

    #[test]
    fn it_agrees_with_an_explicit_method_where_nothing_is_stiff() {
        for (model, start) in [
            (AnyModel::Product(Product), vec![2.3, -0.2]),
            (
                AnyModel::TwoProducts(TwoProducts),
                vec![0.8, 1.9, 0.1, -0.4],
            ),
            (AnyModel::Circle(Circle), vec![1.6, 0.8]),
            (AnyModel::Sphere(Sphere::new(3)), vec![0.1, 0.0, 0.3]),
            (
                AnyModel::Valley(Valley::new(Profile::ExpSine, 1.0)),
                vec![0.3, 0.9],
            ),
            (
                AnyModel::WideningValley(WideningValley::new(2)),
                vec![0.7, -0.4, 1.1],
            ),
        ] {
            let noisy = quiet(model);
            let start = DVector::from_vec(start);
            let (landed, steps) = follow(&noisy, &start, 0.0).unwrap();
            let error = (&landed - by_explicit_steps(&noisy, &start, 1.0)).norm();
            assert!(error < 1e-9, "{}: {error:.1e}", noisy.model().card().name);
            assert!(steps < 200, "{steps} steps");
        }
    }

    #[test]
    fn it_agrees_with_an_explicit_method_where_fast_directions_turn() {
        for (epsilon, most) in [(1e-2, 300), (1e-4, 600)] {
            let (noisy, start) = bent(epsilon);
            let (landed, steps) = follow(&noisy, &start, 0.0).unwrap();
            let error = (&landed - by_explicit_steps(&noisy, &start, epsilon)).norm();
            assert!(error < 2e-8, "ε = {epsilon}: {error:.1e}");
            assert!(steps < most, "{steps} steps");
        }
    }

    /// Condition numbers up to 5e5, next to what still counts as a rank; an explicit method would take as many steps.
    #[test]
    fn a_stiff_problem_takes_few_steps_and_keeps_what_its_flow_keeps() {
        for epsilon in [1e-2, 1e-4, 5e-6] {
            let model = Bent {
                epsilon,
                floor: 0.0,
                turns: false,
            };
            let noisy = quiet(model);
            let start = DVector::from_vec(vec![1.3, 0.9, 0.5, -0.3]);
            let (landed, steps) = follow(&noisy, &start, 0.0).unwrap();
            let kept = |w: &DVector<f64>| [w[0] * w[0] - w[1] * w[1], w[2] * w[2] - w[3] * w[3]];
            for (a, b) in kept(&landed).into_iter().zip(kept(&start)) {
                assert!((a - b).abs() < 1e-8, "ε = {epsilon}: {:.1e}", a - b);
            }
            assert!(noisy.loss(landed.as_slice(), &[]) < 1e-20);
            assert!(steps < 250, "{steps} steps");
        }
    }

    #[test]
    fn a_positive_minimum_is_refused_with_its_loss() {
        for epsilon in [1.0, 1e-4] {
            let floor = 0.25;
            let noisy = quiet(Bent {
                epsilon,
                floor,
                turns: true,
            });
            let start = bent(epsilon).1;
            for error in [
                flow_map(&noisy, &start).unwrap_err(),
                descent_limit(&noisy, &start, 0.1).unwrap_err(),
            ] {
                let GeometryError::NoZero { loss, .. } = error else {
                    panic!("{error}")
                };
                assert!((loss - floor).abs() < 1e-9, "{loss}");
            }
        }
    }

    #[test]
    fn the_limit_of_descent_is_that_of_all_its_iterates_and_not_that_of_the_flow() {
        for (epsilon, alpha) in [
            (1.0, 0.2),
            (1e-1, 0.2),
            (1e-2, 0.3),
            (1e-4, 0.1),
            (1e-4, 0.4),
        ] {
            let (noisy, start) = bent(epsilon);
            let landed = descent_limit(&noisy, &start, alpha).unwrap();
            let mut x = start.clone();
            while gradient(&noisy, &x, &[]).norm() > 1e-9 * epsilon {
                x -= gradient(&noisy, &x, &[]) * alpha;
            }
            let error = (&landed - &x).norm();
            let distance = (flow_map(&noisy, &start).unwrap() - &x).norm();
            assert!(error < 2e-8, "ε = {epsilon}, α = {alpha}: {error:.1e}");
            assert!(distance > 1e-4, "{distance:.1e}");
        }
    }
}
