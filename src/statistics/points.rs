//! Samples of points of ℝᵈ, row by row.

use super::{StatisticsError, checks};

/// n points of ℝᵈ: coordinate c of point i is `values[i·d + c]`. A path at R times is a point of ℝᴿ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Points<'a> {
    values: &'a [f64],
    dimension: usize,
}

impl<'a> Points<'a> {
    /// Points of ℝᵈ with d = `dimension`.
    ///
    /// # Errors
    ///
    /// A value that is not finite; a dimension that does not divide their number.
    pub fn new(values: &'a [f64], dimension: usize) -> Result<Self, StatisticsError> {
        checks::within(
            dimension > 0 && values.len().is_multiple_of(dimension),
            "dimension",
            dimension as f64,
            "at least 1 and a divisor of the number of values",
        )?;
        checks::finite("coordinates", values, 0)?;
        Ok(Self { values, dimension })
    }

    /// Points on the line.
    ///
    /// # Errors
    ///
    /// A value that is not finite.
    pub fn line(values: &'a [f64]) -> Result<Self, StatisticsError> {
        Self::new(values, 1)
    }

    /// n.
    pub fn count(&self) -> usize {
        self.values.len() / self.dimension
    }

    /// d.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The points one after the other.
    pub fn rows(&self) -> impl Iterator<Item = &'a [f64]> {
        self.values.chunks_exact(self.dimension)
    }

    /// All coordinates, row by row.
    pub(super) fn values(&self) -> &'a [f64] {
        self.values
    }
}

/// Two samples of one dimension, of at least `needed` points each.
pub(super) fn check_pair(a: Points, b: Points, needed: usize) -> Result<(), StatisticsError> {
    for (what, sample) in [
        ("points of the first sample", a),
        ("points of the second sample", b),
    ] {
        if sample.count() < needed {
            return Err(StatisticsError::TooFew {
                what,
                given: sample.count(),
                needed,
            });
        }
    }
    checks::within(
        a.dimension == b.dimension,
        "dimension of the second sample",
        b.dimension as f64,
        "that of the first",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_rows_of_whole_length() {
        let points = Points::new(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
        assert_eq!((points.count(), points.dimension()), (2, 2));
        assert_eq!(points.rows().nth(1).unwrap(), [3.0, 4.0]);
        assert!(Points::new(&[1.0, 2.0, 3.0], 2).is_err());
        assert!(Points::new(&[1.0], 0).is_err());
        assert!(Points::line(&[f64::NAN]).is_err());
        assert_eq!(Points::line(&[]).unwrap().count(), 0);
    }

    #[test]
    fn a_pair_has_one_dimension_and_enough_points() {
        let (line, plane) = (
            Points::line(&[1.0, 2.0]).unwrap(),
            Points::new(&[1.0, 2.0], 2).unwrap(),
        );
        assert!(check_pair(line, line, 2).is_ok());
        let error = |a, b| check_pair(a, b, 1).unwrap_err().to_string();
        assert!(error(line, plane).contains("that of the first"));
        assert!(check_pair(line, line, 3).is_err());
    }
}
