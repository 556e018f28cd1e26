//! Statistics that turn noisy ensembles into verdicts; nothing here knows of models.
//!
//! | question | answer |
//! |---|---|
//! | what does a sample look like? | [`summarize`], [`standard_deviation_with_error`] |
//! | are two numbers equal, up to a declared margin? | [`equivalence`], [`welch`], [`classify`] |
//! | how fast does an error vanish with the step size? | [`power_law`], [`weighted_least_squares`] |
//! | do many errors vanish at one order? | [`JointErrors`] |
//! | where do many means lie, all at once? | [`simultaneous_band`], [`PathMeans`] |
//! | how small must a standard error be to show equality? | [`margin_in_standard_errors`] |
//! | may I look again with more data? | [`stage_level`], [`doublings_needed`] |
//! | has an estimate moved since the last run? | [`change`](change()) |
//! | how far apart are two laws? | [`wasserstein_1`], [`kolmogorov_smirnov`], [`energy_distance`], [`mmd_squared`], [`sliced_wasserstein_1`] |
//! | is that more than noise, and how much more at least and at most? | [`distances_to_reference`], [`permutation_p_value`] |
//! | when does a curve first reach a level? | [`first_crossing`] |
//! | which of many differences are real? | [`holm`] |
//! | how far apart are paired paths, and does that vanish? | [`root_mean_square`], [`pathwise_order`], [`squares_at_zero`], [`bounded_mean`] |
//! | how does a time scale depend on step size and noise? | [`time_scale_exponents`], [`Ellipse`] |
//! | on which clock do several curves collapse? | [`collapse`] |
//!
//! `level` is a one-sided error rate throughout, strictly between 0 and ½: an interval "at `level`"
//! misses on either side with that probability, so it covers with probability 1 − 2·`level`. That is
//! the interval with which two one-sided tests (TOST) decide equivalence at `level`.
//!
//! Every resampling takes a seed, draws one random stream per resample, and gives the same bits at
//! any number of threads.
//!
//! ```
//! use singlim::statistics::{Outcome, equivalence};
//!
//! // 0.98 ± 0.01 is within 0.05 of 1, shown at level 5 %.
//! let order = equivalence(0.98, 0.01, None, 1.0, 0.05, 0.05)?;
//! assert_eq!(order.outcome, Outcome::Pass);
//! # Ok::<(), singlim::statistics::StatisticsError>(())
//! ```

mod bands;
mod change;
mod checks;
mod collapse;
mod crossing;
mod distance;
mod distance_interval;
mod ellipse;
mod energy;
mod equivalence;
mod error;
mod exponent_search;
mod exponents;
mod fit;
mod gauss_transform;
mod holm;
mod joint_order;
mod mmd;
mod outcome;
mod pairs;
mod path_means;
mod pathwise;
mod permutation;
mod points;
mod power;
mod power_law;
mod quantile;
mod sequential;
mod sliced;
mod streams;
mod summary;
mod tails;
#[cfg(test)]
mod testing;

pub use bands::{Band, simultaneous_band};
pub use change::{Change, Measured, change};
pub use collapse::{Collapse, Comparison, Curves, Score, collapse};
pub use crossing::{Crossing, first_crossing};
pub use distance::{KolmogorovSmirnov, kolmogorov_smirnov, kolmogorov_smirnov_cdf, wasserstein_1};
pub use distance_interval::{Distance, DistanceEstimate, Effort, distances_to_reference};
pub use ellipse::Ellipse;
pub use energy::energy_distance;
pub use equivalence::{Equivalence, classify, equivalence, welch};
pub use error::StatisticsError;
pub use exponents::{Exponents, TimeScaleLaw, time_scale_exponents};
pub use fit::{LinearFit, weighted_least_squares};
pub use holm::holm;
pub use joint_order::{JointErrors, JointOrder, JointRung, SeriesOrder};
pub use mmd::{median_bandwidth, mmd_squared};
pub use outcome::{Interval, Outcome};
pub use path_means::PathMeans;
pub use pathwise::{
    BoundedMean, PathwiseOrder, RootMeanSquare, bounded_mean, pathwise_order, root_mean_square,
    squares_at_zero,
};
pub use permutation::permutation_p_value;
pub use points::Points;
pub use power::margin_in_standard_errors;
pub use power_law::{PowerLaw, power_law};
pub use quantile::{quantile, quantile_band};
pub use sequential::{doublings_needed, stage_level, std_error_of};
pub use sliced::sliced_wasserstein_1;
pub use summary::{Summary, standard_deviation_with_error, summarize};
pub use tails::upper_quantile;
