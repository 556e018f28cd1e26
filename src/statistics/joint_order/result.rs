//! What a joint fit finds: one order for all series, and one of each.

use crate::statistics::Interval;
use crate::statistics::exponent_search::ExponentSearch;

/// eᵣⱼ = cⱼ·αᵣᵖ with one p for all series.
#[derive(Clone, Debug, PartialEq)]
pub struct JointOrder {
    /// p̂.
    pub exponent: f64,
    /// Its 1 − 2·level interval by parametric bootstrap: right if the model holds.
    pub parametric: Interval,
    /// Its 1 − 2·level interval by resampling whole paths: right also where the model is an approximation.
    pub resampled: Interval,
    /// X² = Σ ((eᵣⱼ − ĉⱼ·αᵣᵖ)/seᵣⱼ)². It has no χ² law, as errors are correlated.
    pub chi_squared: f64,
    /// What X² is on average if the model holds.
    pub expected_chi_squared: f64,
    /// Number of errors less number of parameters.
    pub degrees_of_freedom: usize,
    /// P(X² or larger) if the model holds, by parametric bootstrap; `None` with no degrees of freedom.
    pub p_value: Option<f64>,
    /// p̂ without the rungs of the largest step size; `None` where too few are left.
    pub without_coarsest: Option<f64>,
    /// p̂ of all resamples of paths, increasing.
    pub resampled_exponents: Vec<f64>,
    /// Each series by itself.
    pub series: Vec<SeriesOrder>,
}

/// One series of a [`JointOrder`] with an exponent of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesOrder {
    /// ĉⱼ of the joint model.
    pub coefficient: f64,
    /// The exponent of this series alone; `None` where the best one is at −4 or 8.
    pub exponent: Option<f64>,
    /// As of the joint model.
    pub parametric: Interval,
    /// As of the joint model.
    pub resampled: Interval,
    /// Of the fit to this series alone.
    pub chi_squared: f64,
    /// Of the fit to this series alone.
    pub degrees_of_freedom: usize,
    /// Of the fit to this series alone.
    pub p_value: Option<f64>,
    /// floor·seᵣⱼ for each rung, in the units of the series: smaller errors are noise.
    pub noise_floor: Vec<f64>,
    /// Whether each rung's error is at least that.
    pub above_floor: Vec<bool>,
}

impl JointOrder {
    /// An interval for p that allows for a model which does not quite hold: that of resampled paths, stretched about p̂ by
    /// √(X²/E X²) where that exceeds 1 (Birge 1932), cut at the ends −4 and 8 of the range searched, and widened to what p̂ is
    /// without the coarsest rungs.
    pub fn cautious(&self) -> Interval {
        let stretch = (self.chi_squared / self.expected_chi_squared)
            .sqrt()
            .max(1.0);
        let without = self.without_coarsest.unwrap_or(self.exponent);
        let end = |end: f64| ExponentSearch::clamp(self.exponent + (end - self.exponent) * stretch);
        Interval {
            lower: end(self.resampled.lower).min(without),
            upper: end(self.resampled.upper).max(without),
        }
    }
}
