//! Normal and tangent directions of Γ at a point, and the projection of nearby points on Γ.

use nalgebra::{DMatrix, DVector};

use super::derivatives::{gradient, hessian, hessian_times};
use super::least_squares::residuals_at;
use super::{GeometryError, Jacobian};
use crate::models::Model;
use crate::noise::NoisyLoss;

/// Eigenvalues below this share of λ_max count as zero when the rank of H is determined.
pub const RANK_TOLERANCE: f64 = 1e-6;
/// The same for the singular values of J where the loss is a sum of squares: these are not squared, so that much smaller
/// ones can be told from rounding.
pub const SINGULAR_TOLERANCE: f64 = 1e-6;
/// The projection ends when a Newton step is below this share of 1 + |w|; the error left is its square.
pub(crate) const PROJECTION_TOLERANCE: f64 = 1e-9;
pub(crate) const PROJECTION_ITERATIONS: usize = 60;
/// A loss below this share of λ_max(1 + |w|²) counts as zero.
pub(crate) const ZERO_LOSS: f64 = 1e-12;

/// Iterations with the frame of another point: each shrinks the distance by the share by which H differs.
const CHORD_ITERATIONS: usize = 20;
const SLOWEST_CHORD: f64 = 0.3;

/// range(H) at a point: V (m×r, orthonormal) and λ₁ ≥ … ≥ λ_r, so that on Γ H = V Λ Vᵀ, P = I − V Vᵀ, H⁺ = V Λ⁻¹ Vᵀ.
#[derive(Clone, Debug)]
pub struct Frame {
    /// V (m×r): the eigenvectors of the r largest eigenvalues.
    pub normal: DMatrix<f64>,
    /// λ₁ ≥ … ≥ λ_r.
    pub eigenvalues: DVector<f64>,
    /// What is known beyond that of a sum of squares, for which V and Λ are those of JᵀJ/N.
    pub rows: Option<RowSpace>,
}

/// The thin singular value decomposition J = U S Vᵀ of a Jacobian of residuals.
#[derive(Clone, Debug)]
pub struct RowSpace {
    /// J and the residuals.
    pub jacobian: Jacobian,
    /// U (n×r).
    pub left: DMatrix<f64>,
    /// s₁ ≥ … ≥ s_r.
    pub singular_values: DVector<f64>,
}

impl RowSpace {
    /// U S (n×r) = J V.
    pub fn scaled_left(&self) -> DMatrix<f64> {
        let mut scaled = self.left.clone();
        for (mut column, s) in scaled.column_iter_mut().zip(self.singular_values.iter()) {
            column *= *s;
        }
        scaled
    }
}

impl Frame {
    /// The frame of the `rank` largest eigenvalues of H(w).
    ///
    /// # Errors
    /// H is not finite, or its rank at w is lower than `rank`.
    pub fn at<M: Model>(
        noisy: &NoisyLoss<M>,
        w: &DVector<f64>,
        rank: usize,
    ) -> Result<Self, GeometryError> {
        let mut frame = Self::whole(noisy, w)?;
        frame.check_rank(rank, w)?;
        frame.truncate(rank);
        Ok(frame)
    }

    /// The frame of the same rank at a point w of Γ nearby, from products of H with 2r vectors: on Γ nothing but range(H) is
    /// curved, so that the columns of H V span it for the V of here, unless a direction of it is orthogonal to V.
    ///
    /// Off Γ it is another plane. Who calls it must see to it that w is where it seems to be.
    ///
    /// # Errors
    /// As [`Frame::at`].
    fn carried_to<M: Model>(
        &self,
        noisy: &NoisyLoss<M>,
        w: &DVector<f64>,
    ) -> Result<Self, GeometryError> {
        let basis = hessian_times(noisy, w, &self.normal).qr().q();
        let inside = basis.tr_mul(&hessian_times(noisy, w, &basis));
        if !inside.iter().all(|x| x.is_finite()) {
            return Err(not_finite("the Hessian", w));
        }
        let (eigenvalues, vectors) = descending((&inside + inside.transpose()) * 0.5);
        let frame = Self {
            normal: basis * vectors,
            eigenvalues,
            rows: None,
        };
        frame.check_rank(self.eigenvalues.len(), w)?;
        Ok(frame)
    }

    /// That the loss at w, whose frame this is, counts as zero.
    fn check_zero<M: Model>(
        &self,
        noisy: &NoisyLoss<M>,
        w: &DVector<f64>,
    ) -> Result<(), GeometryError> {
        let loss = noisy.loss(w.as_slice(), &[]);
        let scale = self.largest_eigenvalue() * (1.0 + w.norm_squared());
        if loss > ZERO_LOSS * scale {
            return Err(GeometryError::NoZero {
                loss,
                w: w.as_slice().to_vec(),
            });
        }
        Ok(())
    }

    fn check_rank(&self, rank: usize, w: &DVector<f64>) -> Result<(), GeometryError> {
        if self.numerical_rank() >= rank {
            return Ok(());
        }
        Err(GeometryError::RankChange {
            rank,
            smallest: self.eigenvalues[rank - 1],
            largest: self.eigenvalues[0],
            w: w.as_slice().to_vec(),
        })
    }

    /// All eigenvalues of H, or of JᵀJ/N where the loss is a sum of squares.
    fn whole<M: Model>(noisy: &NoisyLoss<M>, w: &DVector<f64>) -> Result<Self, GeometryError> {
        let Some(jacobian) = Jacobian::at(noisy.model(), w) else {
            let h = hessian(noisy, w);
            if !h.iter().all(|x| x.is_finite()) {
                return Err(not_finite("the Hessian", w));
            }
            let (eigenvalues, normal) = descending(h);
            return Ok(Self {
                normal,
                eigenvalues,
                rows: None,
            });
        };
        let finite = jacobian.transposed.iter().chain(jacobian.residuals.iter());
        if !finite.copied().all(f64::is_finite) {
            return Err(not_finite("the Jacobian of the residuals", w));
        }
        let (normal, singular_values, left) = thin_svd(&jacobian.transposed);
        let samples = jacobian.shape.samples as f64;
        Ok(Self {
            normal,
            eigenvalues: singular_values.map(|s| s * s / samples),
            rows: Some(RowSpace {
                jacobian,
                left,
                singular_values,
            }),
        })
    }

    /// How many eigenvalues, or singular values, stand out of the rounding.
    fn numerical_rank(&self) -> usize {
        let (values, tolerance) = match &self.rows {
            Some(rows) => (&rows.singular_values, SINGULAR_TOLERANCE),
            None => (&self.eigenvalues, RANK_TOLERANCE),
        };
        let stands_out = |&&x: &&f64| x > tolerance * values[0] && x > 0.0;
        values.iter().filter(stands_out).count()
    }

    /// The part of the `rank` largest eigenvalues, if there are as many.
    pub(super) fn of_rank(&self, rank: usize) -> Option<Self> {
        let mut frame = (self.eigenvalues.len() >= rank).then(|| self.clone())?;
        frame.truncate(rank);
        Some(frame)
    }

    fn truncate(&mut self, rank: usize) {
        if self.eigenvalues.len() == rank {
            return;
        }
        self.normal = self.normal.columns(0, rank).into_owned();
        self.eigenvalues = self.eigenvalues.rows(0, rank).into_owned();
        if let Some(rows) = &mut self.rows {
            rows.left = rows.left.columns(0, rank).into_owned();
            rows.singular_values = rows.singular_values.rows(0, rank).into_owned();
        }
    }

    /// P x = x − V Vᵀ x.
    pub fn tangent_part(&self, x: &DVector<f64>) -> DVector<f64> {
        x - &self.normal * self.normal.tr_mul(x)
    }

    /// H⁺ x = V Λ⁻¹ Vᵀ x.
    pub fn pseudo_inverse(&self, x: &DVector<f64>) -> DVector<f64> {
        &self.normal * self.normal.tr_mul(x).component_div(&self.eigenvalues)
    }

    /// The step of Newton's method in the normal directions: H⁺∇L, for a sum of squares J⁺r = V S⁻¹ Uᵀ r.
    fn newton_step<M: Model>(&self, noisy: &NoisyLoss<M>, w: &DVector<f64>) -> DVector<f64> {
        match &self.rows {
            None => self.pseudo_inverse(&gradient(noisy, w, &[])),
            Some(rows) => {
                let r = rows.left.tr_mul(&rows.jacobian.residuals);
                &self.normal * r.component_div(&rows.singular_values)
            }
        }
    }

    /// The same step from another point w, with J⁺ or H⁺ as they are here.
    fn chord_step<M: Model>(&self, noisy: &NoisyLoss<M>, w: &DVector<f64>) -> DVector<f64> {
        match &self.rows {
            None => self.pseudo_inverse(&gradient(noisy, w, &[])),
            Some(rows) => {
                let residuals = residuals_at(noisy.model(), w, rows.jacobian.shape);
                let r = rows.left.tr_mul(&residuals);
                &self.normal * r.component_div(&rows.singular_values)
            }
        }
    }

    /// λ_max.
    pub fn largest_eigenvalue(&self) -> f64 {
        self.eigenvalues[0]
    }

    /// The condition number of J, s₁/s_r = √(λ₁/λ_r).
    pub fn condition(&self) -> f64 {
        (self.largest_eigenvalue() / self.smallest_eigenvalue()).sqrt()
    }

    /// λ_min on the range.
    pub fn smallest_eigenvalue(&self) -> f64 {
        self.eigenvalues[self.eigenvalues.len() - 1]
    }
}

/// The eigenvalues of a symmetric matrix, descending, and their eigenvectors.
fn descending(a: DMatrix<f64>) -> (DVector<f64>, DMatrix<f64>) {
    let mut order: Vec<_> = (0..a.ncols()).collect();
    let eigen = a.symmetric_eigen();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    (
        eigen.eigenvalues.select_rows(&order),
        eigen.eigenvectors.select_columns(&order),
    )
}

fn not_finite(what: &'static str, w: &DVector<f64>) -> GeometryError {
    GeometryError::NotFinite {
        what,
        w: w.as_slice().to_vec(),
    }
}

/// The thin singular value decomposition A = V S Uᵀ of a tall matrix A (m×n): V (m×k), S, U (n×k), k = min(m, n).
///
/// By the QR decomposition first, so that the cost beyond it is that of n×n; nothing is squared.
fn thin_svd(a: &DMatrix<f64>) -> (DMatrix<f64>, DVector<f64>, DMatrix<f64>) {
    let tall = a.nrows() > a.ncols();
    let (q, r) = if tall {
        let (q, r) = a.clone().qr().unpack();
        (Some(q), r)
    } else {
        (None, a.clone())
    };
    let nalgebra::SVD {
        u,
        v_t,
        singular_values,
    } = r.svd(true, true);
    let (u, v_t) = (u.unwrap_or_default(), v_t.unwrap_or_default());
    let v = match q {
        Some(q) => q * u,
        None => u,
    };
    (v, singular_values, v_t.transpose())
}

/// The directions in which L is curved upwards at any point: the frame of the eigenvalues of H(w), or of JᵀJ/N, that are
/// positive beyond rounding; without columns where there is none.
///
/// # Errors
/// H is not finite.
pub(super) fn positive_part<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
) -> Result<Frame, GeometryError> {
    let mut frame = Frame::whole(noisy, w)?;
    frame.truncate(frame.numerical_rank());
    Ok(frame)
}

/// The rank of H at a point on Γ, or close to it.
///
/// # Errors
/// H is not finite, has no positive eigenvalue, or has full rank.
pub fn rank_on_manifold<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
) -> Result<usize, GeometryError> {
    rank(&Frame::whole(noisy, w)?, w)
}

/// The rank of H at a zero of the loss, of which H says whether it is a minimum.
///
/// # Errors
/// As [`rank_on_manifold`], and a negative eigenvalue.
pub fn rank_at_minimum<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
) -> Result<usize, GeometryError> {
    let frame = Frame::whole(noisy, w)?;
    if frame.eigenvalues.min() < -RANK_TOLERANCE * frame.eigenvalues.max() {
        return Err(saddle(&frame, w));
    }
    rank(&frame, w)
}

fn rank(frame: &Frame, w: &DVector<f64>) -> Result<usize, GeometryError> {
    let rank = frame.numerical_rank();
    if rank == w.len() {
        return Err(GeometryError::IsolatedPoint {
            rank,
            w: w.as_slice().to_vec(),
        });
    }
    if rank == 0 && frame.eigenvalues.min() < 0.0 {
        return Err(saddle(frame, w));
    }
    if rank == 0 {
        return Err(GeometryError::RankChange {
            rank: 1,
            smallest: frame.eigenvalues[0],
            largest: frame.eigenvalues[0],
            w: w.as_slice().to_vec(),
        });
    }
    Ok(rank)
}

fn saddle(frame: &Frame, w: &DVector<f64>) -> GeometryError {
    GeometryError::Saddle {
        smallest: frame.eigenvalues.min(),
        largest: frame.eigenvalues.max(),
        w: w.as_slice().to_vec(),
    }
}

/// π(w): the point of Γ that Newton's method in the normal directions reaches, w ← w − H⁺(w) ∇L(w), and its frame.
///
/// Each step lies in range(H) at the current point, so π agrees with the closest-point projection up to third order
/// in the distance: its second derivative has no tangential part on tangent inputs, as the weak order 1 of the
/// projected Euler–Maruyama scheme needs.
///
/// # Errors
/// No convergence, a loss that is not zero at the end, or a change of rank on the way.
pub fn project<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    rank: usize,
) -> Result<(DVector<f64>, Frame), GeometryError> {
    let mut point = w.clone();
    let mut remaining = f64::NAN;
    for _ in 0..PROJECTION_ITERATIONS {
        let frame = Frame::at(noisy, &point, rank)?;
        let step = frame.newton_step(noisy, &point);
        remaining = frame.largest_eigenvalue() * step.norm();
        point -= &step;
        if step.norm() <= PROJECTION_TOLERANCE * (1.0 + point.norm()) {
            return frame.check_zero(noisy, &point).map(|()| (point, frame));
        }
    }
    Err(GeometryError::NoConvergence {
        what: "the projection on the manifold",
        iterations: PROJECTION_ITERATIONS,
        gradient: remaining,
        loss: noisy.loss(point.as_slice(), &[]),
        w: w.as_slice().to_vec(),
    })
}

/// A point of Γ near w and its frame, reached in the normal directions of `from`, the frame of a point nearby: J⁺ or H⁺ of that
/// point serves for all iterations, so that a single new frame is computed, at the end.
///
/// For a tangential step from a point of Γ this is the orthographic retraction: it moves along the normal space at that point
/// alone, so that its second derivative has no tangential part on tangent inputs, as that of [`project`] (P.-A. Absil and
/// J. Malick, *Projection-like retractions on matrix manifolds*, SIAM J. Optim. 22 (2012)).
///
/// # Errors
/// As [`project`], which takes over where the iterations do not converge fast.
pub fn retract<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    from: &Frame,
    rank: usize,
) -> Result<(DVector<f64>, Frame), GeometryError> {
    let mut point = w.clone();
    let mut before = f64::INFINITY;
    for _ in 0..CHORD_ITERATIONS {
        let step = from.chord_step(noisy, &point);
        let size = step.norm();
        let rate = size / before;
        // Also where it is not a number.
        if !(rate < SLOWEST_CHORD || rate == 0.0) {
            return project(noisy, w, rank);
        }
        point -= step;
        let next = if before.is_finite() {
            rate * size
        } else {
            size
        };
        if next <= PROJECTION_TOLERANCE * (1.0 + point.norm()) {
            break;
        }
        before = size;
    }
    // Where that costs less than the whole of H; and it must be on Γ, which the steps, all of them in one plane, can't tell.
    if from.rows.is_none()
        && 2 * rank < w.len()
        && let Ok(frame) = from.carried_to(noisy, &point)
    {
        let step = frame.newton_step(noisy, &point);
        let end = &point - &step;
        let close = step.norm() <= PROJECTION_TOLERANCE * (1.0 + end.norm());
        if close && frame.check_zero(noisy, &end).is_ok() {
            return Ok((end, frame));
        }
    }
    project(noisy, &point, rank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{AnyModel, Circle, Product, Profile, Sphere, TwoProducts, Valley};
    use crate::noise::{Mechanism, Source};
    use crate::random::Law;
    use proptest::prelude::*;

    fn quiet(model: AnyModel) -> NoisyLoss<AnyModel> {
        let source = Source::new(Mechanism::Sgld, Law::Gaussian);
        NoisyLoss::new(model, vec![source]).unwrap()
    }

    proptest! {
        #[test]
        fn the_projector_is_a_projector_and_the_projection_lands_on_the_manifold_and_stays(
            near in prop::collection::vec(-0.15..0.15f64, 4),
            direction in prop::collection::vec(-1.0..1.0f64, 4),
        ) {
            for (model, base) in [
                (AnyModel::Product(Product), vec![1.6, 0.625]),
                (AnyModel::TwoProducts(TwoProducts), vec![0.8, 0.9, 0.7, 0.4]),
                (AnyModel::Circle(Circle), vec![0.6, 0.8]),
                (AnyModel::Sphere(Sphere::new(3)), vec![0.6, 0.0, 0.8]),
                (AnyModel::Valley(Valley::new(Profile::ExpSine, 1.0)), vec![0.3, 0.0]),
            ] {
                let m = base.len();
                let noisy = quiet(model);
                let w = DVector::from_fn(m, |i, _| base[i] + near[i]);
                let (on, frame) = project(&noisy, &w, 1).unwrap();
                prop_assert!(gradient(&noisy, &on, &[]).norm() < 1e-12);
                let (again, _) = project(&noisy, &on, 1).unwrap();
                prop_assert!((&again - &on).norm() < 1e-13, "π∘π = π");
                let x = DVector::from_fn(m, |i, _| direction[i]);
                let tangent = frame.tangent_part(&x);
                prop_assert!((frame.tangent_part(&tangent) - &tangent).norm() < 1e-13, "P² = P");
                prop_assert!((hessian(&noisy, &on) * &tangent).norm() < 1e-8, "P x lies in ker H");
                prop_assert!((hessian(&noisy, &on) * frame.pseudo_inverse(&x) + &tangent - &x).norm() < 1e-7, "H H⁺ + P = I");
            }
        }
    }

    /// π(w + δ) − π(w) − δ has no tangential part at second order for tangent δ, as §8 of the theory demands.
    #[test]
    fn the_second_derivative_of_the_projection_is_normal_on_tangent_inputs() {
        let noisy = quiet(AnyModel::Product(Product));
        let (w, frame) = project(&noisy, &DVector::from_vec(vec![2.0, 0.5]), 1).unwrap();
        let tangent = frame
            .tangent_part(&DVector::from_vec(vec![1.0, 0.0]))
            .normalize();
        let tangential = |size: f64| {
            let (moved, _) = project(&noisy, &(&w + &tangent * size), 1).unwrap();
            (moved - &w).dot(&tangent) - size
        };
        // Third order: halving the step divides the remainder by 8, where a second-order term would divide by 4.
        let ratio = tangential(0.02) / tangential(0.01);
        assert!((ratio - 8.0).abs() < 0.5, "ratio {ratio}");
    }

    #[test]
    fn a_retraction_moves_in_the_normal_space_of_where_it_comes_from_and_lands_on_the_manifold() {
        for (model, base, direction) in [
            (AnyModel::Product(Product), vec![2.0, 0.5], vec![0.3, 0.8]),
            (
                AnyModel::TwoProducts(TwoProducts),
                vec![0.8, 0.9, 0.7, 0.4],
                vec![0.3, -0.8, 0.2, 0.5],
            ),
            (
                AnyModel::Sphere(Sphere::new(12)),
                (0..12).map(|i| (1.0 + f64::from(i)).sin()).collect(),
                (0..12).map(|i| (0.3 + 2.0 * f64::from(i)).cos()).collect(),
            ),
        ] {
            let noisy = quiet(model);
            let (w, frame) = project(&noisy, &DVector::from_vec(base), 1).unwrap();
            let tangent = frame
                .tangent_part(&DVector::from_vec(direction))
                .normalize();
            for size in [1e-4, 0.01, 0.1] {
                let moved = &w + &tangent * size;
                let (on, there) = retract(&noisy, &moved, &frame, 1).unwrap();
                assert!(gradient(&noisy, &on, &[]).norm() < 1e-12);
                // The last Newton step is not along that space, but far below rounding of the whole.
                assert!((frame.tangent_part(&(&on - &moved))).norm() < 1e-9);
                assert!((&on - &moved).norm() > 0.01 * size * size);
                let (closest, _) = project(&noisy, &moved, 1).unwrap();
                assert!((&on - &closest).norm() < 10.0 * size.powi(3), "{size}");
                let exact = Frame::at(&noisy, &on, 1).unwrap();
                assert!((&there.eigenvalues - &exact.eigenvalues).norm() < 1e-8);
                let projectors = [there, exact].map(|f| &f.normal * f.normal.transpose());
                assert!((&projectors[0] - &projectors[1]).norm() < 1e-8);
            }
            // On a sphere the way along the normal of here may end off Γ: then Newton's method takes over.
            for i in 0..if w.len() == 12 { 400 } else { 0 } {
                let moved = &w + &tangent * (1.52 + 0.0005 * f64::from(i));
                let (on, _) = retract(&noisy, &moved, &frame, 1).unwrap();
                assert!(gradient(&noisy, &on, &[]).norm() < 1e-9);
            }
            // From a frame that has nothing to do with w, Newton's method takes over.
            let far = Frame {
                normal: DMatrix::from_columns(std::slice::from_ref(&tangent)),
                eigenvalues: DVector::from_element(1, 0.1),
                rows: None,
            };
            let moved = &w + &tangent * 0.1;
            let (on, _) = retract(&noisy, &moved, &far, 1).unwrap();
            assert!(gradient(&noisy, &on, &[]).norm() < 1e-12);
        }
    }
}
