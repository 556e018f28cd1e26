//! Sums over slices of scalars, with the order of the additions fixed.

use super::{LANES, Scalar};

/// How many partial sums a dot product runs side by side, so that it does not wait for the last addition.
const PARTS: usize = 8;

/// How many rows of a matrix are added at once, so that what they are added to is loaded and stored less often.
const ROWS: usize = 8;

/// The same for what is left then.
const FEW_ROWS: usize = 4;

/// How many columns of it at once, so that the sum of one does not wait for its last addition.
const COLUMNS: usize = 4;

/// Σᵢ aᵢ·lift(bᵢ), summed in eight interleaved parts where there are as many; `a` and `b` have one length.
#[inline(always)]
fn lifted_dot<S: Scalar, X: Copy>(a: &[S], b: &[X], lift: impl Fn(X) -> S) -> S {
    let (blocks, ends) = a.as_chunks::<PARTS>();
    let (other_blocks, other_ends) = b.as_chunks::<PARTS>();
    let mut rest = S::zero();
    for (&a, &b) in ends.iter().zip(other_ends) {
        rest = a.mul_add(lift(b), rest);
        S::element_done();
    }
    if blocks.is_empty() {
        return rest;
    }
    let mut sums = [S::zero(); PARTS];
    for (a, b) in blocks.iter().zip(other_blocks) {
        for part in 0..PARTS {
            sums[part] = a[part].mul_add(lift(b[part]), sums[part]);
        }
    }
    let [s0, s1, s2, s3, s4, s5, s6, s7] = sums;
    (((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))) + rest
}

/// Σᵢ aᵢbᵢ; `a` and `b` have one length.
#[inline(always)]
pub(crate) fn dot<S: Scalar>(a: &[S], b: &[S]) -> S {
    lifted_dot(a, b, |x| x)
}

/// Σᵢ aᵢxᵢ with plain numbers x; `a` and `x` have one length.
#[inline(always)]
pub(crate) fn dot_constants<S: Scalar>(a: &[S], x: &[f64]) -> S {
    lifted_dot(a, x, S::constant)
}

/// yᵢ ← yᵢ + c·xᵢ; `y` and `x` have one length.
#[inline(always)]
pub(crate) fn add_scaled<S: Scalar>(y: &mut [S], c: S, x: &[S]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = c.mul_add(x, *y);
        S::element_done();
    }
}

/// yᵢ ← yᵢ + c·xᵢ with plain numbers x; `y` and `x` have one length.
#[inline(always)]
pub(crate) fn add_scaled_constants<S: Scalar>(y: &mut [S], c: S, x: &[f64]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = c.mul_add(S::constant(x), *y);
        S::element_done();
    }
}

/// [`add_combined_rows`] of R rows, C columns at a time from column `first` on; returns the first column that is left.
#[inline(always)]
fn add_columns<S: Scalar, const R: usize, const C: usize>(
    y: &mut [S],
    rows: [(S, &[f64]); R],
    first: usize,
) -> usize {
    let mut from = first;
    for y in y[first..].as_chunks_mut::<C>().0 {
        let mut sums = *y;
        for (a, row) in rows {
            for (sum, &x) in sums.iter_mut().zip(&row[from..from + C]) {
                *sum = a.mul_add(S::constant(x), *sum);
                S::element_done();
            }
        }
        *y = sums;
        from += C;
    }
    from
}

/// [`add_combined_rows`] as far as there are R rows together; returns how many were added.
#[inline(always)]
fn add_blocks_of_rows<S: Scalar, const R: usize>(
    y: &mut [S],
    a: &[S],
    matrix: &[f64],
    stride: usize,
) -> usize {
    let blocks = a.as_chunks::<R>().0;
    for (block, a) in blocks.iter().enumerate() {
        let mut rows = [(S::zero(), matrix); R];
        for (k, row) in rows.iter_mut().enumerate() {
            *row = (a[k], &matrix[(block * R + k) * stride..][..y.len()]);
        }
        let mut done = 0;
        if S::ACROSS {
            done = add_columns::<S, R, { 4 * LANES }>(y, rows, done);
            done = add_columns::<S, R, LANES>(y, rows, done);
        }
        done = add_columns::<S, R, COLUMNS>(y, rows, done);
        add_columns::<S, R, 1>(y, rows, done);
    }
    blocks.len() * R
}

/// yⱼ ← yⱼ + Σ_k a_k M_kj for a matrix M of plain numbers, in the order of k: as many rows as `a` is long, each `stride` long, of
/// which the first numbers count.
#[inline(always)]
pub(crate) fn add_combined_rows<S: Scalar>(y: &mut [S], a: &[S], matrix: &[f64], stride: usize) {
    let mut done = add_blocks_of_rows::<S, ROWS>(y, a, matrix, stride);
    if !S::ACROSS {
        let (a, matrix) = (&a[done..], &matrix[done * stride..]);
        done += add_blocks_of_rows::<S, FEW_ROWS>(y, a, matrix, stride);
    }
    for (k, &a) in a.iter().enumerate().skip(done) {
        add_scaled_constants(y, a, &matrix[k * stride..][..y.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Lanes, Paths, Single};
    use super::*;

    /// For `S`; the numbers are integers, so that every sum is exact.
    fn rows_are_combined<S: Paths + PartialEq + std::fmt::Debug>() {
        for rows in 0..20 {
            for width in [1, 2, 3, 4, 7, 8, 9, 31, 32, 45, 77] {
                for stride in [width, width + 3] {
                    let matrix: Vec<f64> = (0..rows * stride).map(|i| i as f64).collect();
                    let a: Vec<f64> = (0..rows).map(|k| 1.0 + k as f64).collect();
                    let lifted: Vec<S> = a.iter().map(|&a| S::constant(a)).collect();
                    let mut y = vec![S::one(); width];
                    add_combined_rows(&mut y, &lifted, &matrix, stride);
                    for (j, y) in y.iter().enumerate() {
                        let sum: f64 = (0..rows).map(|k| a[k] * matrix[k * stride + j]).sum();
                        assert_eq!(*y, S::constant(1.0 + sum), "{rows}, {width}, {stride}");
                    }
                }
            }
        }
    }

    #[test]
    fn rows_are_combined_once_each_whatever_their_number_and_length() {
        rows_are_combined::<Single>();
        rows_are_combined::<Lanes>();
    }

    #[test]
    fn a_dot_product_counts_every_entry_once_at_every_length() {
        for n in 0..20u32 {
            let a: Vec<f64> = (0..n).map(f64::from).collect();
            let squares = (0..n).map(|i| f64::from(i * i)).sum::<f64>();
            assert_eq!(dot(&a, &a), squares);
            assert_eq!(dot_constants(&a, &a), squares);
        }
    }
}
