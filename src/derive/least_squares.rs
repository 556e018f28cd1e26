//! A sum of squares L = 1/(2N) Σⱼ rⱼ² on Γ, residual by residual: all that the limit needs, in the row space of J.
//!
//! On Γ all rⱼ = 0, so that H = JᵀJ/N, and noise that enters through the residuals rⱼ(w, η) has, with R = ∂_η r (n×d),
//!
//! - G = Jᵀ R/N, which is normal to Γ, and Σ = Jᵀ K J/N² with K = R C Rᵀ (n×n);
//! - P∇Reg = (1/N) P Σ_c C_cc Σⱼ R_jc ∇R_jc (the terms rⱼ ∂²_η rⱼ of Reg have no tangential gradient on Γ);
//! - P`∂³L[M]` = (2/N) P Σⱼ ∇²rⱼ M ∇rⱼ for M in the row space of J.
//!
//! Nothing here is of size m×m but what Bernoulli DropConnect needs: one column for each mask.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use pulp::NullaryFnOnce;

use super::{Covariance, Masks, Regularizer};
use crate::models::{Injection, LeastSquares, Model};
use crate::noise::{NoisyLoss, Socket, Source};
use crate::random::Batch;
use crate::scalar::{Dual64, Scalar, run_narrow};

/// J of a sum of squares, with the residuals, at one point.
#[derive(Clone, Debug)]
pub struct Jacobian {
    /// N and q.
    pub shape: LeastSquares,
    /// Jᵀ (m×n): column j is ∇rⱼ.
    pub transposed: DMatrix<f64>,
    /// r (n).
    pub residuals: DVector<f64>,
}

/// The working space for passes over residuals.
struct Passes<'a, M, S> {
    model: &'a M,
    point: Vec<S>,
    scratch: Vec<S>,
    gradient: Vec<S>,
}

impl<'a, M: Model, S: Scalar> Passes<'a, M, S> {
    fn at(model: &'a M, w: &DVector<f64>) -> Self {
        Self {
            model,
            point: w.iter().map(|&x| S::constant(x)).collect(),
            scratch: vec![S::zero(); model.scratch()],
            gradient: vec![S::zero(); w.len()],
        }
    }

    /// rⱼ, with ∇rⱼ left in `gradient`.
    fn residual(&mut self, j: usize, units: &[S]) -> S {
        run_narrow(Pass {
            passes: self,
            j,
            units,
        })
    }
}

/// A pass compiled for the instruction set of the machine.
struct Pass<'p, 'a, M, S> {
    passes: &'p mut Passes<'a, M, S>,
    j: usize,
    units: &'p [S],
}

impl<M: Model, S: Scalar> NullaryFnOnce for Pass<'_, '_, M, S> {
    type Output = S;

    #[inline(always)]
    fn call(self) -> S {
        let Passes {
            model,
            point,
            scratch,
            gradient,
        } = self.passes;
        model.residual(self.j, point, self.units, scratch, gradient)
    }
}

impl Jacobian {
    /// J and r at w (length m), or none where the loss is not a sum of squares: n passes over one sample each.
    pub fn at<M: Model>(model: &M, w: &DVector<f64>) -> Option<Self> {
        let shape = model.least_squares()?;
        let n = shape.residuals();
        let mut passes = Passes::<M, f64>::at(model, w);
        let mut transposed = DMatrix::zeros(w.len(), n);
        let mut residuals = DVector::zeros(n);
        for (j, mut column) in transposed.column_iter_mut().enumerate() {
            residuals[j] = passes.residual(j, &[]);
            column.copy_from_slice(&passes.gradient);
        }
        Some(Self {
            shape,
            transposed,
            residuals,
        })
    }

    /// tr H = |J|²/N on Γ; off Γ its Gauss–Newton part.
    pub fn trace(&self) -> f64 {
        self.transposed.norm_squared() / self.shape.samples as f64
    }
}

/// r (n) at w.
pub(super) fn residuals_at<M: Model>(
    model: &M,
    w: &DVector<f64>,
    shape: LeastSquares,
) -> DVector<f64> {
    let mut passes = Passes::<M, f64>::at(model, w);
    DVector::from_fn(shape.residuals(), |j, _| passes.residual(j, &[]))
}

/// Σⱼ ∇²rⱼ dⱼ for the columns dⱼ of `directions` (m×n): n dual passes over one sample each.
fn hessian_vectors<M: Model>(
    model: &M,
    w: &DVector<f64>,
    directions: &DMatrix<f64>,
) -> DVector<f64> {
    let mut passes = Passes::<M, Dual64>::at(model, w);
    let mut total = DVector::zeros(w.len());
    for (j, direction) in directions.column_iter().enumerate() {
        for (x, &dx) in passes.point.iter_mut().zip(direction.iter()) {
            x.eps = dx;
        }
        passes.residual(j, &[]);
        for (sum, g) in total.iter_mut().zip(&passes.gradient) {
            *sum += g.eps;
        }
    }
    total
}

/// (2/N) Σⱼ ∇²rⱼ dⱼ with dⱼ = M∇rⱼ (m×n), which is `∂³L[M]` on Γ but for a part normal to Γ.
pub(super) fn third_derivative_of_square<M: Model>(
    model: &M,
    w: &DVector<f64>,
    shape: LeastSquares,
    directions: &DMatrix<f64>,
) -> DVector<f64> {
    hessian_vectors(model, w, directions) * (2.0 / shape.samples as f64)
}

/// R (n×U): R_ju = ∂_{η_u} rⱼ = (1/L) Σᵢ wᵢ ∂ᵢrⱼ over the parameters i that scale unit u.
fn unit_derivatives<M: Model>(model: &M, w: &DVector<f64>, jacobian: &Jacobian) -> DMatrix<f64> {
    let (unit_of, degree) = model.scaled_units();
    let mut r = DMatrix::zeros(jacobian.shape.residuals(), model.sockets().units);
    for (j, gradient) in jacobian.transposed.column_iter().enumerate() {
        for ((unit, x), g) in unit_of.iter().zip(w.iter()).zip(gradient.iter()) {
            if let Some(u) = unit {
                r[(j, *u)] += x * g / degree as f64;
            }
        }
    }
    r
}

/// R (n×d): R_jc = ∂rⱼ/∂η_c of the noises that a formula names.
fn formula_derivatives<M: Model>(model: &M, w: &DVector<f64>, jacobian: &Jacobian) -> DMatrix<f64> {
    let d = model.sockets().formula;
    let mut slopes = vec![0.0; d];
    let mut r = DMatrix::zeros(jacobian.shape.residuals(), d);
    for (j, mut row) in r.row_iter_mut().enumerate() {
        model.residual_noise(j, w.as_slice(), &mut slopes);
        for (entry, &slope) in row.iter_mut().zip(&slopes) {
            *entry = slope;
        }
    }
    r
}

/// Σⱼᵤ R_ju ∇R_ju: for each residual one dual pass with the units, or the noises of a formula, moved in the direction R_j.
fn regularization_of<M: Model>(model: &M, w: &DVector<f64>, r: &DMatrix<f64>) -> DVector<f64> {
    let mut passes = Passes::<M, Dual64>::at(model, w);
    let mut total = DVector::zeros(w.len());
    for (j, row) in r.row_iter().enumerate() {
        let units: Vec<_> = row.iter().map(|&x| Dual64::new(0.0, x)).collect();
        passes.residual(j, &units);
        for (sum, g) in total.iter_mut().zip(&passes.gradient) {
            *sum += g.eps;
        }
    }
    total
}

/// Where the noise of a source is a mask that jumps: Σ_c over full masks of coordinate c.
struct Jumps<'a, M> {
    noisy: &'a NoisyLoss<M>,
    w: &'a DVector<f64>,
    quiet: DVector<f64>,
    quiet_loss: f64,
}

impl<M: Model> Jumps<'_, M> {
    /// L̂(w, −e_c) − L(w) and its gradient, for each coordinate c of a source.
    fn each(
        &self,
        source: Source,
        part: std::ops::Range<usize>,
        mut visit: impl FnMut(f64, DVector<f64>),
    ) {
        if source.per_sample {
            return self.each_of_samples(&mut visit);
        }
        let mut eta = vec![0.0; self.noisy.noise_dimension()];
        let mut gradient = DVector::zeros(self.w.len());
        for c in part {
            eta[c] = -1.0;
            let w = self.w.as_slice();
            self.noisy.gradient(w, &eta, gradient.as_mut_slice());
            let loss = self.noisy.loss(w, &eta);
            eta[c] = 0.0;
            visit(loss - self.quiet_loss, &gradient - &self.quiet);
        }
    }

    /// A mask of one unit for one sample changes the loss of that sample only.
    fn each_of_samples(&self, visit: &mut impl FnMut(f64, DVector<f64>)) {
        let model = self.noisy.model();
        let Some(shape) = model.least_squares() else {
            return;
        };
        let count = model.sockets().units;
        let mut passes = Passes::<M, f64>::at(model, self.w);
        let mut of_sample = |i: usize, units: &[f64]| {
            let mut loss = 0.0;
            let mut gradient = DVector::zeros(self.w.len());
            for j in i * shape.outputs..(i + 1) * shape.outputs {
                let residual = passes.residual(j, units);
                loss += residual.powi(2) / (2.0 * shape.samples as f64);
                for (sum, &g) in gradient.iter_mut().zip(&passes.gradient) {
                    *sum += residual * g / shape.samples as f64;
                }
            }
            (loss, gradient)
        };
        let mut units = vec![0.0; count];
        for i in 0..shape.samples {
            let (quiet_loss, quiet) = of_sample(i, &[]);
            for u in 0..count {
                units[u] = -1.0;
                let (loss, gradient) = of_sample(i, &units);
                units[u] = 0.0;
                visit(loss - quiet_loss, gradient - &quiet);
            }
        }
    }
}

fn jumps<'a, M: Model>(noisy: &'a NoisyLoss<M>, w: &'a DVector<f64>) -> Jumps<'a, M> {
    let mut quiet = DVector::zeros(w.len());
    noisy.gradient(w.as_slice(), &[], quiet.as_mut_slice());
    let quiet_loss = noisy.model().loss(w.as_slice(), &Injection::NONE);
    Jumps {
        noisy,
        w,
        quiet,
        quiet_loss,
    }
}

/// By which factor the mean square of the residuals grows in a step of gradient descent with real minibatches near Γ.
///
/// r ← (I − αA D) r with A = JJᵀ/N and D = diag(1 + η_i): E r rᵀ = S becomes S − α(AS + SA) + α² A(S ∘ (11ᵀ + C))A. The
/// factor is the largest eigenvalue of this map of symmetric matrices, by power iteration (from below); beyond 1 paths diverge.
pub fn minibatch_growth(jacobian: &Jacobian, batch: Batch, step_size: f64) -> f64 {
    const STEPS: usize = 200;
    let (n, q) = (jacobian.shape.residuals(), jacobian.shape.outputs);
    let columns = &jacobian.transposed;
    let a = columns.tr_mul(columns) * (step_size / jacobian.shape.samples as f64);
    let c = batch.covariance(jacobian.shape.samples);
    let weights = DMatrix::from_fn(n, n, |i, j| 1.0 + c[(i / q, j / q)]);
    // In Z = A^{−½} S A^{−½} the map is self-adjoint: ‖Z'‖/‖Z‖ increases to the growth and never exceeds it.
    let eigen = SymmetricEigen::new(a.clone());
    let roots = eigen.eigenvalues.map(|value| value.max(0.0).sqrt());
    let root =
        &eigen.eigenvectors * DMatrix::from_diagonal(&roots) * eigen.eigenvectors.transpose();
    let mut z = a.clone();
    let mut growth = 0.0;
    for _ in 0..STEPS {
        let norm = z.norm();
        if norm == 0.0 {
            return 0.0;
        }
        z /= norm;
        let mixed = &a * &z;
        let noisy = (&root * &z * &root).component_mul(&weights);
        z = &z - &mixed - mixed.transpose() + &root * noisy * &root;
        // What is not symmetric is rounding, and this map would make it grow.
        z = (&z + z.transpose()) * 0.5;
        growth = z.norm();
    }
    growth
}

/// ∇Reg at w ∈ Γ but for parts normal to Γ, in units of σ². Real minibatches leave it as it is: L̂ is linear in the weights.
pub(super) fn regularizer_gradient<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    jacobian: &Jacobian,
    masks: Masks,
) -> Regularizer {
    let (model, shape) = (noisy.model(), jacobian.shape);
    let share = 1.0 / shape.samples as f64;
    let columns = &jacobian.transposed;
    let mut sum = Regularizer {
        gradient: DVector::zeros(w.len()),
        scale: 0.0,
    };
    for (source, part) in noisy.parts() {
        let square = source.scale.powi(2);
        match source.mechanism.socket() {
            Socket::SampleWeights | Socket::Labels | Socket::GradientAdded => (),
            _ if masks.jumps(source) => {
                jumps(noisy, w).each(source, part, |_, gradient| sum.add(gradient, square));
            }
            Socket::ParametersAdded => {
                sum.add(hessian_vectors(model, w, columns), share * square);
            }
            Socket::ParametersMultiplied => {
                let squares = w.component_mul(w);
                let mut scaled = columns.clone();
                let mut direct = DVector::zeros(w.len());
                for mut column in scaled.column_iter_mut() {
                    direct += column.component_mul(&column);
                    column.component_mul_assign(&squares);
                }
                sum.add(direct.component_mul(w), share * square);
                sum.add(hessian_vectors(model, w, &scaled), share * square);
            }
            Socket::Units => {
                let r = unit_derivatives(model, w, jacobian);
                sum.add(regularization_of(model, w, &r), share * square);
            }
            Socket::Formula => {
                let r = formula_derivatives(model, w, jacobian);
                sum.add(regularization_of(model, w, &r), share * square);
            }
        }
    }
    sum
}

/// Reg at w ∈ Γ in units of σ²: 1/(2N) Σ_c Σⱼ R_jc², and Σ_c [L̂(w, −e_c) − L(w)] for masks that jump.
pub(super) fn regularizer_value<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    jacobian: &Jacobian,
    masks: Masks,
) -> f64 {
    let half = 0.5 / jacobian.shape.samples as f64;
    let columns = &jacobian.transposed;
    let mut total = 0.0;
    for (source, part) in noisy.parts() {
        let mut value = 0.0;
        match source.mechanism.socket() {
            Socket::SampleWeights | Socket::GradientAdded => (),
            _ if masks.jumps(source) => {
                jumps(noisy, w).each(source, part, |loss, _| value += loss);
            }
            Socket::Labels => value = half * jacobian.shape.residuals() as f64,
            Socket::ParametersAdded => value = half * columns.norm_squared(),
            Socket::ParametersMultiplied => {
                let scaled = columns.column_iter().map(|c| c.component_mul(w));
                value = half * scaled.map(|c| c.norm_squared()).sum::<f64>();
            }
            Socket::Units => {
                value = half * unit_derivatives(noisy.model(), w, jacobian).norm_squared();
            }
            Socket::Formula => {
                value = half * formula_derivatives(noisy.model(), w, jacobian).norm_squared();
            }
        }
        total += source.scale.powi(2) * value;
    }
    total
}

/// Σ at w ∈ Γ in units of σ²: K of the residuals, the isotropic part of SGLD, and a column for each mask that jumps.
///
/// With real minibatches of weights 1 + η_i, the noise of the residuals is multiplied by them in the same step:
/// K_jj′ becomes K_jj′ (1 + C_ii′) with the covariance C of the weights, i and i′ being the samples of j and j′.
pub(super) fn covariance<M: Model>(
    noisy: &NoisyLoss<M>,
    w: &DVector<f64>,
    jacobian: &Jacobian,
    masks: Masks,
) -> Covariance {
    let (model, shape) = (noisy.model(), jacobian.shape);
    let n = shape.residuals();
    let columns = &jacobian.transposed;
    let mut k = DMatrix::zeros(n, n);
    let mut isotropic = 0.0;
    let mut jumped: Vec<DVector<f64>> = Vec::new();
    for (source, part) in noisy.parts() {
        let square = source.scale.powi(2);
        match source.mechanism.socket() {
            // On Γ the samples' own gradients vanish, whatever their weights are.
            Socket::SampleWeights => (),
            Socket::GradientAdded => isotropic += square,
            _ if masks.jumps(source) => jumps(noisy, w).each(source, part, |_, gradient| {
                jumped.push(gradient * source.scale);
            }),
            Socket::Labels => k += DMatrix::identity(n, n) * square,
            Socket::ParametersAdded => k += columns.tr_mul(columns) * square,
            Socket::ParametersMultiplied => {
                let mut scaled = columns.clone();
                for mut column in scaled.column_iter_mut() {
                    column.component_mul_assign(w);
                }
                k += scaled.tr_mul(&scaled) * square;
            }
            Socket::Formula => {
                let r = formula_derivatives(model, w, jacobian);
                k += &r * r.transpose() * square;
            }
            Socket::Units => {
                let r = unit_derivatives(model, w, jacobian);
                let mut shared = &r * r.transpose() * square;
                if source.per_sample {
                    let same = |j: usize, other: usize| j / shape.outputs == other / shape.outputs;
                    shared = DMatrix::from_fn(n, n, |j, other| {
                        if same(j, other) {
                            shared[(j, other)]
                        } else {
                            0.0
                        }
                    });
                }
                k += shared;
            }
        }
    }
    if let Some(batch) = noisy.batch() {
        let c = batch.covariance(shape.samples);
        let q = shape.outputs;
        k = DMatrix::from_fn(n, n, |j, other| {
            k[(j, other)] * (1.0 + c[(j / q, other / q)])
        });
    }
    let columns = if jumped.is_empty() {
        DMatrix::zeros(w.len(), 0)
    } else {
        DMatrix::from_columns(&jumped)
    };
    Covariance {
        residual: Some(k),
        columns,
        isotropic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Sampling;

    /// Two orthogonal residuals of |∇r|² = 2: the one that is chosen shrinks by 1 − 2α, so E r² by ½ + ½(1 − 2α)².
    #[test]
    fn the_growth_with_batches_of_one_is_the_mean_over_the_choice() {
        let root = 2f64.sqrt();
        let jacobian = Jacobian {
            shape: LeastSquares {
                samples: 2,
                outputs: 1,
            },
            transposed: DMatrix::from_row_slice(3, 2, &[root, 0.0, 0.0, root, 0.0, 0.0]),
            residuals: DVector::zeros(2),
        };
        for (size, sampling) in [
            (1, Sampling::WithoutReplacement),
            (1, Sampling::WithReplacement),
        ] {
            let batch = Batch { size, sampling };
            for alpha in [0.3, 0.9, 1.2] {
                let expected = 0.5 + 0.5 * (1.0f64 - 2.0 * alpha).powi(2);
                let found = minibatch_growth(&jacobian, batch, alpha);
                assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            }
        }
        // The full batch is stable up to α·λ_max = 2.
        let batch = Batch {
            size: 2,
            sampling: Sampling::WithoutReplacement,
        };
        assert!(minibatch_growth(&jacobian, batch, 1.9) < 1.0);
        assert!(minibatch_growth(&jacobian, batch, 2.1) > 1.0);
    }

    /// Residuals that share directions: the mean over all batches of (I − αAD) ⊗ (I − αAD), by its own power iteration.
    #[test]
    fn the_growth_is_the_mean_over_all_batches_for_coupled_residuals() {
        let n = 6;
        let transposed = DMatrix::from_fn(9, n, |i, j| {
            ((3 * i + 5 * j) as f64).sin() + if i == j { 1.0 } else { 0.0 }
        });
        let gram = transposed.tr_mul(&transposed) / n as f64;
        let largest = gram.symmetric_eigenvalues().max();
        let jacobian = Jacobian {
            shape: LeastSquares {
                samples: n,
                outputs: 1,
            },
            transposed,
            residuals: DVector::zeros(n),
        };
        let mut beyond = 0;
        for size in [1, 2, n] {
            let batch = Batch {
                size,
                sampling: Sampling::WithoutReplacement,
            };
            let subsets: Vec<u32> = (0..1u32 << n)
                .filter(|subset| subset.count_ones() as usize == size)
                .collect();
            for reach in [0.1, 0.5, 1.7] {
                let alpha = reach / largest;
                let mut mean = DMatrix::zeros(n * n, n * n);
                for subset in &subsets {
                    let weights = DVector::from_fn(n, |i, _| {
                        f64::from(subset >> i & 1) * n as f64 / size as f64
                    });
                    let step =
                        DMatrix::identity(n, n) - alpha * &gram * DMatrix::from_diagonal(&weights);
                    mean += step.kronecker(&step) / subsets.len() as f64;
                }
                // Started from the identity, all that is reached is symmetric and positive.
                let mut vector =
                    DVector::from_column_slice(DMatrix::<f64>::identity(n, n).as_slice());
                let mut expected = 0.0;
                for _ in 0..2000 {
                    let matrix = DMatrix::from_column_slice(n, n, vector.as_slice());
                    let symmetric = (&matrix + matrix.transpose()) * 0.5;
                    let scale = symmetric.norm();
                    vector = &mean * DVector::from_column_slice((symmetric / scale).as_slice());
                    expected = vector.norm();
                }
                let found = minibatch_growth(&jacobian, batch, alpha);
                // From below; close where the slowest direction does not matter, that is, beyond the edge.
                assert!(found < expected * (1.0 + 1e-9), "{found} {expected}");
                assert_eq!(
                    found > 1.0,
                    expected > 1.0,
                    "B = {size}, α·λ_max = {reach}: {found} {expected}"
                );
                if found > 1.0 {
                    assert!((found / expected - 1.0).abs() < 1e-6, "{found} {expected}");
                    beyond += 1;
                }
                if size == n {
                    assert!(found < 1.0, "{found}");
                }
            }
        }
        assert!(beyond > 0);
    }
}
