//! The three-way verdict of a check, and the interval it is read from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The verdict of one check, ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Equivalence within the margin was shown.
    Pass,
    /// The data decide neither way.
    Inconclusive,
    /// A difference beyond the margin was shown.
    Rejected,
}

impl Outcome {
    /// The verdict on "all of these hold": rejected if any is, else inconclusive if any is, else pass.
    ///
    /// Intersection–union: if each check passes wrongly with probability at most α, so does the
    /// whole, with no correction for their number (Berger 1982). Of no checks at all the result is
    /// `Pass`, so a caller must see to it that there is something to check.
    pub fn worst(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
        outcomes.into_iter().max().unwrap_or(Outcome::Pass)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Outcome::Pass => "pass",
            Outcome::Inconclusive => "inconclusive",
            Outcome::Rejected => "rejected",
        })
    }
}

/// A closed interval [`lower`, `upper`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

impl Interval {
    /// The interval `centre` ± `half_width`.
    pub fn around(centre: f64, half_width: f64) -> Interval {
        Interval {
            lower: centre - half_width,
            upper: centre + half_width,
        }
    }

    /// Whether `value` lies in the interval, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.lower <= value && value <= self.upper
    }

    /// Whether the interval lies in the open interval (`lower`, `upper`).
    pub fn inside(&self, lower: f64, upper: f64) -> bool {
        lower < self.lower && self.upper < upper
    }

    /// Whether the two closed intervals share no point; false when an end is NaN.
    pub fn disjoint_from(&self, other: &Interval) -> bool {
        self.upper < other.lower || other.upper < self.lower
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_outcome_of_several_is_that_of_all() {
        use Outcome::{Inconclusive, Pass, Rejected};
        assert_eq!(
            Outcome::worst([Pass, Inconclusive, Rejected, Pass]),
            Rejected
        );
        assert_eq!(Outcome::worst([Pass, Inconclusive, Pass]), Inconclusive);
        assert_eq!(Outcome::worst([Pass, Pass]), Pass);
        assert_eq!(Outcome::worst([]), Pass);
    }

    #[test]
    fn outcomes_are_written_in_lower_case_and_read_back() {
        for outcome in [Outcome::Pass, Outcome::Inconclusive, Outcome::Rejected] {
            let json = serde_json::to_string(&outcome).unwrap();
            assert_eq!(json, format!("\"{outcome}\""));
            assert_eq!(serde_json::from_str::<Outcome>(&json).unwrap(), outcome);
        }
    }

    #[test]
    fn touching_intervals_are_not_disjoint_and_touching_the_margin_is_not_inside() {
        let unit = Interval {
            lower: 0.0,
            upper: 1.0,
        };
        assert!(unit.contains(0.0) && unit.contains(1.0) && !unit.contains(1.5));
        assert!(unit.inside(-0.1, 1.1) && !unit.inside(0.0, 2.0));
        assert!(!unit.disjoint_from(&Interval {
            lower: 1.0,
            upper: 2.0
        }));
        assert!(unit.disjoint_from(&Interval {
            lower: 1.1,
            upper: 2.0
        }));
        assert!(unit.disjoint_from(&Interval {
            lower: -2.0,
            upper: -0.1
        }));
        assert!(!unit.contains(f64::NAN));
        assert!(
            !Interval {
                lower: f64::NAN,
                upper: f64::NAN
            }
            .disjoint_from(&unit)
        );
    }
}
