//! Whether the mean curves of several ensembles fall onto one, on either of two clocks.
//!
//! Ensembles are compared in pairs, each at equally spaced times that both of its members reach. With fᵣ the mean curve of
//! ensemble r, the spread between the curves is
//!
//! d = √(mean over pairs (r, s) and times t of ½(fᵣ(t) − fₛ(t))²) / scale,
//!
//! the root of the variance between curves where all share their times; it is 0 iff they collapse onto one curve. It is a
//! seminorm of the bundle of curves, so the estimate D from sample means, whose errors are N, obeys |D − d| ≤ ‖N‖ by the
//! triangle inequality, and for the two clocks of one bundle |(D₂ − D₁) − (d₂ − d₁)| ≤ ‖N‖₁ + ‖N‖₂. The law of the right
//! sides is bootstrapped (Giné & Zinn 1990), by blocks of whole paths, whose values at different times are thus resampled
//! together. The intervals hold for any curves, collapsed ones included, and cover more often than they say. D itself is
//! biased upwards by noise: E D² = d² + the mean squared standard error in units of the scale, which the score subtracts.

use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::streams::stream;
use super::summary::{quantile, sorted};
use super::{Interval, StatisticsError, checks};

/// Number of times at which two curves are compared.
const GRID: usize = 40;
/// Number of blocks of whole paths that are resampled in place of single paths.
const BLOCKS: usize = 64;

/// An ensemble of paths recorded at instants that are known on two clocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// The times of the records on the first and on the second clock, increasing.
    pub times: [Vec<f64>; 2],
    /// `values[path·records + record]`.
    pub values: Vec<f64>,
}

/// How well the curves collapse on one clock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// √max(0, D² − mean squared standard error), in units of the scale: 0 is a perfect collapse.
    pub estimate: f64,
    /// [D − q, D + q], cut at 0: it misses d on either side with probability at most `level`.
    pub interval: Interval,
    /// From the first to the last time that was compared.
    pub overlap: Interval,
    /// The share of the pairs of ensembles that have times in common.
    pub pairs: f64,
}

/// The second clock against the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// D₂ − D₁: positive where the first clock collapses the curves better.
    pub estimate: f64,
    /// It misses d₂ − d₁ on either side with probability at most `level`.
    pub interval: Interval,
    /// p-value of d₂ ≤ d₁: small speaks for the first clock.
    pub p_first: f64,
    /// p-value of d₁ ≤ d₂: small speaks for the second clock.
    pub p_second: f64,
}

/// The collapse on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collapse {
    /// On each clock; `None` where no two ensembles have a time in common.
    pub scores: [Option<Score>; 2],
    /// `None` unless there are both scores.
    pub comparison: Option<Comparison>,
}

/// Compares the mean curves of ensembles on two clocks; the opening of this file has the formulas.
///
/// Between records the curves are taken to be linear. The time is O(ensembles·`resamples`), shared among threads, after one
/// pass over the values.
///
/// # Errors
///
/// Fewer than two ensembles, fewer than two records or paths in one, lengths that differ, times that do not increase, numbers
/// that are not finite, a scale not greater than 0, a level outside (0, ½), fewer than 1/level resamples.
pub fn collapse(
    ensembles: &[Curves],
    scale: f64,
    level: f64,
    resamples: usize,
    seed: u64,
) -> Result<Collapse, StatisticsError> {
    if ensembles.len() < 2 {
        return Err(StatisticsError::TooFew {
            what: "ensembles",
            given: ensembles.len(),
            needed: 2,
        });
    }
    for curves in ensembles {
        curves.check()?;
    }
    checks::within(
        scale.is_finite() && scale > 0.0,
        "scale",
        scale,
        "finite and greater than 0",
    )?;
    checks::level(level)?;
    checks::resamples(resamples, level)?;

    let pairs = [0, 1].map(|clock| pairs(ensembles, clock));
    let bundle: Vec<Blocks> = ensembles.par_iter().map(Blocks::new).collect();
    let norms = |curves: &[Vec<f64>]| {
        let distance = |pair: &Pair| pair.half_squared_distance(curves);
        [0, 1].map(|clock| mean_over(&pairs[clock], distance).sqrt() / scale)
    };
    let means: Vec<Vec<f64>> = bundle.iter().map(|blocks| blocks.mean.clone()).collect();
    let distances = norms(&means);
    let noises: Vec<[f64; 2]> = (0..resamples)
        .into_par_iter()
        .map(|resample| {
            let mut rng = stream(seed, resample);
            let errors: Vec<_> = bundle.iter().map(|blocks| blocks.error(&mut rng)).collect();
            norms(&errors)
        })
        .collect();

    let bound = |noise: &dyn Fn(&[f64; 2]) -> f64| {
        let noises: Vec<f64> = noises.iter().map(noise).collect();
        quantile(&sorted(&noises), 1.0 - level)
    };
    let score = |clock: usize| {
        let pairs = &pairs[clock];
        let first = pairs
            .iter()
            .map(|pair| pair.overlap.lower)
            .reduce(f64::min)?;
        let last = pairs
            .iter()
            .map(|pair| pair.overlap.upper)
            .reduce(f64::max)?;
        let noise = mean_over(pairs, |pair| pair.half_squared_error(&bundle)) / scale.powi(2);
        let reach = bound(&|noise| noise[clock]);
        let all = ensembles.len() * (ensembles.len() - 1) / 2;
        Some(Score {
            estimate: (distances[clock].powi(2) - noise).max(0.0).sqrt(),
            interval: Interval {
                lower: (distances[clock] - reach).max(0.0),
                upper: distances[clock] + reach,
            },
            overlap: Interval {
                lower: first,
                upper: last,
            },
            pairs: pairs.len() as f64 / all as f64,
        })
    };
    let scores = [score(0), score(1)];
    let comparison = (scores[0].is_some() && scores[1].is_some()).then(|| {
        let estimate = distances[1] - distances[0];
        let p_value = |away: f64| {
            let beyond = noises.iter().filter(|noise| noise[0] + noise[1] >= away);
            (1 + beyond.count()) as f64 / (1 + resamples) as f64
        };
        Comparison {
            estimate,
            interval: Interval::around(estimate, bound(&|noise| noise[0] + noise[1])),
            p_first: p_value(estimate),
            p_second: p_value(-estimate),
        }
    });
    Ok(Collapse { scores, comparison })
}

impl Curves {
    fn check(&self) -> Result<(), StatisticsError> {
        let records = self.times[0].len();
        for times in &self.times {
            checks::finite("records", &self.times[0], 2)?;
            checks::one_per_point("times on the second clock", times, records)?;
            for (index, pair) in times.windows(2).enumerate() {
                if pair[1] <= pair[0] {
                    return Err(StatisticsError::NotIncreasing {
                        index: index + 1,
                        previous: pair[0],
                        value: pair[1],
                    });
                }
            }
        }
        let paths = self.values.len() / records;
        if paths < 2 {
            return Err(StatisticsError::TooFew {
                what: "paths of an ensemble",
                given: paths,
                needed: 2,
            });
        }
        checks::one_per_point("values", &self.values, paths * records)
    }
}

/// Two ensembles with times in common on a clock.
struct Pair {
    members: [usize; 2],
    overlap: Interval,
    /// Where each time of the grid lies between the records of each member.
    places: Vec<[Place; 2]>,
}

/// The segment that begins at a record, and the share of it that has passed.
#[derive(Clone, Copy)]
struct Place {
    record: usize,
    share: f64,
}

impl Place {
    fn of(t: f64, times: &[f64]) -> Self {
        let after = times.partition_point(|&time| time < t);
        let record = after.clamp(1, times.len() - 1) - 1;
        let share = (t - times[record]) / (times[record + 1] - times[record]);
        Self { record, share }
    }

    /// The piecewise linear curve there.
    fn value(&self, curve: &[f64]) -> f64 {
        let start = curve[self.record];
        start + self.share * (curve[self.record + 1] - start)
    }
}

impl Pair {
    fn new(ensembles: &[Curves], clock: usize, members: [usize; 2]) -> Option<Self> {
        let [a, b] = members.map(|member| ensembles[member].times[clock].as_slice());
        let lower = a[0].max(b[0]);
        let upper = a[a.len() - 1].min(b[b.len() - 1]);
        let at = |i: usize| {
            let t = lower + (upper - lower) * i as f64 / (GRID - 1) as f64;
            [Place::of(t, a), Place::of(t, b)]
        };
        (lower < upper).then(|| Self {
            members,
            overlap: Interval { lower, upper },
            places: (0..GRID).map(at).collect(),
        })
    }

    /// The mean over time of ½(f − g)².
    fn half_squared_distance(&self, curves: &[Vec<f64>]) -> f64 {
        let [f, g] = self.members.map(|member| &curves[member]);
        let places = self.places.iter();
        let squares = places.map(|[a, b]| (a.value(f) - b.value(g)).powi(2));
        0.5 * squares.sum::<f64>() / GRID as f64
    }

    /// What the errors of the means add to that on average.
    fn half_squared_error(&self, bundle: &[Blocks]) -> f64 {
        let of_member = |side: usize| -> f64 {
            let errors = bundle[self.members[side]].errors.iter();
            let squares = errors.map(|error| {
                let places = self.places.iter();
                places
                    .map(|place| place[side].value(error).powi(2))
                    .sum::<f64>()
            });
            squares.sum()
        };
        0.5 * (of_member(0) + of_member(1)) / GRID as f64
    }
}

/// All pairs with times in common on a clock.
fn pairs(ensembles: &[Curves], clock: usize) -> Vec<Pair> {
    let all = (0..ensembles.len()).flat_map(|b| (0..b).map(move |a| [a, b]));
    all.filter_map(|members| Pair::new(ensembles, clock, members))
        .collect()
}

/// 0 where there are no pairs.
fn mean_over(pairs: &[Pair], value: impl Fn(&Pair) -> f64) -> f64 {
    pairs.iter().map(value).sum::<f64>() / pairs.len().max(1) as f64
}

/// The mean curve of an ensemble, and what each block of its paths adds to the error.
struct Blocks {
    mean: Vec<f64>,
    /// √(B/(B − 1))·Σ (x − x̄)/n over the n/B paths of each block: a sum of B blocks drawn with replacement has the law of
    /// the error of the mean.
    errors: Vec<Vec<f64>>,
}

impl Blocks {
    fn new(curves: &Curves) -> Self {
        let records = curves.times[0].len();
        let paths: Vec<&[f64]> = curves.values.chunks(records).collect();
        let n = paths.len() as f64;
        let mut mean = vec![0.0; records];
        for path in &paths {
            add(&mut mean, path, 1.0 / n);
        }
        let count = BLOCKS.min(paths.len());
        let factor = (count as f64 / (count as f64 - 1.0)).sqrt() / n;
        let block = |b: usize| {
            let members = &paths[b * paths.len() / count..(b + 1) * paths.len() / count];
            let mut sum = vec![0.0; records];
            for path in members {
                add(&mut sum, path, factor);
            }
            add(&mut sum, &mean, -factor * members.len() as f64);
            sum
        };
        Self {
            errors: (0..count).map(block).collect(),
            mean,
        }
    }

    /// A draw from the law of the error of the mean.
    fn error(&self, rng: &mut impl rand::Rng) -> Vec<f64> {
        let mut sum = vec![0.0; self.mean.len()];
        for _ in 0..self.errors.len() {
            let block = rng.random_range(0..self.errors.len());
            add(&mut sum, &self.errors[block], 1.0);
        }
        sum
    }
}

fn add(sum: &mut [f64], values: &[f64], factor: f64) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += factor * value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::testing::{
        assert_close, assert_same_on_any_threads, normal, number, numbers, rarely_more_than,
    };

    /// Paths e^(−t) + z·t with z ~ N(0, `sd`²), recorded at the same first times t, or at t·`lag`; second times are t·`rate`.
    fn curves(trial: usize, paths: usize, rate: f64, lag: f64, sd: f64) -> Curves {
        let records = 20;
        let times: Vec<f64> = (1..=records)
            .map(|i| 2.0 * i as f64 / records as f64)
            .collect();
        let key = (1e3 * rate) as u64 + (1e6 * lag) as u64;
        let slopes = normal(&mut stream(key, trial), paths, 0.0, sd);
        let path = |z: &f64| {
            times
                .iter()
                .map(|&t| (-t * lag).exp() + z * t)
                .collect::<Vec<_>>()
        };
        Curves {
            values: slopes.iter().flat_map(path).collect(),
            times: [times.clone(), times.iter().map(|t| t * rate).collect()],
        }
    }

    fn rungs(trial: usize, lags: [f64; 3], sd: f64) -> Vec<Curves> {
        let rates = [1.0, 0.5, 0.25];
        let pairs = rates.into_iter().zip(lags);
        pairs
            .map(|(rate, lag)| curves(trial, 80, rate, lag, sd))
            .collect()
    }

    #[test]
    fn scores_agree_with_numpy() {
        let file = include_str!("../../tests/reference/collapse.json");
        let case: serde_json::Value = serde_json::from_str(file).unwrap();
        let ensembles: Vec<Curves> = case["ensembles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|ensemble| Curves {
                times: [numbers(&ensemble["first"]), numbers(&ensemble["second"])],
                values: numbers(&ensemble["values"]),
            })
            .collect();
        let found = collapse(&ensembles, number(&case["scale"]), 0.05, 100, 1).unwrap();
        for (score, expected) in found.scores.iter().zip(case["scores"].as_array().unwrap()) {
            let score = score.unwrap();
            assert_close(score.estimate, number(&expected["estimate"]), 1e-10);
            let ends = numbers(&expected["overlap"]);
            assert_close(score.overlap.lower, ends[0], 1e-12);
            assert_close(score.overlap.upper, ends[1], 1e-12);
        }
        let difference = number(&case["difference"]);
        assert_close(found.comparison.unwrap().estimate, difference, 1e-10);
    }

    /// Each count exceeds its bound by chance with probability at most 10⁻⁶.
    #[test]
    fn intervals_cover_the_spread_of_the_true_curves() {
        let (trials, level) = (400, 0.05);
        let allowed = rarely_more_than(trials as u64, 2.0 * level);
        for lags in [[1.0; 3], [1.0, 1.05, 1.1], [1.0, 1.5, 2.0]] {
            let exact = collapse(&rungs(0, lags, 0.0), 0.5, level, 20, 1).unwrap();
            let truth = exact.scores.map(|score| score.unwrap().estimate);
            let advantage = exact.comparison.unwrap().estimate;
            let (mut misses, mut missed_advantage) = (0, 0);
            for trial in 0..trials {
                let found = collapse(&rungs(trial, lags, 0.3), 0.5, level, 200, 2).unwrap();
                let first = found.scores[0].unwrap();
                misses += u64::from(!first.interval.contains(truth[0]));
                let interval = found.comparison.unwrap().interval;
                missed_advantage += u64::from(!interval.contains(advantage));
            }
            assert!(misses <= allowed, "{misses} misses at {lags:?}");
            assert!(
                missed_advantage <= allowed,
                "{missed_advantage} misses at {lags:?}"
            );
        }
    }

    /// The mean squared score of curves that collapse is that of noise without the correction, and 0 with it: the mean of 400
    /// trials is within five standard errors.
    #[test]
    fn the_score_of_a_collapse_is_not_inflated_by_noise() {
        let (mut corrected, mut raw) = (0.0, 0.0);
        for trial in 0..400 {
            let found = collapse(&rungs(trial, [1.0; 3], 0.3), 0.5, 0.05, 20, 3).unwrap();
            let score = found.scores[0].unwrap();
            corrected += score.estimate / 400.0;
            raw += 0.5 * (score.interval.lower + score.interval.upper) / 400.0;
        }
        assert!(corrected < 0.6 * raw, "{corrected} {raw}");
    }

    /// Curves that collapse on the first clock and not on the second, and the other way round: told apart in each of 100 trials.
    #[test]
    fn the_right_clock_is_told_from_the_wrong_one() {
        for trial in 0..100 {
            let right = collapse(&rungs(trial, [1.0; 3], 0.1), 0.5, 0.01, 1000, 4).unwrap();
            let first = right.comparison.unwrap();
            assert!(
                first.interval.lower > 0.0 && first.p_first < 0.01,
                "{first:?}"
            );
            assert!(first.p_second > 0.5, "{first:?}");
            let mut swapped = rungs(trial, [1.0; 3], 0.1);
            for curves in &mut swapped {
                curves.times.swap(0, 1);
            }
            let second = collapse(&swapped, 0.5, 0.01, 1000, 4)
                .unwrap()
                .comparison
                .unwrap();
            assert_eq!(second.estimate, -first.estimate);
            assert!(second.interval.upper < 0.0 && second.p_second < 0.01);
        }
    }

    #[test]
    fn ensembles_without_a_common_time_have_no_score() {
        let mut apart = rungs(0, [1.0; 3], 0.1);
        apart[2].times[1] = apart[2].times[1].iter().map(|t| t + 100.0).collect();
        let found = collapse(&apart, 1.0, 0.05, 20, 5).unwrap();
        assert_close(found.scores[1].unwrap().pairs, 1.0 / 3.0, 1e-12);
        apart[1].times[1] = apart[1].times[1].iter().map(|t| t + 200.0).collect();
        let found = collapse(&apart, 1.0, 0.05, 20, 5).unwrap();
        assert_eq!(found.scores[0].unwrap().pairs, 1.0);
        assert_eq!((found.scores[1], found.comparison), (None, None));
    }

    #[test]
    fn constant_identical_and_few_paths_have_defined_scores() {
        let constant = |value: f64| Curves {
            times: [vec![0.0, 1.0], vec![0.0, 2.0]],
            values: vec![value; 4],
        };
        let same = collapse(&[constant(2.0), constant(2.0)], 1.0, 0.05, 20, 6).unwrap();
        let score = same.scores[0].unwrap();
        assert_eq!((score.estimate, score.interval.upper), (0.0, 0.0));
        let comparison = same.comparison.unwrap();
        assert_eq!((comparison.p_first, comparison.p_second), (1.0, 1.0));
        let apart = collapse(&[constant(2.0), constant(3.0)], 1.0, 0.05, 20, 6).unwrap();
        assert_close(apart.scores[1].unwrap().estimate, 0.5_f64.sqrt(), 1e-12);
    }

    #[test]
    fn the_result_depends_on_the_seed_and_not_on_threads() {
        let ensembles = rungs(0, [1.0; 3], 0.3);
        let of = |seed| collapse(&ensembles, 0.5, 0.05, 100, seed).unwrap();
        assert_same_on_any_threads(|| of(42));
        assert_ne!(of(42), of(43));
    }

    #[test]
    fn illegal_inputs_are_errors() {
        let good = Curves {
            times: [vec![0.0, 1.0], vec![0.0, 2.0]],
            values: vec![0.0; 4],
        };
        let error = |change: &dyn Fn(&mut Curves)| {
            let mut bad = good.clone();
            change(&mut bad);
            collapse(&[good.clone(), bad], 1.0, 0.05, 20, 7)
                .unwrap_err()
                .to_string()
        };
        assert!(error(&|bad| bad.values.truncate(2)).contains("1 paths of an ensemble"));
        assert!(error(&|bad| bad.values.truncate(0)).contains("0 paths of an ensemble"));
        assert!(error(&|bad| bad.values.push(0.0)).contains("5 values"));
        assert!(error(&|bad| bad.values[3] = f64::NAN).contains("NaN"));
        assert!(error(&|bad| bad.times = [vec![], vec![]]).contains("0 records"));
        assert!(error(&|bad| bad.times[1] = vec![0.0]).contains("1 times on the second clock"));
        assert!(error(&|bad| bad.times[1] = vec![1.0, 1.0]).contains("sort the points"));
        let of = |ensembles: &[Curves], scale, level, resamples| {
            let result = collapse(ensembles, scale, level, resamples, 7);
            result.unwrap_err().to_string()
        };
        let two = [good.clone(), good.clone()];
        assert!(of(&two[..1], 1.0, 0.05, 20).contains("1 ensembles"));
        assert!(of(&two, 0.0, 0.05, 20).contains("scale is 0"));
        assert!(of(&two, 1.0, 0.5, 20).contains("level is 0.5"));
        assert!(of(&two, 1.0, 0.01, 20).contains("20 resamples"));
    }
}
