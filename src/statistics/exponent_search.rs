//! The exponent p of errors c·αᵖ that fits best, common to any number of series, each with a coefficient of its own.

use std::ops::Range;

use super::summary::mean;

/// The exponents searched run from −4 to 8 ...
const SMALLEST_EXPONENT: f64 = -4.0;
const LARGEST_EXPONENT: f64 = 8.0;
/// ... and the best of this many equidistant ones is refined.
const GRID: usize = 241;
/// Bisections of a bracket of two grid steps, down to rounding error.
const BISECTIONS: usize = 48;
/// An exponent that moves by less than this has been found.
const PRECISION: f64 = 1e-15;
/// A nuisance term whose angle to those before it has a smaller sine is left out.
const SMALLEST_SINE: f64 = 1e-10;

/// χ² as a function of the exponent alone, the coefficients being the best for it (variable projection, Golub & Pereyra
/// 1973).
///
/// Errors enter as scores e/se, series after series, each with one score for each step size. Further terms with free
/// coefficients (a nuisance) are projected out.
pub(super) struct ExponentSearch {
    log_steps: Vec<f64>,
    centred_log_steps: Vec<f64>,
    /// 1/se relative to the largest of the series, so that squares do not overflow.
    weights: Vec<f64>,
    smallest_std_errors: Vec<f64>,
    /// For each series an orthonormal basis of the weighted nuisance terms.
    nuisance: Vec<Vec<Vec<f64>>>,
    /// The exponents of the grid, and of the unit vectors that they predict for the scores of each series the entry of each
    /// score, for all exponents side by side.
    exponents: Vec<f64>,
    grid: Vec<[f64; GRID]>,
}

/// The best fit to one series for one exponent.
pub(super) struct Fit {
    pub coefficient: f64,
    /// What c·αᵖ makes of the scores, the nuisance projected out.
    pub fitted: Vec<f64>,
    pub chi_squared: f64,
}

impl ExponentSearch {
    /// `std_errors`: series after series, one for each step size; all are positive.
    pub(super) fn new(step_sizes: &[f64], std_errors: &[f64], nuisance: &[Vec<f64>]) -> Self {
        let rungs = step_sizes.len();
        let log_steps: Vec<f64> = step_sizes.iter().map(|step| step.ln()).collect();
        let centre = mean(&log_steps);
        let smallest = |series: &[f64]| series.iter().copied().fold(f64::INFINITY, f64::min);
        let smallest_std_errors: Vec<f64> = std_errors.chunks(rungs).map(smallest).collect();
        let weights: Vec<f64> = std_errors
            .chunks(rungs)
            .zip(&smallest_std_errors)
            .flat_map(|(series, smallest)| series.iter().map(move |se| smallest / se))
            .collect();
        let mut search = Self {
            centred_log_steps: log_steps.iter().map(|log_step| log_step - centre).collect(),
            log_steps,
            nuisance: weights
                .chunks(rungs)
                .map(|weights| orthonormal(nuisance, weights))
                .collect(),
            weights,
            smallest_std_errors,
            exponents: Vec::new(),
            grid: vec![[0.0; GRID]; std_errors.len()],
        };
        let spacing = (LARGEST_EXPONENT - SMALLEST_EXPONENT) / (GRID - 1) as f64;
        let exponents = (0..GRID).map(|i| SMALLEST_EXPONENT + spacing * i as f64);
        search.exponents = exponents.collect();
        for i in 0..GRID {
            let vectors = search.unit_vectors(search.exponents[i]);
            for (entries, entry) in search.grid.iter_mut().zip(vectors) {
                entries[i] = entry;
            }
        }
        search
    }

    /// The number of nuisance terms that are independent.
    pub(super) fn nuisance_terms(&self) -> usize {
        self.nuisance.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The scores without what the nuisance explains of them.
    pub(super) fn projected(&self, scores: &[f64]) -> Vec<f64> {
        let mut projected = scores.to_vec();
        for (series, basis) in projected.chunks_mut(self.rungs()).zip(&self.nuisance) {
            remove(series, basis);
        }
        projected
    }

    /// The p that minimises χ² over `series`, for projected scores.
    pub(super) fn best_exponent(&self, scores: &[f64], series: Range<usize>) -> f64 {
        let best = self.best_of_grid(scores, series.clone());
        let lower = self.exponents[best.saturating_sub(1)];
        let upper = self.exponents[(best + 1).min(GRID - 1)];
        let mut powers = vec![0.0; self.rungs()];
        let mut direction = powers.clone();
        zero_of_a_rise(lower, upper, |p| {
            self.slope(p, scores, series.clone(), &mut powers, &mut direction)
        })
    }

    /// The exponent of the grid that explains most of the scores.
    fn best_of_grid(&self, scores: &[f64], series: Range<usize>) -> usize {
        let rungs = self.rungs();
        let mut explained = [0.0; GRID];
        for j in series {
            let of_series = j * rungs..(j + 1) * rungs;
            let mut along = [0.0; GRID];
            for (entries, score) in self.grid[of_series.clone()].iter().zip(&scores[of_series]) {
                for (sum, entry) in along.iter_mut().zip(entries) {
                    *sum += entry * score;
                }
            }
            for (sum, part) in explained.iter_mut().zip(&along) {
                *sum += part * part;
            }
        }
        let all = explained.iter().enumerate();
        all.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))
            .map_or(0, |best| best.0)
    }

    /// The fit to one series, for projected scores.
    pub(super) fn at(&self, exponent: f64, scores: &[f64], series: usize) -> Fit {
        let rungs = self.rungs();
        let scores = &scores[series * rungs..][..rungs];
        let mut direction = vec![0.0; rungs];
        let mut powers = vec![0.0; rungs];
        let log_scale = self.powers(exponent, &mut powers);
        self.direction(&powers, series, &mut direction);
        let scaled = coefficient(&direction, scores);
        let fitted: Vec<f64> = direction.iter().map(|b| scaled * b).collect();
        let residuals = scores.iter().zip(&fitted).map(|(s, f)| s - f);
        Fit {
            coefficient: scaled * self.smallest_std_errors[series] * (-log_scale).exp(),
            chi_squared: residuals.map(|r| r * r).sum(),
            fitted,
        }
    }

    /// Whether an exponent is an end of the range searched.
    pub(super) fn is_edge(exponent: f64) -> bool {
        (exponent - SMALLEST_EXPONENT).min(LARGEST_EXPONENT - exponent) < 1e-9
    }

    /// The nearest exponent in the range searched.
    pub(super) fn clamp(exponent: f64) -> f64 {
        exponent.clamp(SMALLEST_EXPONENT, LARGEST_EXPONENT)
    }

    fn rungs(&self) -> usize {
        self.log_steps.len()
    }

    /// αᵖ over the largest of them; returns the logarithm of that.
    fn powers(&self, exponent: f64, powers: &mut [f64]) -> f64 {
        let logs = self.log_steps.iter().map(|log_step| exponent * log_step);
        let log_scale = logs.clone().fold(f64::NEG_INFINITY, f64::max);
        for (power, log) in powers.iter_mut().zip(logs) {
            *power = (log - log_scale).exp();
        }
        log_scale
    }

    /// αᵖ/se of one series up to a factor, the nuisance projected out.
    fn direction(&self, powers: &[f64], series: usize, direction: &mut [f64]) {
        let weights = &self.weights[series * powers.len()..][..powers.len()];
        for ((d, power), weight) in direction.iter_mut().zip(powers).zip(weights) {
            *d = power * weight;
        }
        let before = dot(direction, direction);
        remove(direction, &self.nuisance[series]);
        // What is left by rounding alone predicts nothing.
        if dot(direction, direction) <= SMALLEST_SINE.powi(2) * before {
            direction.fill(0.0);
        }
    }

    fn unit_vectors(&self, exponent: f64) -> Vec<f64> {
        let mut powers = vec![0.0; self.rungs()];
        self.powers(exponent, &mut powers);
        let mut vectors = vec![0.0; self.weights.len()];
        for (series, vector) in vectors.chunks_mut(powers.len()).enumerate() {
            self.direction(&powers, series, vector);
            let length = dot(vector, vector).sqrt();
            if length > 0.0 {
                vector.iter_mut().for_each(|x| *x /= length);
            }
        }
        vectors
    }

    /// ½·dχ²/dp = −Σ c·Σ r·b·log α; the derivative of c drops out, as the residual r is orthogonal to b.
    fn slope(
        &self,
        exponent: f64,
        scores: &[f64],
        series: Range<usize>,
        powers: &mut [f64],
        direction: &mut [f64],
    ) -> f64 {
        let rungs = self.rungs();
        self.powers(exponent, powers);
        let mut slope = 0.0;
        for j in series {
            let scores = &scores[j * rungs..][..rungs];
            let weights = &self.weights[j * rungs..][..rungs];
            self.direction(powers, j, direction);
            let c = coefficient(direction, scores);
            let tilt: f64 = (0..rungs)
                .map(|r| {
                    let b = powers[r] * weights[r] * self.centred_log_steps[r];
                    (scores[r] - c * direction[r]) * b
                })
                .sum();
            slope -= c * tilt;
        }
        slope
    }
}

/// Where a function between two points goes from negative to positive: secants with Illinois's halving (Dowell and Jarratt
/// 1971) where its ends have these signs, bisection where not; an end where it has one sign throughout.
fn zero_of_a_rise(mut lower: f64, mut upper: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    let (mut at_lower, mut at_upper) = (f(lower), f(upper));
    if !(at_lower < 0.0 && at_upper > 0.0) {
        return bisection(lower, upper, f);
    }
    let (mut last, mut moved) = (f64::INFINITY, 0.0);
    for _ in 0..BISECTIONS {
        let x = lower - at_lower * (upper - lower) / (at_upper - at_lower);
        if (x - last).abs() <= PRECISION * x.abs().max(1.0) {
            break;
        }
        let at_x = f(x);
        // Where one end moves twice, the value at the other counts half, so that it moves next.
        let again = at_x.signum() == moved;
        if at_x < 0.0 {
            (lower, at_lower) = (x, at_x);
            at_upper *= if again { 0.5 } else { 1.0 };
        } else {
            (upper, at_upper) = (x, at_x);
            at_lower *= if again { 0.5 } else { 1.0 };
        }
        (last, moved) = (x, at_x.signum());
    }
    last
}

fn bisection(mut lower: f64, mut upper: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (lower + upper);
        if f(middle) < 0.0 {
            lower = middle;
        } else {
            upper = middle;
        }
    }
    0.5 * (lower + upper)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn coefficient(direction: &[f64], scores: &[f64]) -> f64 {
    let squared_length = dot(direction, direction);
    if squared_length == 0.0 {
        return 0.0;
    }
    dot(direction, scores) / squared_length
}

fn remove(vector: &mut [f64], basis: &[Vec<f64>]) {
    for column in basis {
        let along = dot(vector, column);
        for (x, c) in vector.iter_mut().zip(column) {
            *x -= along * c;
        }
    }
}

/// Gram–Schmidt on the weighted columns, twice for rounding; columns that depend on those before are left out.
fn orthonormal(columns: &[Vec<f64>], weights: &[f64]) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for column in columns {
        let mut vector: Vec<f64> = column.iter().zip(weights).map(|(x, w)| x * w).collect();
        let length = dot(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|x| *x /= length);
        remove(&mut vector, &basis);
        let sine = dot(&vector, &vector).sqrt();
        if sine > SMALLEST_SINE {
            vector.iter_mut().for_each(|x| *x /= sine);
            remove(&mut vector, &basis);
            basis.push(vector);
        }
    }
    basis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::streams::stream;
    use crate::statistics::testing::normal;

    #[test]
    fn secants_find_the_zero_that_bisection_finds_and_in_fewer_steps() {
        for (i, slope) in [1e-8, 1.0, 1e8].into_iter().enumerate() {
            let mut calls = 0;
            let f = |x: f64| slope * ((x - 0.3).powi(3) + 0.01 * (x - 0.3) - 1e-5 * i as f64);
            let found = zero_of_a_rise(0.0, 1.0, |x| {
                calls += 1;
                f(x)
            });
            assert!((found - bisection(0.0, 1.0, f)).abs() < 1e-14, "{found}");
            assert!(calls < 25, "{calls}");
        }
        // One sign throughout: an end.
        assert!(zero_of_a_rise(0.0, 1.0, |_| 1.0) < 1e-12);
        assert!(zero_of_a_rise(0.0, 1.0, |_| -1.0) > 1.0 - 1e-12);
    }

    /// Pure noise, where χ² has several minima, and a signal: the best of a fine grid is no better.
    #[test]
    fn no_other_exponent_fits_better() {
        let (steps, errors) = (
            [0.08, 0.04, 0.02, 0.01],
            [1.0, 0.7, 0.9, 1.1, 0.5, 0.5, 0.6, 0.4],
        );
        let search = ExponentSearch::new(&steps, &errors, &[]);
        for trial in 0..50 {
            let mut scores = normal(&mut stream(17, trial), 8, 0.0, 1.0);
            if trial % 2 == 0 {
                let signal = steps.iter().chain(&steps).zip(&errors);
                scores
                    .iter_mut()
                    .zip(signal)
                    .for_each(|(score, (step, se))| *score += 80.0 * step / se);
            }
            let misfit = |p: f64| {
                search.at(p, &scores, 0).chi_squared + search.at(p, &scores, 1).chi_squared
            };
            let best = misfit(search.best_exponent(&scores, 0..2));
            let others = (0..=12_000).map(|i| misfit(-4.0 + 1e-3 * f64::from(i)));
            let least = others.fold(f64::INFINITY, f64::min);
            assert!(best <= least * (1.0 + 1e-9), "{trial}: {best} {least}");
        }
    }
}
