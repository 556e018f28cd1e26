//! Sums over slices of scalars, with the order of the additions fixed.

use std::sync::atomic::{Ordering, compiler_fence};

use super::Scalar;

/// Ends the body of a loop over a slice of scalars. A [`super::Lanes`] fills a vector register as it is; without
/// this fence, which is no instruction, the compiler may take eight elements at once instead, by gathers and scatters
/// that are five times slower.
#[inline(always)]
pub(crate) fn element_done() {
    compiler_fence(Ordering::SeqCst);
}

/// How many partial sums a dot product runs side by side, so that it does not wait for the last addition.
const PARTS: usize = 4;

/// Σᵢ aᵢ·lift(bᵢ), summed in four interleaved parts; `a` and `b` have one length.
#[inline(always)]
fn lifted_dot<S: Scalar, X: Copy>(a: &[S], b: &[X], lift: impl Fn(X) -> S) -> S {
    let mut sums = [S::zero(); PARTS];
    let (a, b) = (a.chunks_exact(PARTS), b.chunks_exact(PARTS));
    let ends = a.remainder().iter().zip(b.remainder());
    for (a, b) in a.zip(b) {
        for part in 0..PARTS {
            sums[part] = sums[part] + a[part] * lift(b[part]);
        }
    }
    let mut rest = S::zero();
    for (&a, &b) in ends {
        rest = rest + a * lift(b);
        element_done();
    }
    ((sums[0] + sums[1]) + (sums[2] + sums[3])) + rest
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
        *y = *y + c * x;
        element_done();
    }
}

/// yᵢ ← yᵢ + c·xᵢ with plain numbers x; `y` and `x` have one length.
#[inline(always)]
pub(crate) fn add_scaled_constants<S: Scalar>(y: &mut [S], c: S, x: &[f64]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = *y + c * S::constant(x);
        element_done();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_product_counts_every_entry_once_at_every_length() {
        for n in 0..12u32 {
            let a: Vec<f64> = (0..n).map(f64::from).collect();
            let squares = (0..n).map(|i| f64::from(i * i)).sum::<f64>();
            assert_eq!(dot(&a, &a), squares);
            assert_eq!(dot_constants(&a, &a), squares);
        }
    }
}
