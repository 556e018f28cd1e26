//! How wrong the theory would have to be for this run to notice: the smallest relative errors of drift and diffusion, and
//! the smallest error of the time exponent, that would have been rejected with probability 0.95.

use serde::{Deserialize, Serialize};

use super::budget::shift;
use super::{Check, Evidence};
use crate::simulate::{Samples, TRIED_ERROR};
use crate::statistics::{margin_in_standard_errors, upper_quantile};

/// The probability with which an error of the sizes given would have been rejected.
const POWER: f64 = 0.95;
/// Beyond this relative error a response to a small one says little.
const LARGEST: f64 = 1.0;

/// Errors of the theory that this run would have rejected; missing where none of its checks sees them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// With at least this probability, if the theory was right but for that error.
    pub probability: f64,
    /// Relative error of the drift.
    pub drift: Option<f64>,
    /// Relative error of the Brownian part.
    pub diffusion: Option<f64>,
    /// Error of the exponent of 1/α of the time scale.
    pub exponent: Option<f64>,
}

impl Power {
    /// From the estimated standard errors and the response of the limit to a drift or diffusion 5 % wrong.
    ///
    /// An error ε moves the mean that a check compares by ε·s. The check then rejects at Holm's first step, p ≤ r/m for
    /// m tests at overall rate r, with probability 0.95 once |ε·s| ≥ margin + (t₁₋ᵣ⸝ₘ + z₀.₉₅)·se. The smallest such ε over
    /// all checks is given; that others see the error as well makes the true power larger.
    pub(super) fn of(evidence: &Evidence, checks: &[Check], rate: f64) -> Self {
        let tests = checks.iter().filter(|c| c.p_difference.is_some()).count();
        let level = rate / tests.max(2) as f64;
        // What an estimate must be off by.
        let needed = |check: &Check| {
            let interval = check.interval?;
            let dof = check.degrees_of_freedom;
            let half = 0.5 * (interval.upper - interval.lower);
            let std_error = half / upper_quantile(evidence.margins().level, dof);
            let errors = margin_in_standard_errors(level, 2.0 * (1.0 - POWER), dof);
            Some(check.margin? + errors * std_error)
        };
        let smallest = |varied: fn(&crate::simulate::Refinement) -> Option<&Samples>| {
            checks
                .iter()
                .filter_map(|check| {
                    let place = check.place?;
                    let limit = &evidence.limits[place.limit];
                    let varied = varied(evidence.refined.get(place.limit)?)?;
                    let start = limit.initial[place.observable];
                    let (moved, std_error) = shift(&limit.samples, varied, place, start);
                    // The response, less what may be noise.
                    let response = (moved.abs() - 2.0 * std_error) / TRIED_ERROR;
                    (response > 0.0).then(|| needed(check).map(|needed| needed / response))?
                })
                .filter(|&error| error <= LARGEST)
                .min_by(f64::total_cmp)
        };
        let exponent = checks
            .iter()
            .find(|check| check.name == "exponent of α")
            .and_then(needed);
        Self {
            probability: POWER,
            drift: smallest(|refined| refined.faster.as_ref()),
            diffusion: smallest(|refined| refined.rougher.as_ref()),
            exponent,
        }
    }
}
