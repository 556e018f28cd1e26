//! Looking again with more data: the level left for each stage, and how many more doublings would settle a question.

use std::f64::consts::PI;

use super::{Interval, tails};

/// More doublings than this is never.
const MOST_DOUBLINGS: u32 = 40;

/// The level of stage j = 1, 2, …: level·6/(π²j²).
///
/// The levels of all stages sum to `level`, so that whatever is concluded at the first stage that concludes anything, it is
/// wrong with probability at most `level`: a union bound, which needs no assumption on how the stages depend on one
/// another nor on how many there are (alpha spending; Lan and DeMets 1983).
pub fn stage_level(level: f64, stage: u32) -> f64 {
    level * 6.0 / (PI * f64::from(stage.max(1))).powi(2)
}

/// The standard error that an interval at `level` has been made from, at most: its longer side over z₁₋ₗₑᵥₑₗ.
///
/// An interval from Student's t is wider, one with a side cut off at the end of a range shorter on that side: either way
/// the result errs upwards, if at all.
pub fn std_error_of(estimate: f64, interval: Interval, level: f64) -> f64 {
    let longer = (interval.upper - estimate).max(estimate - interval.lower);
    longer.max(0.0) / tails::upper_quantile(level, None)
}

/// How many further doublings of the data until an interval that is `half_width` wide to either side at stage `stage` of
/// `level` no longer reaches a point at `distance`: the least k ≥ 1 with half_width·2^(−k/2)·zⱼ₊ₖ/zⱼ < distance. `None` if
/// that is out of reach.
pub fn doublings_needed(half_width: f64, distance: f64, level: f64, stage: u32) -> Option<u32> {
    let z = |stage| tails::upper_quantile(stage_level(level, stage), None);
    let now = z(stage);
    (1..=MOST_DOUBLINGS)
        .find(|&k| half_width * 0.5_f64.powf(0.5 * f64::from(k)) * z(stage + k) / now < distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_levels_of_all_stages_sum_to_the_declared_one() {
        let sum: f64 = (1..=1_000_000).map(|stage| stage_level(0.01, stage)).sum();
        assert!(sum < 0.01 && sum > 0.009_999, "{sum}");
        assert!((stage_level(0.01, 1) - 0.006_079_271_018_540_267).abs() < 1e-17);
    }

    #[test]
    fn a_normal_interval_gives_its_standard_error_back_and_a_cut_one_that_of_its_longer_side() {
        // z at 1 % is 2.3263478740408408.
        let interval = Interval::around(5.0, 2.326_347_874_040_840_8 * 0.3);
        assert!((std_error_of(5.0, interval, 0.01) - 0.3).abs() < 1e-12);
        let cut = Interval {
            lower: 4.9,
            ..interval
        };
        assert!((std_error_of(5.0, cut, 0.01) - 0.3).abs() < 1e-12);
        assert_eq!(std_error_of(1.0, Interval::around(1.0, 0.0), 0.01), 0.0);
    }

    #[test]
    fn an_interval_twice_too_wide_needs_a_little_more_than_four_times_the_data() {
        // Two doublings halve the interval, and the smaller level widens it again.
        assert_eq!(doublings_needed(1.0, 0.5, 0.01, 1), Some(3));
        assert_eq!(doublings_needed(1.0, 0.9, 0.01, 1), Some(1));
        assert_eq!(doublings_needed(1.0, 0.0, 0.01, 1), None);
        assert_eq!(doublings_needed(f64::NAN, 0.5, 0.01, 1), None);
        assert_eq!(doublings_needed(1.0, f64::NAN, 0.01, 1), None);
    }
}
