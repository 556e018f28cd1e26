//! How many paths each rung needs for the declared margins: for the error at α → 0 to be shown to be small.

use crate::scenario::MarginsSpec;
use crate::statistics::{margin_in_standard_errors, weighted_least_squares};

/// The probability with which all mean checks of a true theory pass.
pub const POWER: f64 = 0.95;
const FEWEST_PATHS: f64 = 8.0;
const MOST_PATHS: f64 = 1e12;
/// Rounds of the search for the cheapest allocation, and the smallest share of a rung in it.
const ROUNDS: usize = 200;
const SMALLEST_SHARE: f64 = 1e-3;

/// One mean (or mean square) at one record time, to be compared with the limit's within a margin.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// "mean of u at slow time 0.4".
    pub what: String,
    /// Number of the observable.
    pub observable: usize,
    /// Standard deviation of one path on each rung, coarsest first.
    pub deviations: Vec<f64>,
    /// Standard deviation of one path of the limit; 0 if it is deterministic.
    pub limit_deviation: f64,
    /// The margin, in units of the observable.
    pub margin: f64,
}

/// How a study will answer its questions.
#[derive(Clone, Debug)]
pub struct Design {
    /// All of them.
    pub questions: Vec<Question>,
    /// The columns of the extrapolation beside 1: powers of the step sizes. Empty columns and `corrected`: rung by rung.
    pub regressors: Vec<Vec<f64>>,
    /// Whether each rung is compared by itself, nothing extrapolated.
    pub corrected: bool,
    /// Iterations of each rung: what a path costs.
    pub iterations: Vec<u64>,
    /// Paths of the limit, where the scenario fixes them; else as many as the largest rung.
    pub limit_paths: Option<usize>,
    /// Level of each test.
    pub level: f64,
}

/// The paths needed.
#[derive(Clone, Debug, PartialEq)]
pub struct PathsNeeded {
    /// The same for every rung; `None` if no number suffices, as the limit has too few paths.
    pub equal: Option<usize>,
    /// The question that needs most.
    pub binding: String,
    /// For each observable, by number, what its own questions need.
    pub by_observable: Vec<(usize, Option<usize>)>,
    /// One number a rung, with the fewest path-steps in all (near enough).
    pub cheapest: Option<Vec<usize>>,
    /// Path-steps of both.
    pub path_steps: [f64; 2],
    /// Whether the scenario's own numbers of paths suffice.
    pub sufficient: bool,
}

impl Design {
    /// What the margins ask for, given each rung's present paths; `None` where there is no question.
    pub fn paths_needed(&self, present: &[usize]) -> Option<PathsNeeded> {
        let rungs = self.iterations.len();
        let all: Vec<&Question> = self.questions.iter().collect();
        let same = |n: f64| vec![n; rungs];
        let binding = self.worst(&all, &same(1e4))?.1;
        let equal = self.fewest(&all, &same(1.0));
        let mut observables: Vec<usize> = all.iter().map(|q| q.observable).collect();
        observables.dedup();
        let by_observable = observables.into_iter().map(|o| {
            let own: Vec<_> = all.iter().copied().filter(|q| q.observable == o).collect();
            (o, self.fewest(&own, &same(1.0)).map(|n| n[0]))
        });
        let cheapest = self.fewest(&all, &self.cheap_shape(binding));
        let steps = |paths: &Option<Vec<usize>>| {
            paths.as_ref().map_or(f64::NAN, |paths| {
                let each = paths.iter().zip(&self.iterations);
                each.map(|(&n, &k)| n as f64 * k as f64).sum()
            })
        };
        let present: Vec<f64> = present.iter().map(|&n| n as f64).collect();
        Some(PathsNeeded {
            binding: binding.what.clone(),
            by_observable: by_observable.collect(),
            path_steps: [steps(&equal), steps(&cheapest)],
            equal: equal.map(|paths| paths[0]),
            cheapest,
            sufficient: self.worst(&all, &present)?.0 <= 1.0,
        })
    }

    /// The fewest paths of this shape (number per rung up to a factor) that answer the questions.
    fn fewest(&self, questions: &[&Question], shape: &[f64]) -> Option<Vec<usize>> {
        let least = shape.iter().copied().fold(f64::INFINITY, f64::min);
        let paths = |factor: f64| -> Vec<f64> {
            let each = shape.iter().map(|s| (s * factor).ceil().max(FEWEST_PATHS));
            each.collect()
        };
        let suffices = |factor: f64| {
            self.worst(questions, &paths(factor))
                .is_some_and(|w| w.0 <= 1.0)
        };
        let mut upper = FEWEST_PATHS / least;
        while !suffices(upper) {
            upper *= 2.0;
            if upper * least > MOST_PATHS {
                return None;
            }
        }
        let mut lower = 0.0;
        while upper - lower > 1e-4 * upper {
            let middle = 0.5 * (lower + upper);
            if suffices(middle) {
                upper = middle;
            } else {
                lower = middle;
            }
        }
        Some(paths(upper).into_iter().map(|n| n as usize).collect())
    }

    /// The question that is furthest from being answered, and by what factor its standard error is too large.
    fn worst<'a>(&self, questions: &[&'a Question], paths: &[f64]) -> Option<(f64, &'a Question)> {
        let fewest = paths.iter().copied().fold(f64::INFINITY, f64::min);
        let most = paths.iter().copied().fold(0.0, f64::max);
        let tests = self.questions.len() * if self.corrected { paths.len() } else { 1 };
        // Each of the tests may miss its share of the probability that any does.
        let miss = (1.0 - POWER) / tests.max(1) as f64;
        let wide = margin_in_standard_errors(self.level, miss, Some((fewest - 1.0).max(1.0)));
        let limit_paths = self.limit_paths.map_or(most, |n| n as f64);
        let excess = questions.iter().map(|question| {
            let std_errors: Vec<f64> = question
                .deviations
                .iter()
                .zip(paths)
                .map(|(sd, n)| sd / n.sqrt())
                .collect();
            let own = if self.corrected {
                std_errors.iter().copied().fold(0.0, f64::max)
            } else {
                self.intercept(&std_errors)
                    .map_or(f64::INFINITY, |(se, _)| se)
            };
            let std_error = own.hypot(question.limit_deviation / limit_paths.sqrt());
            (wide * std_error / question.margin, *question)
        });
        excess.max_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// The standard error of the error at α → 0, and the weight of each rung in it.
    fn intercept(&self, std_errors: &[f64]) -> Option<(f64, Vec<f64>)> {
        let mut columns = vec![vec![1.0; std_errors.len()]];
        columns.extend(self.regressors.iter().cloned());
        let zeros = vec![0.0; std_errors.len()];
        let fit = weighted_least_squares(&columns, &zeros, std_errors).ok()?;
        let weight = |rung: usize| {
            let terms = columns.iter().enumerate();
            let sum: f64 = terms.map(|(c, x)| fit.covariance[(0, c)] * x[rung]).sum();
            sum / std_errors[rung].powi(2)
        };
        let weights = (0..std_errors.len()).map(weight).collect();
        Some((fit.std_error(0), weights))
    }

    /// Paths per rung, up to a factor, that answer one question with the fewest path-steps: n ∝ sd·|weight|/√cost, the
    /// weights being those that the fit then has (found by repetition).
    fn cheap_shape(&self, question: &Question) -> Vec<f64> {
        let mut shape: Vec<f64> = vec![1.0; question.deviations.len()];
        if self.corrected {
            return question.deviations.iter().map(|sd| sd * sd).collect();
        }
        for _ in 0..ROUNDS {
            let std_errors: Vec<f64> = question
                .deviations
                .iter()
                .zip(&shape)
                .map(|(sd, n)| sd / n.sqrt())
                .collect();
            let Some((_, weights)) = self.intercept(&std_errors) else {
                break;
            };
            let wanted: Vec<f64> = (0..shape.len())
                .map(|i| {
                    let cost = (self.iterations[i] as f64).sqrt();
                    question.deviations[i] * weights[i].abs() / cost
                })
                .collect();
            let most = wanted.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
            shape = wanted
                .iter()
                .map(|n| (n / most).max(SMALLEST_SHARE))
                .collect();
        }
        shape
    }
}

/// The margin of each moment (mean, mean square of the displacement) for an observable that moves by `scale`.
pub(super) fn margins(spec: &MarginsSpec, scale: f64) -> [f64; 2] {
    [spec.mean * scale, spec.square * scale.powi(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn design(regressors: Vec<Vec<f64>>) -> Design {
        Design {
            questions: vec![Question {
                what: "mean of x at slow time 1".into(),
                observable: 0,
                deviations: vec![2.0; 4],
                limit_deviation: 0.0,
                margin: 0.1,
            }],
            regressors,
            corrected: false,
            iterations: vec![100, 200, 400, 800],
            limit_paths: None,
            level: 0.01,
        }
    }

    #[test]
    fn without_regressors_the_paths_are_those_of_one_mean_of_all() {
        // The mean of 4n paths: se = 2/√(4n), which has to be 0.1/(2.326 + 1.960).
        let needed = design(vec![]).paths_needed(&[1837; 4]).unwrap();
        let expected = (2.0 * 4.2863 / 0.1_f64).powi(2) / 4.0;
        let equal = needed.equal.unwrap() as f64;
        assert!((equal / expected - 1.0).abs() < 2e-3, "{equal} {expected}");
        assert_eq!(needed.sufficient, equal <= 1837.0);
        assert!(design(vec![]).paths_needed(&[2000; 4]).unwrap().sufficient);
        assert!(!design(vec![]).paths_needed(&[1500; 4]).unwrap().sufficient);
    }

    #[test]
    fn the_cheapest_allocation_answers_as_well_with_fewer_steps() {
        let alphas = [0.08, 0.04, 0.02, 0.01f64];
        let design = design(vec![alphas.to_vec(), alphas.map(|a| a * a).to_vec()]);
        let needed = design.paths_needed(&[100; 4]).unwrap();
        assert!(needed.path_steps[1] < needed.path_steps[0], "{needed:?}");
        let cheapest: Vec<usize> = needed.cheapest.clone().unwrap();
        assert!(design.paths_needed(&cheapest).unwrap().sufficient);
        let fewer: Vec<usize> = cheapest.iter().map(|n| n * 9 / 10).collect();
        assert!(!design.paths_needed(&fewer).unwrap().sufficient);
    }

    #[test]
    fn a_limit_with_too_few_paths_can_be_helped_by_no_number_of_descents() {
        let mut design = design(vec![]);
        design.questions[0].limit_deviation = 2.0;
        design.limit_paths = Some(100);
        assert_eq!(design.paths_needed(&[100; 4]).unwrap().equal, None);
        // As many as the rungs: n of the limit and 4n of the descents.
        design.limit_paths = None;
        let equal = design.paths_needed(&[100; 4]).unwrap().equal.unwrap() as f64;
        let expected = (2.0 * 4.2863 / 0.1_f64).powi(2) * 1.25;
        assert!((equal / expected - 1.0).abs() < 2e-3, "{equal} {expected}");
    }
}
