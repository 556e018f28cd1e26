//! A matrix of constants, laid out for products with vectors that are in lanes.

use std::sync::Arc;

use crate::scalar::{LANES, Lanes, Scalar, add_combined_rows};

/// A matrix whose rows begin where lines of the cache do, if they are as long: a vector that is in two of them costs two loads.
#[derive(Clone, Debug)]
pub(super) struct Aligned {
    numbers: Arc<Vec<f64>>,
    first: usize,
    stride: usize,
}

impl Aligned {
    /// Given entry (i, j).
    pub(super) fn new(rows: usize, columns: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let stride = if columns < LANES {
            columns
        } else {
            columns.next_multiple_of(LANES)
        };
        let mut numbers = vec![0.0; rows * stride + LANES];
        let first = numbers.as_ptr().align_offset(align_of::<Lanes>());
        let first = first.min(LANES);
        for i in 0..rows {
            for j in 0..columns {
                numbers[first + i * stride + j] = entry(i, j);
            }
        }
        Self {
            numbers: Arc::new(numbers),
            first,
            stride,
        }
    }

    /// y ← y + aM, M being this matrix.
    #[inline(always)]
    pub(super) fn add_combined<S: Scalar>(&self, y: &mut [S], a: &[S]) {
        add_combined_rows(y, a, &self.numbers[self.first..], self.stride);
    }
}
