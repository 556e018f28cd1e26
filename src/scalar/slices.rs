//! Sums over slices of scalars, with the order of the additions fixed.

use super::Scalar;

/// How many partial sums a dot product runs side by side, so that it does not wait for the last addition.
const PARTS: usize = 8;

/// How many rows of a matrix are added at once, so that what they are added to is loaded and stored less often.
const ROWS: usize = 8;

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

/// yⱼ ← yⱼ + Σ_k a_k M_kj for a matrix M of plain numbers (row by row, as many rows as `a` is long), in the order of k.
#[inline(always)]
pub(crate) fn add_combined_rows<S: Scalar>(y: &mut [S], a: &[S], matrix: &[f64]) {
    let width = y.len();
    let (blocks, rest) = a.as_chunks::<ROWS>();
    let mut left = matrix;
    for &[a0, a1, a2, a3, a4, a5, a6, a7] in blocks {
        let (now, later) = left.split_at(ROWS * width);
        left = later;
        let (r0, now) = now.split_at(width);
        let (r1, now) = now.split_at(width);
        let (r2, now) = now.split_at(width);
        let (r3, now) = now.split_at(width);
        let (r4, now) = now.split_at(width);
        let (r5, now) = now.split_at(width);
        let (r6, r7) = now.split_at(width);
        let together = [
            (a0, r0),
            (a1, r1),
            (a2, r2),
            (a3, r3),
            (a4, r4),
            (a5, r5),
            (a6, r6),
            (a7, r7),
        ];
        let (blocks, ends) = y.as_chunks_mut::<COLUMNS>();
        let ends_at = blocks.len() * COLUMNS;
        for (block, y) in blocks.iter_mut().enumerate() {
            let from = block * COLUMNS;
            let mut sums = *y;
            for (a, row) in together {
                for (sum, &x) in sums.iter_mut().zip(&row[from..from + COLUMNS]) {
                    *sum = a.mul_add(S::constant(x), *sum);
                    S::element_done();
                }
            }
            *y = sums;
        }
        for (j, y) in ends.iter_mut().enumerate() {
            let mut sum = *y;
            for (a, row) in together {
                sum = a.mul_add(S::constant(row[ends_at + j]), sum);
            }
            *y = sum;
            S::element_done();
        }
    }
    for (&a, row) in rest.iter().zip(left.chunks_exact(width)) {
        add_scaled_constants(y, a, row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_combined_once_each_whatever_their_number() {
        for rows in 0..20 {
            for width in 1..4 {
                let matrix: Vec<f64> = (0..rows * width).map(|i| i as f64).collect();
                let a: Vec<f64> = (0..rows).map(|k| 1.0 + k as f64).collect();
                let mut y = vec![0.5; width];
                add_combined_rows(&mut y, &a, &matrix);
                for (j, y) in y.iter().enumerate() {
                    let sum: f64 = (0..rows).map(|k| a[k] * matrix[k * width + j]).sum();
                    assert_eq!(*y, 0.5 + sum);
                }
            }
        }
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
