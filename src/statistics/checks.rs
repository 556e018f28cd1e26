//! The checks that every statistic makes of its inputs.

use super::StatisticsError;

/// At least `needed` values, all finite.
pub(super) fn finite(
    what: &'static str,
    values: &[f64],
    needed: usize,
) -> Result<(), StatisticsError> {
    if values.len() < needed {
        return Err(StatisticsError::TooFew {
            what,
            given: values.len(),
            needed,
        });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(StatisticsError::NotFinite {
            what,
            index,
            value: values[index],
        }),
        None => Ok(()),
    }
}

/// One value for each of `expected` points, all finite and greater than 0.
pub(super) fn positive(
    what: &'static str,
    values: &[f64],
    expected: usize,
) -> Result<(), StatisticsError> {
    one_per_point(what, values, expected)?;
    match values.iter().position(|value| *value <= 0.0) {
        Some(index) => Err(StatisticsError::NotPositive {
            what,
            index,
            value: values[index],
        }),
        None => Ok(()),
    }
}

/// One finite value for each of `expected` points.
pub(super) fn one_per_point(
    what: &'static str,
    values: &[f64],
    expected: usize,
) -> Result<(), StatisticsError> {
    if values.len() != expected {
        return Err(StatisticsError::LengthMismatch {
            what,
            given: values.len(),
            expected,
        });
    }
    finite(what, values, 0)
}

/// A one-sided level strictly between 0 and ½.
pub(super) fn level(value: f64) -> Result<(), StatisticsError> {
    within(
        value > 0.0 && value < 0.5,
        "level",
        value,
        "greater than 0 and less than 0.5",
    )
}

/// Enough resamples for the quantiles at `level` to lie inside the resampled values.
pub(super) fn resamples(given: usize, level: f64) -> Result<(), StatisticsError> {
    let needed = (1.0 / level).ceil() as usize;
    if given < needed {
        return Err(StatisticsError::TooFew {
            what: "resamples",
            given,
            needed,
        });
    }
    Ok(())
}

/// A condition on one parameter; `range` says it in words.
pub(super) fn within(
    holds: bool,
    what: &'static str,
    value: f64,
    range: &'static str,
) -> Result<(), StatisticsError> {
    if holds {
        Ok(())
    } else {
        Err(StatisticsError::OutOfRange { what, value, range })
    }
}
