//! Linear algebra of eight small matrices at once, without branches on a lane: a lane's result does not depend on the others.

use crate::scalar::{LANES, Lanes, Scalar};

/// 1 in the lanes where something holds, 0 in the others.
pub(super) type Mask = Lanes;
/// Up to D numbers of each lane.
pub(super) type Vector<const D: usize> = [Lanes; D];
/// Columns of up to D numbers.
pub(super) type Matrix<const D: usize> = [Vector<D>; D];

/// Sweeps of Jacobi rotations at most; three to six suffice.
const SWEEPS: usize = 30;
/// What is off the diagonal counts as zero below this share of what is on it.
const NEGLIGIBLE: f64 = 1e-18;

/// `yes` where the mask is set, else `no`.
#[inline(always)]
pub(super) fn select(mask: Mask, yes: Lanes, no: Lanes) -> Lanes {
    Lanes(std::array::from_fn(|lane| {
        if mask.0[lane] != 0.0 {
            yes.0[lane]
        } else {
            no.0[lane]
        }
    }))
}

/// a > b; false where one is not a number.
#[inline(always)]
pub(super) fn greater(a: Lanes, b: Lanes) -> Mask {
    Lanes(std::array::from_fn(|lane| {
        if a.0[lane] > b.0[lane] { 1.0 } else { 0.0 }
    }))
}

/// Not.
#[inline(always)]
pub(super) fn not(mask: Mask) -> Mask {
    Lanes::one() - mask
}

/// Whether the mask is set anywhere.
#[inline(always)]
pub(super) fn any(mask: Mask) -> bool {
    let mut found = false;
    for lane in 0..LANES {
        found |= mask.0[lane] != 0.0;
    }
    found
}

#[inline(always)]
pub(super) fn sqrt(x: Lanes) -> Lanes {
    Lanes(std::array::from_fn(|lane| x.0[lane].sqrt()))
}

#[inline(always)]
pub(super) fn abs(x: Lanes) -> Lanes {
    Lanes(std::array::from_fn(|lane| x.0[lane].abs()))
}

/// ⟨a, b⟩ of the first m entries.
#[inline(always)]
pub(super) fn dot<const D: usize>(m: usize, a: &Vector<D>, b: &Vector<D>) -> Lanes {
    let mut sum = Lanes::zero();
    for i in 0..m.min(D) {
        sum = a[i].mul_add(b[i], sum);
    }
    sum
}

/// |a| of the first m entries.
#[inline(always)]
pub(super) fn norm<const D: usize>(m: usize, a: &Vector<D>) -> Lanes {
    sqrt(dot(m, a, a))
}

/// y ← y + c·x.
#[inline(always)]
pub(super) fn add_scaled<const D: usize>(m: usize, y: &mut Vector<D>, c: Lanes, x: &Vector<D>) {
    for i in 0..m.min(D) {
        y[i] = c.mul_add(x[i], y[i]);
    }
}

/// The `rank` largest eigenvalues of a symmetric matrix A (m×m, which is used up), descending, and their eigenvectors.
///
/// Cyclic Jacobi rotations: what is negligible in a lane is not rotated there, so that a lane that is done stays as it is.
#[expect(
    clippy::needless_range_loop,
    reason = "both numbers name rows and columns"
)]
#[inline(always)]
pub(super) fn eigen<const D: usize>(
    m: usize,
    rank: usize,
    a: &mut Matrix<D>,
) -> (Vector<D>, Matrix<D>) {
    let (m, rank) = (m.min(D), rank.min(D));
    let mut vectors = [[Lanes::zero(); D]; D];
    let mut scale = Lanes::zero();
    for i in 0..m {
        vectors[i][i] = Lanes::one();
        scale = scale + abs(a[i][i]);
        for j in 0..i {
            scale = scale + abs(a[i][j]);
        }
    }
    let tiny = Lanes::constant(NEGLIGIBLE) * scale;
    for _ in 0..SWEEPS {
        for p in 0..m {
            for q in p + 1..m {
                rotate(m, a, &mut vectors, (p, q), tiny);
            }
        }
        let mut left = Lanes::zero();
        for p in 0..m {
            for q in p + 1..m {
                left = left + greater(abs(a[p][q]), tiny);
            }
        }
        if !any(left) {
            break;
        }
    }
    let mut values = [Lanes::zero(); D];
    for i in 0..m {
        values[i] = a[i][i];
    }
    for i in 0..rank {
        for j in i + 1..m {
            let swap = greater(values[j], values[i]);
            exchange(swap, &mut values, i, j);
            for k in 0..m {
                let (first, second) = (vectors[i][k], vectors[j][k]);
                vectors[i][k] = select(swap, second, first);
                vectors[j][k] = select(swap, first, second);
            }
        }
    }
    (values, vectors)
}

#[inline(always)]
fn exchange<const D: usize>(swap: Mask, x: &mut Vector<D>, i: usize, j: usize) {
    let (first, second) = (x[i], x[j]);
    x[i] = select(swap, second, first);
    x[j] = select(swap, first, second);
}

/// The rotation that makes a_pq zero, where it is not negligible.
#[inline(always)]
fn rotate<const D: usize>(
    m: usize,
    a: &mut Matrix<D>,
    vectors: &mut Matrix<D>,
    (p, q): (usize, usize),
    tiny: Lanes,
) {
    let off = a[p][q];
    let wanted = greater(abs(off), tiny);
    let apart = a[q][q] - a[p][p];
    let twice = off + off;
    // tan of the smaller angle: 2a_pq/(d ± √(d² + 4a_pq²)), d = a_qq − a_pp.
    let root = sqrt(apart.mul_add(apart, twice * twice));
    let below = select(greater(Lanes::zero(), apart), apart - root, apart + root);
    let tan = twice / select(wanted, below, Lanes::one());
    let tan = select(wanted, tan, Lanes::zero());
    let cos = Lanes::one() / sqrt(tan.mul_add(tan, Lanes::one()));
    let sin = tan * cos;
    let turned = |x: Lanes, y: Lanes| (cos.mul_add(x, -(sin * y)), sin.mul_add(x, cos * y));
    a[p][p] = a[p][p] - tan * off;
    a[q][q] = a[q][q] + tan * off;
    let off = select(wanted, Lanes::zero(), off);
    (a[p][q], a[q][p]) = (off, off);
    for k in 0..m.min(D) {
        if k != p && k != q {
            let (x, y) = turned(a[k][p], a[k][q]);
            (a[k][p], a[p][k]) = (x, x);
            (a[k][q], a[q][k]) = (y, y);
        }
        (vectors[p][k], vectors[q][k]) = turned(vectors[p][k], vectors[q][k]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;
    use proptest::prelude::*;

    const D: usize = 5;

    fn decomposed(m: usize, a: &[DMatrix<f64>]) -> (Vector<D>, Matrix<D>) {
        let mut lanes = [[Lanes::zero(); D]; D];
        for i in 0..m {
            for j in 0..m {
                lanes[i][j] = Lanes(std::array::from_fn(|lane| a[lane][(i, j)]));
            }
        }
        eigen(m, m, &mut lanes)
    }

    /// Matrices of any rank and scale, among them zero and diagonal ones.
    fn symmetric(m: usize, lane: usize, numbers: &[f64]) -> DMatrix<f64> {
        let rank = lane % (m + 1);
        let half = DMatrix::from_fn(m, rank, |i, j| {
            numbers[(3 * lane + i * m + j) % numbers.len()]
        });
        let signs = DMatrix::from_fn(rank, rank, |i, j| match (i == j, lane % 2) {
            (false, _) => 0.0,
            (true, 0) => 1.0,
            (true, _) => numbers[i].signum(),
        });
        let scale = 10f64.powi(3 * (lane as i32 - 4));
        let a = &half * signs * half.transpose() * scale;
        if lane == 6 {
            DMatrix::from_diagonal(&a.diagonal())
        } else {
            a
        }
    }

    proptest! {
        #[test]
        fn eigenvalues_are_those_of_nalgebra_and_eigenvectors_orthonormal(
            m in 2..=D,
            numbers in prop::collection::vec(-1.0..1.0f64, 40),
        ) {
            let all: Vec<_> = (0..LANES).map(|lane| symmetric(m, lane, &numbers)).collect();
            let (values, vectors) = decomposed(m, &all);
            for (lane, a) in all.iter().enumerate() {
                let v = DMatrix::from_fn(m, m, |i, j| vectors[j][i].0[lane]);
                let found = DMatrix::from_fn(m, m, |i, j| if i == j { values[i].0[lane] } else { 0.0 });
                let scale = a.norm();
                prop_assert!((v.tr_mul(&v) - DMatrix::identity(m, m)).norm() < 1e-14);
                prop_assert!((&v * &found * v.transpose() - a).norm() <= 2e-15 * scale * m as f64);
                let mut exact: Vec<_> = a.clone().symmetric_eigenvalues().iter().copied().collect();
                exact.sort_by(|a, b| b.total_cmp(a));
                for (i, exact) in exact.iter().enumerate() {
                    prop_assert!((found[(i, i)] - exact).abs() <= 1e-14 * scale);
                }
            }
        }

        #[test]
        fn a_lane_is_deaf_to_its_neighbours(numbers in prop::collection::vec(-1.0..1.0f64, 40)) {
            let mut all: Vec<_> = (0..LANES).map(|lane| symmetric(D, lane, &numbers)).collect();
            let together = decomposed(D, &all);
            for (lane, a) in all.iter_mut().enumerate() {
                if lane != 3 {
                    *a = DMatrix::from_element(D, D, if lane == 5 { f64::NAN } else { 0.0 });
                }
            }
            let alone = decomposed(D, &all);
            for i in 0..D {
                prop_assert_eq!(together.0[i].0[3].to_bits(), alone.0[i].0[3].to_bits());
                for k in 0..D {
                    prop_assert_eq!(together.1[i][k].0[3].to_bits(), alone.1[i][k].0[3].to_bits());
                }
            }
        }
    }
}
