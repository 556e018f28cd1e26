//! What can be wrong with the numbers handed to a statistic, each with its remedy.

use thiserror::Error;

/// A statistic could not be computed from the numbers given.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum StatisticsError {
    /// A value is NaN or infinite.
    #[error(
        "entry {index} of the {what} is {value}, not a finite number; repair it, or leave it out and count it as failed"
    )]
    NotFinite {
        /// Which input.
        what: &'static str,
        /// Position in that input, from 0.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// A value must be strictly positive.
    #[error(
        "entry {index} of the {what} is {value}, but must be greater than 0; repair it or leave the point out"
    )]
    NotPositive {
        /// Which input.
        what: &'static str,
        /// Position in that input, from 0.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// A parameter lies outside its range.
    #[error("{what} is {value}, but must be {range}")]
    OutOfRange {
        /// Which parameter.
        what: &'static str,
        /// The offending value.
        value: f64,
        /// The range, in words.
        range: &'static str,
    },
    /// Not enough numbers.
    #[error("{given} {what} given, but at least {needed} are needed; add more")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// How many were given.
        given: usize,
        /// How many are needed.
        needed: usize,
    },
    /// Two inputs that belong together differ in length.
    #[error("{given} {what} given, but there are {expected} points; give one for each point")]
    LengthMismatch {
        /// Which input.
        what: &'static str,
        /// Its length.
        given: usize,
        /// The length it must have.
        expected: usize,
    },
    /// The abscissae are not strictly increasing.
    #[error("x {index} is {value}, not greater than {previous} before it; sort the points by x")]
    NotIncreasing {
        /// Position of the offending value, from 0.
        index: usize,
        /// The value before it.
        previous: f64,
        /// The offending value.
        value: f64,
    },
    /// A regressor is a linear combination of the others.
    #[error(
        "regressor {regressor} of {regressors} is a combination of those before it (sine of the angle {sine:.1e}); drop it or vary the design"
    )]
    RankDeficient {
        /// Position of the redundant regressor, from 0.
        regressor: usize,
        /// Number of regressors.
        regressors: usize,
        /// Sine of its angle to the span of the regressors before it; 0 if it vanishes.
        sine: f64,
    },
    /// Too few errors stand out of their noise for a slope to mean anything.
    #[error(
        "errors at {above} distinct step sizes are at least {floor} standard errors, but 2 are needed for a slope; use more paths or larger step sizes"
    )]
    BelowNoiseFloor {
        /// Number of distinct step sizes with an error above the noise floor.
        above: usize,
        /// The noise floor, in standard errors.
        floor: f64,
    },
    /// The best exponent is at the edge of the range searched: the errors follow no power law.
    #[error(
        "the best exponent is at the edge {exponent} of the range searched (chi-squared {chi_squared:.3} on {degrees_of_freedom} degrees of freedom): the errors follow no power law; look for a change of sign, and add step sizes"
    )]
    NoPowerLaw {
        /// The edge at which the search ended.
        exponent: f64,
        /// Goodness of fit there.
        chi_squared: f64,
        /// Number of errors less two.
        degrees_of_freedom: usize,
    },
    /// The noise strength is a function of the step size along the design.
    #[error(
        "sigma is a power of the step size along the design (sine of the angle between their logarithms {sine:.1e}), so their exponents cannot be told apart; vary sigma at a fixed step size, or hold it constant"
    )]
    Collinear {
        /// Sine of the angle between the centred logarithms.
        sine: f64,
    },
    /// The function given as a cumulative distribution function is not one.
    #[error("the distribution function is {value} at {at}, but must lie in [0, 1]")]
    InvalidCdf {
        /// Where it was evaluated.
        at: f64,
        /// What it gave.
        value: f64,
    },
}
