//! The joint confidence region of two estimates: an ellipse.

use serde::{Deserialize, Serialize};

use super::{Interval, Outcome, StatisticsError, checks};

/// A pair of estimates with their covariance, and the ellipse {θ : (θ − θ̂)ᵀ V⁻¹ (θ − θ̂) ≤ q} that covers the pair.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ellipse {
    /// θ̂.
    pub centre: [f64; 2],
    /// V₁₁ and V₂₂, the squared standard errors.
    pub variances: [f64; 2],
    /// V₁₂.
    pub covariance: f64,
    /// Those of the residuals that the size of V was taken from; `None` where V is known.
    pub degrees_of_freedom: Option<f64>,
    /// q: the ellipse covers with probability 1 − 2·level.
    pub quantile: f64,
    /// The longer and the shorter half axis, √(q·eigenvalue of V).
    pub half_axes: [f64; 2],
    /// From the first coordinate axis to the longer half axis, in (−π/2, π/2].
    pub angle: f64,
}

impl Ellipse {
    /// The ellipse of two jointly normal estimates, at the confidence 1 − 2·`level` of the intervals.
    ///
    /// With V known, (θ̂ − θ)ᵀ V⁻¹ (θ̂ − θ) is χ² with 2 degrees of freedom; with V scaled by a variance that was estimated from
    /// residuals with ν degrees of freedom it is 2·F(2, ν) (Scheffé 1959, §3.5). Both have closed tails: e^(−m/2) and
    /// (1 + m/ν)^(−ν/2).
    ///
    /// # Errors
    ///
    /// Numbers that are not finite, a covariance matrix that is not positive definite, degrees of freedom not greater than 0,
    /// a level outside (0, ½).
    pub fn new(
        centre: [f64; 2],
        variances: [f64; 2],
        covariance: f64,
        degrees_of_freedom: Option<f64>,
        level: f64,
    ) -> Result<Self, StatisticsError> {
        checks::finite("centre", &centre, 2)?;
        checks::positive("variances", &variances, 2)?;
        let correlation = covariance / variances[0].sqrt() / variances[1].sqrt();
        let definite = correlation.abs() < 1.0;
        checks::within(definite, "correlation", correlation, "between -1 and 1")?;
        if let Some(degrees) = degrees_of_freedom {
            let legal = degrees.is_finite() && degrees > 0.0;
            checks::within(legal, "degrees of freedom", degrees, "greater than 0")?;
        }
        checks::level(level)?;
        let outside: f64 = 2.0 * level;
        let quantile = match degrees_of_freedom {
            None => -2.0 * outside.ln(),
            Some(degrees) => degrees * (-2.0 / degrees * outside.ln()).exp_m1(),
        };
        let mean = 0.5 * (variances[0] + variances[1]);
        let half_difference = 0.5 * (variances[0] - variances[1]);
        let longer = mean + half_difference.hypot(covariance);
        // The product of the eigenvalues is the determinant; their difference from the mean would round.
        let shorter = variances[0] * variances[1] * (1.0 - correlation.powi(2)) / longer;
        Ok(Self {
            centre,
            variances,
            covariance,
            degrees_of_freedom,
            quantile,
            half_axes: [(quantile * longer).sqrt(), (quantile * shorter).sqrt()],
            angle: 0.5 * covariance.atan2(half_difference),
        })
    }

    /// m = (θ − θ̂)ᵀ V⁻¹ (θ − θ̂), the squared Mahalanobis distance of a point from the centre.
    pub fn squared_distance(&self, point: [f64; 2]) -> f64 {
        let [x, y] = [0, 1].map(|i| (point[i] - self.centre[i]) / self.variances[i].sqrt());
        let correlation = self.correlation();
        // As a sum of squares, so that it can't be negative.
        x * x + (y - correlation * x).powi(2) / (1.0 - correlation.powi(2))
    }

    /// p-value of "the point is the true pair": small speaks against it. It lies in the ellipse iff p ≥ 2·level.
    pub fn p_value(&self, point: [f64; 2]) -> f64 {
        self.tail(self.squared_distance(point))
    }

    /// p-value of "the true pair lies in the rectangle `target` ± `margin`": that of the nearest of its points.
    pub fn p_rectangle(&self, target: [f64; 2], margin: f64) -> f64 {
        self.tail(self.squared_distance_of_rectangle(target, margin))
    }

    /// The verdict on "the true pair lies within `target` ± `margin`": `Pass` iff the ellipse lies inside the rectangle,
    /// `Rejected` iff they are disjoint, else `Inconclusive`.
    pub fn classify(&self, target: [f64; 2], margin: f64) -> Outcome {
        let inside = (0..2).all(|i| {
            let extent = self.extent(i);
            extent.inside(target[i] - margin, target[i] + margin)
        });
        if inside {
            Outcome::Pass
        } else if self.squared_distance_of_rectangle(target, margin) > self.quantile {
            Outcome::Rejected
        } else {
            Outcome::Inconclusive
        }
    }

    /// The projection of the ellipse on a coordinate.
    fn extent(&self, coordinate: usize) -> Interval {
        let half_width = (self.quantile * self.variances[coordinate]).sqrt();
        Interval::around(self.centre[coordinate], half_width)
    }

    fn correlation(&self) -> f64 {
        self.covariance / self.variances[0].sqrt() / self.variances[1].sqrt()
    }

    /// 0 if the centre lies in the rectangle, else the least over its four edges: m is convex.
    fn squared_distance_of_rectangle(&self, target: [f64; 2], margin: f64) -> f64 {
        let [from, to] = [-margin, margin].map(|shift| target.map(|x| x + shift));
        if (0..2).all(|i| from[i] <= self.centre[i] && self.centre[i] <= to[i]) {
            return 0.0;
        }
        let mut least = f64::INFINITY;
        for fixed in 0..2 {
            let free = 1 - fixed;
            for at in [from[fixed], to[fixed]] {
                // m is least along the regression line of the free coordinate on the fixed one.
                let slope = self.covariance / self.variances[fixed];
                let best = self.centre[free] + slope * (at - self.centre[fixed]);
                let mut point = [at; 2];
                point[free] = best.clamp(from[free], to[free]);
                least = least.min(self.squared_distance(point));
            }
        }
        least
    }

    /// P(M > m) for the M of the right pair.
    fn tail(&self, m: f64) -> f64 {
        match self.degrees_of_freedom {
            None => (-0.5 * m).exp(),
            Some(degrees) => (-0.5 * degrees * (m / degrees).ln_1p()).exp(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_PI_2;

    use proptest::prelude::*;

    use super::*;
    use crate::statistics::streams::stream;
    use crate::statistics::testing::{assert_close, normal, number, numbers, rarely_more_than};

    fn pair(values: &serde_json::Value) -> [f64; 2] {
        numbers(values).try_into().unwrap()
    }

    fn cases() -> Vec<serde_json::Value> {
        let file = include_str!("../../tests/reference/ellipse.json");
        serde_json::from_str(file).unwrap()
    }

    #[test]
    fn ellipses_and_p_values_agree_with_scipy() {
        for case in cases() {
            let ellipse = Ellipse::new(
                pair(&case["centre"]),
                pair(&case["variances"]),
                number(&case["covariance"]),
                case["degrees_of_freedom"].as_f64(),
                number(&case["level"]),
            )
            .unwrap();
            assert_close(ellipse.quantile, number(&case["quantile"]), 1e-9);
            for (axis, expected) in ellipse.half_axes.iter().zip(numbers(&case["half_axes"])) {
                assert_close(*axis, expected, 1e-9);
            }
            assert_close(ellipse.angle.tan(), number(&case["slope"]), 1e-8);
            let points = case["points"].as_array().unwrap();
            for (point, expected) in points.iter().zip(numbers(&case["p_values"])) {
                assert_close(ellipse.p_value(pair(point)), expected, 1e-8);
            }
            let nearest = ellipse.p_rectangle(pair(&case["target"]), number(&case["margin"]));
            assert_close(nearest, number(&case["p_rectangle"]), 1e-6);
        }
    }

    /// Errors of correlation 0.6 with known covariance, and with a variance from ν = 5 residuals: each count exceeds its bound
    /// by chance with probability at most 10⁻⁶, and a pair ten standard errors away is seen.
    #[test]
    fn the_ellipse_covers_the_true_pair_as_often_as_it_says() {
        let (trials, level) = (2000, 0.05);
        let allowed = rarely_more_than(trials as u64, 2.0 * level);
        let most = rarely_more_than(trials as u64, 1.0 - 2.0 * level);
        for degrees in [None, Some(5)] {
            let (mut misses, mut as_if_known, mut unseen) = (0, 0, 0);
            for trial in 0..trials {
                let z = normal(&mut stream(61, trial), 7, 0.0, 1.0);
                let centre = [1.0 + 0.1 * z[0], 2.0 + 0.2 * (0.6 * z[0] + 0.8 * z[1])];
                let scale =
                    degrees.map_or(1.0, |_| z[2..].iter().map(|z| z * z).sum::<f64>() / 5.0);
                let of = |degrees| {
                    let variances = [0.01 * scale, 0.04 * scale];
                    Ellipse::new(centre, variances, 0.012 * scale, degrees, level).unwrap()
                };
                let ellipse = of(degrees.map(f64::from));
                let outside = |ellipse: &Ellipse, point| ellipse.p_value(point) < 2.0 * level;
                misses += u64::from(outside(&ellipse, [1.0, 2.0]));
                as_if_known += u64::from(outside(&of(None), [1.0, 2.0]));
                unseen += u64::from(!outside(&ellipse, [2.0, 2.0]));
            }
            assert!(misses <= allowed, "{misses} misses at {degrees:?}");
            assert!(
                trials as u64 - misses <= most,
                "{misses} misses at {degrees:?}"
            );
            assert!(degrees.is_none() || as_if_known > allowed, "{as_if_known}");
            assert!(unseen <= 2, "{unseen} unseen");
        }
    }

    #[test]
    fn an_ellipse_inside_the_margins_passes_and_one_apart_from_them_is_rejected() {
        let at = |a, b| Ellipse::new([a, b], [1e-4, 4e-4], 1.5e-4, None, 0.01).unwrap();
        assert_eq!(at(1.02, 1.95).classify([1.0, 2.0], 0.25), Outcome::Pass);
        assert_eq!(
            at(1.24, 1.95).classify([1.0, 2.0], 0.25),
            Outcome::Inconclusive
        );
        assert_eq!(at(1.02, 2.6).classify([1.0, 2.0], 0.25), Outcome::Rejected);
        assert_eq!(at(2.0, 2.0).classify([1.0, 2.0], 0.25), Outcome::Rejected);
        // Near a corner the projections overlap the margins although the ellipse does not reach them.
        let thin = Ellipse::new([1.27, 2.27], [1e-4; 2], -0.999e-4, None, 0.01).unwrap();
        assert!(thin.extent(0).lower < 1.25 && thin.extent(1).lower < 2.25);
        assert_eq!(thin.classify([1.0, 2.0], 0.25), Outcome::Rejected);
    }

    #[test]
    fn axes_of_an_upright_and_of_a_round_ellipse_are_defined() {
        let upright = Ellipse::new([0.0; 2], [1.0, 4.0], 0.0, None, 0.05).unwrap();
        assert_close(upright.angle, FRAC_PI_2, 1e-12);
        assert_close(upright.half_axes[0], (4.0 * upright.quantile).sqrt(), 1e-12);
        let round = Ellipse::new([0.0; 2], [1.0; 2], 0.0, Some(3.0), 0.05).unwrap();
        assert_eq!((round.angle, round.half_axes[0]), (0.0, round.half_axes[1]));
        assert_eq!(round.p_value([0.0; 2]), 1.0);
        assert_eq!(round.p_value([1e200; 2]), 0.0);
    }

    #[test]
    fn illegal_inputs_are_errors() {
        let error = |centre, variances, covariance, degrees, level| {
            Ellipse::new(centre, variances, covariance, degrees, level)
                .unwrap_err()
                .to_string()
        };
        let (centre, ones) = ([1.0, 2.0], [1.0; 2]);
        assert!(error([f64::NAN, 0.0], ones, 0.0, None, 0.05).contains("NaN"));
        assert!(error(centre, [0.0, 1.0], 0.0, None, 0.05).contains("entry 0 of the variances"));
        assert!(error(centre, ones, 1.0, None, 0.05).contains("correlation is 1"));
        assert!(error(centre, ones, f64::NAN, None, 0.05).contains("correlation is NaN"));
        assert!(error(centre, ones, 0.0, Some(0.0), 0.05).contains("degrees of freedom is 0"));
        assert!(error(centre, ones, 0.0, None, 0.5).contains("level is 0.5"));
    }

    proptest! {
        /// No point of a grid over the rectangle is nearer than the one that was found.
        #[test]
        fn the_nearest_point_of_the_rectangle_is_nearest(
            centre in [-1.0..3.0_f64, -1.0..3.0_f64],
            sd in [0.05..1.0_f64, 0.05..1.0_f64],
            correlation in -0.95..0.95_f64,
            degrees in prop_oneof![Just(None), (1.0..50.0_f64).prop_map(Some)],
        ) {
            let covariance = correlation * sd[0] * sd[1];
            let ellipse = Ellipse::new(centre, sd.map(|s| s * s), covariance, degrees, 0.05).unwrap();
            let (target, margin) = ([1.0, 2.0], 0.25);
            let p = ellipse.p_rectangle(target, margin);
            let on_grid = (0..=20).flat_map(|i| (0..=20).map(move |j| [i, j].map(f64::from)));
            let largest = on_grid
                .map(|[i, j]| ellipse.p_value([0.75 + i / 40.0, 1.75 + j / 40.0]))
                .fold(0.0, f64::max);
            prop_assert!(p >= largest * (1.0 - 1e-9), "{p} {largest}");
            let rejected = ellipse.classify(target, margin) == Outcome::Rejected;
            prop_assert_eq!(rejected, p < 0.1);
        }
    }
}
