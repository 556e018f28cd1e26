//! One step of the limit for eight paths at once: what [`LimitProcess`] does for one, without allocation or branches on a path.

use super::algebra::{
    Mask, Matrix, Vector, add_scaled, any, dot, eigen, greater, norm, not, select, sqrt,
};
use crate::derive::{
    Duals, HyperDual, PROJECTION_ITERATIONS, PROJECTION_TOLERANCE, RANK_TOLERANCE, TANGENTIAL,
    ZERO_LOSS,
};
use crate::limit::{Faults, LimitProcess};
use crate::models::{Injection, Model};
use crate::noise::{Plugs, Socket};
use crate::scalar::{Lanes, Scalar};

/// The range of H at eight points: V and Λ, of which the first `rank` columns and entries count.
#[derive(Clone, Copy)]
pub(super) struct Range<const D: usize> {
    pub normal: Matrix<D>,
    pub eigenvalues: Vector<D>,
}

/// One coordinate of the noise that is not simply added to the gradient.
#[derive(Clone, Copy)]
struct Coordinate {
    socket: Socket,
    /// Number within its source, and how many that has.
    number: usize,
    size: usize,
    scale: f64,
    /// Whether it enters by the difference over a full mask.
    jumps: bool,
}

/// The equation of the limit of a model with up to D parameters.
pub(super) struct Equation<'a, M, const D: usize> {
    model: &'a M,
    m: usize,
    rank: usize,
    faults: Faults,
    coordinates: Vec<Coordinate>,
    /// s² of the noise added to the gradient.
    isotropic: f64,
}

/// Where eight paths are.
pub(super) struct Points<const D: usize> {
    pub w: Vector<D>,
    pub range: Range<D>,
    /// The paths that can't be continued.
    pub failed: Mask,
}

/// Working space of a step.
pub(super) struct Work<const D: usize> {
    eta: Vec<Lanes>,
    dual_eta: Vec<Duals<Lanes, 1>>,
    /// G, and its tangential part.
    columns: Vec<Vector<D>>,
    tangential: Vec<Vector<D>>,
    /// Where a column is not normal to Γ.
    pub kept: Vec<Mask>,
    /// Normal numbers, first those of the columns, then those of the isotropic part.
    pub normals: Vec<Lanes>,
}

/// How a step is taken.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// Δt of the step and its square root.
    pub time: f64,
    pub root: f64,
    /// The α of the limit corrected for a finite step size.
    pub step_size: f64,
}

impl<'a, M: Model, const D: usize> Equation<'a, M, D> {
    /// The equation of `process`, whose model is `model`.
    pub(super) fn new<N: Model>(model: &'a M, process: &LimitProcess<N>) -> Self {
        let mut coordinates = Vec::new();
        let mut isotropic = 0.0;
        for (source, part) in process.noisy.parts() {
            let socket = source.mechanism.socket();
            if socket == Socket::GradientAdded {
                isotropic += source.scale.powi(2);
                continue;
            }
            let size = part.len();
            coordinates.extend((0..size).map(|number| Coordinate {
                socket,
                number,
                size,
                scale: source.scale,
                jumps: process.faults.masks.jumps(source),
            }));
        }
        Self {
            model,
            m: model.dimension(),
            rank: process.rank,
            faults: process.faults,
            coordinates,
            isotropic,
        }
    }

    pub(super) fn work(&self) -> Work<D> {
        let largest = self.coordinates.iter().map(|c| c.size).max().unwrap_or(0);
        let columns = self.coordinates.len();
        let zero = [Lanes::zero(); D];
        Work {
            eta: vec![Lanes::zero(); largest],
            dual_eta: vec![Duals::zero(); largest],
            columns: vec![zero; columns],
            tangential: vec![zero; columns],
            kept: vec![Lanes::zero(); columns],
            normals: vec![Lanes::zero(); columns + self.isotropic_normals()],
        }
    }

    /// How many normal numbers the isotropic part takes.
    fn isotropic_normals(&self) -> usize {
        let size = self.isotropic * self.faults.diffusion_scale;
        if size == 0.0 { 0 } else { self.m }
    }

    /// m; known at compile time where D = 2, there being no manifold in one dimension.
    #[inline(always)]
    fn dimension(&self) -> usize {
        if D == 2 { 2 } else { self.m.min(D) }
    }

    #[inline(always)]
    fn rank(&self) -> usize {
        self.rank.min(D)
    }

    /// ∇L̂(w, η) with η in one socket.
    #[inline(always)]
    fn gradient<S: Scalar>(&self, w: &[S; D], noise: Option<(Socket, &[S])>) -> [S; D] {
        let m = self.dimension();
        let mut gradient = [S::zero(); D];
        let Some((socket, eta)) = noise else {
            self.model
                .gradient(&w[..m], &Injection::NONE, &mut [], &mut gradient[..m]);
            return gradient;
        };
        let mut plugs = Plugs::NONE;
        plugs.plug(socket, eta);
        let mut moved = *w;
        plugs.perturb(&mut moved[..m]);
        self.model
            .gradient(&moved[..m], &plugs.injection, &mut [], &mut gradient[..m]);
        plugs.finish(&mut gradient[..m]);
        gradient
    }

    /// `∂³L(w)[a, b]`.
    #[inline(always)]
    fn third_derivative(&self, w: &Vector<D>, a: &Vector<D>, b: &Vector<D>) -> Vector<D> {
        let point: [_; D] = std::array::from_fn(|i| HyperDual::along(w[i], a[i], b[i]));
        self.gradient(&point, None).map(|g| g.eps1eps2)
    }

    /// x − V Vᵀ x.
    #[inline(always)]
    fn tangent_part(&self, range: &Range<D>, x: &Vector<D>) -> Vector<D> {
        let mut tangent = *x;
        for normal in &range.normal[..self.rank()] {
            let along = dot(self.dimension(), normal, x);
            add_scaled(self.dimension(), &mut tangent, -along, normal);
        }
        tangent
    }

    /// V Λ⁻¹ Vᵀ x.
    #[inline(always)]
    fn pseudo_inverse(&self, range: &Range<D>, x: &Vector<D>) -> Vector<D> {
        let mut solved = [Lanes::zero(); D];
        for (normal, &eigenvalue) in range.normal[..self.rank()].iter().zip(&range.eigenvalues) {
            let along = dot(self.dimension(), normal, x) / eigenvalue;
            add_scaled(self.dimension(), &mut solved, along, normal);
        }
        solved
    }

    /// ∇L, the range of H, and where H has the rank that it should have.
    #[inline(always)]
    fn range_at(&self, w: &Vector<D>) -> (Vector<D>, Range<D>, Mask) {
        let (m, rank) = (self.dimension(), self.rank());
        let point: [Duals<Lanes, D>; D] = std::array::from_fn(|i| {
            let mut x = Duals::of(w[i]);
            x.eps[i] = Lanes::one();
            x
        });
        let gradient = self.gradient(&point, None);
        let mut hessian = [[Lanes::zero(); D]; D];
        let half = Lanes::constant(0.5);
        for i in 0..m {
            for j in 0..m {
                hessian[i][j] = half * (gradient[i].eps[j] + gradient[j].eps[i]);
            }
        }
        let (eigenvalues, normal) = eigen(m, rank, &mut hessian);
        let smallest = eigenvalues[rank - 1];
        let least = Lanes::constant(RANK_TOLERANCE) * eigenvalues[0];
        let whole = greater(smallest, least) * greater(smallest, Lanes::zero());
        let range = Range {
            normal,
            eigenvalues,
        };
        (gradient.map(|g| g.re), range, whole)
    }

    /// Sets the columns of G.
    #[inline(always)]
    fn columns(&self, w: &Vector<D>, work: &mut Work<D>) {
        if self.coordinates.is_empty() {
            return;
        }
        let quiet = self.gradient(w, None);
        for (column, at) in work.columns.iter_mut().zip(&self.coordinates) {
            let scale = Lanes::constant(at.scale);
            *column = if at.jumps {
                work.eta[at.number] = Lanes::constant(-1.0);
                let masked = self.gradient(w, Some((at.socket, &work.eta[..at.size])));
                work.eta[at.number] = Lanes::zero();
                std::array::from_fn(|i| (masked[i] - quiet[i]) * scale)
            } else {
                work.dual_eta[at.number].eps = [Lanes::one()];
                let eta = &work.dual_eta[..at.size];
                let moved = self.gradient(&w.map(Duals::of), Some((at.socket, eta)));
                work.dual_eta[at.number].eps = [Lanes::zero()];
                moved.map(|g| g.eps[0] * scale)
            };
        }
    }

    /// The tangential part of ½∂²Φ[Σ]: mixed + normal regularisation, with α > 0 that of a finite step size.
    #[inline(always)]
    fn drift(&self, points: &Points<D>, work: &Work<D>, step_size: f64) -> Vector<D> {
        let (m, rank) = (self.dimension(), self.rank());
        let (w, range) = (&points.w, &points.range);
        let mut total = [Lanes::zero(); D];
        for (column, (tangential, &kept)) in work
            .columns
            .iter()
            .zip(work.tangential.iter().zip(&work.kept))
        {
            if any(kept) {
                let normal = self.pseudo_inverse(range, column);
                let along = tangential.map(|x| select(kept, x, Lanes::zero()));
                let mixed = self.third_derivative(w, &normal, &along);
                add_scaled(m, &mut total, Lanes::one(), &mixed);
            }
        }
        let half = Lanes::constant(0.5);
        let alpha = Lanes::constant(step_size);
        for i in 0..rank {
            // V X e_i with X_ij = S_ij/(λ_i + λ_j − αλ_iλ_j), S = VᵀΣV.
            let mut along = [Lanes::zero(); D];
            for j in 0..rank {
                let mut s = Lanes::constant(if i == j { self.isotropic } else { 0.0 });
                for column in &work.columns {
                    let at = [i, j].map(|k| dot(m, &range.normal[k], column));
                    s = at[0].mul_add(at[1], s);
                }
                let (a, b) = (range.eigenvalues[i], range.eigenvalues[j]);
                add_scaled(m, &mut along, s / (a + b - alpha * a * b), &range.normal[j]);
            }
            let normal = self.third_derivative(w, &range.normal[i], &along);
            add_scaled(m, &mut total, half, &normal);
        }
        self.tangent_part(range, &total).map(|x| -x)
    }

    /// Sets `work` for a step from `points`: the columns of the noise and which of them take a normal number.
    #[inline(always)]
    pub(super) fn prepare(&self, points: &Points<D>, work: &mut Work<D>) {
        self.columns(&points.w, work);
        let m = self.dimension();
        let columns = work.columns.iter().zip(&mut work.tangential);
        for ((column, tangential), kept) in columns.zip(&mut work.kept) {
            *tangential = self.tangent_part(&points.range, column);
            let least = Lanes::constant(TANGENTIAL) * norm(m, column);
            *kept = greater(norm(m, tangential), least);
        }
    }

    /// W′ = π(W + b Δt + B √Δt ξ), with ξ in `work`, for the paths that have not failed.
    #[inline(always)]
    pub(super) fn step(&self, points: &mut Points<D>, work: &Work<D>, step: Step) {
        let m = self.dimension();
        let mut moved = points.w;
        if self.faults.ito_correction {
            let stein = if self.faults.lyapunov {
                0.0
            } else {
                step.step_size
            };
            let drift = self.drift(points, work, stein);
            let time = Lanes::constant(step.time * self.faults.drift_scale);
            add_scaled(m, &mut moved, time, &drift);
        }
        let root = Lanes::constant(step.root * self.faults.diffusion_scale);
        let (along, all) = work.normals.split_at(work.kept.len());
        for (column, (&kept, &xi)) in work.tangential.iter().zip(work.kept.iter().zip(along)) {
            let size = select(kept, xi, Lanes::zero());
            add_scaled(m, &mut moved, root * size, column);
        }
        if !all.is_empty() {
            let mut xi = [Lanes::zero(); D];
            xi[..m].copy_from_slice(&all[..m]);
            let shock = self.tangent_part(&points.range, &xi);
            let size = root * Lanes::constant(self.isotropic.sqrt());
            add_scaled(m, &mut moved, size, &shock);
        }
        if self.faults.projection {
            self.project(points, moved);
        } else {
            let (_, range, whole) = self.range_at(&moved);
            let goes_on = not(points.failed) * whole;
            points.failed = not(goes_on);
            points.move_to(&moved, &range, goes_on);
        }
    }

    /// π by Newton steps in the normal directions; a lane that is there stays as it is while the others go on.
    #[inline(always)]
    fn project(&self, points: &mut Points<D>, moved: Vector<D>) {
        let m = self.dimension();
        let one = Lanes::one();
        let mut active = not(points.failed);
        for (old, new) in points.w.iter_mut().zip(moved) {
            *old = select(active, new, *old);
        }
        for _ in 0..PROJECTION_ITERATIONS {
            let (gradient, range, whole) = self.range_at(&points.w);
            points.failed = points.failed + active * not(whole);
            active = active * whole;
            let step = self.pseudo_inverse(&range, &gradient);
            let landed: Vector<D> = std::array::from_fn(|i| points.w[i] - step[i]);
            points.move_to(&landed, &range, active);
            let close = Lanes::constant(PROJECTION_TOLERANCE) * (one + norm(m, &landed));
            // Not "close ≥ step": a step that is not a number must not end the search.
            let there = not(greater(norm(m, &step), close)) * is_number(norm(m, &step));
            active = active * not(there);
            if !any(active) {
                break;
            }
        }
        let loss = self.model.loss(&points.w[..m], &Injection::NONE);
        let size = one + dot(m, &points.w, &points.w);
        let scale = points.range.eigenvalues[0] * size;
        let zero = not(greater(loss, Lanes::constant(ZERO_LOSS) * scale)) * is_number(loss);
        let bad = points.failed + active + not(zero);
        points.failed = greater(bad, Lanes::zero());
    }
}

impl<const D: usize> Points<D> {
    #[inline(always)]
    fn move_to(&mut self, w: &Vector<D>, range: &Range<D>, active: Mask) {
        for (old, &new) in self.w.iter_mut().zip(w) {
            *old = select(active, new, *old);
        }
        let old = &mut self.range;
        for (old, &new) in old.eigenvalues.iter_mut().zip(&range.eigenvalues) {
            *old = select(active, new, *old);
        }
        for (old, new) in old.normal.iter_mut().zip(&range.normal) {
            for (old, &new) in old.iter_mut().zip(new) {
                *old = select(active, new, *old);
            }
        }
    }
}

/// Where x is finite.
#[inline(always)]
fn is_number(x: Lanes) -> Mask {
    greater(Lanes::constant(f64::INFINITY), sqrt(x * x))
}
