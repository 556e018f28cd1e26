//! Signed weights on the points of two samples, dealt out anew: permutations, bootstrap noise and halves.
//!
//! Every distance of two samples here is a seminorm of the signed measure Fₙ − Gₘ. Resampling changes the weights of
//! that measure and leaves the points where they are, so that what depends on the points alone (their order, their
//! kernel values) is computed once for all resamples. A point moves with all its coordinates: where it is a path, whole
//! paths are permuted, never times.

use rand::{Rng, RngExt};

use super::streams::stream;

/// Which measure is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Draw {
    /// Fₙ − Gₘ of the samples as they are.
    Observed,
    /// The same after the points of both are dealt out at random to two samples of the same sizes.
    Permutation,
    /// (Fₙ* − Fₙ) − (Gₘ* − Gₘ), each sample being resampled from itself.
    Noise,
    /// The difference of two random halves of the second sample.
    Halves,
}

/// The weight of point i is `steps[i]/unit`. Whole numbers, so that sums of them are exact.
pub(super) struct Weights {
    pub steps: Vec<i64>,
    pub unit: f64,
}

/// Two samples as labels on their points, in any order.
pub(super) struct Labels {
    first: Vec<usize>,
    second: Vec<usize>,
}

impl Labels {
    pub fn new(from_first: impl IntoIterator<Item = bool>) -> Self {
        let mut labels = Labels {
            first: Vec::new(),
            second: Vec::new(),
        };
        for (point, is_first) in from_first.into_iter().enumerate() {
            if is_first {
                labels.first.push(point);
            } else {
                labels.second.push(point);
            }
        }
        labels
    }

    /// The first n points are one sample, the next m the other.
    pub fn blocks(n: usize, m: usize) -> Self {
        Self::new((0..n + m).map(|point| point < n))
    }

    fn sizes(&self) -> (usize, usize) {
        (self.first.len(), self.second.len())
    }

    fn jumps(&self) -> (i64, i64) {
        let (n, m) = self.sizes();
        (m as i64, -(n as i64))
    }

    fn half(&self) -> usize {
        self.second.len() / 2
    }

    /// √(1/n + 1/m) over the same of the halves: what brings a distance of halves to the sizes of the samples.
    pub fn scale_of_halves(&self) -> f64 {
        let (n, m) = self.sizes();
        let (half, rest) = (self.half(), m - self.half());
        let noise = |n: usize, m: usize| 1.0 / n as f64 + 1.0 / m as f64;
        (noise(n, m) / noise(half, rest)).sqrt()
    }

    /// The measure number `index` of its kind; each has a stream of its own.
    pub fn draw(&self, draw: Draw, seed: u64, index: usize) -> Weights {
        let mut rng = stream(seed, 4 * index + draw as usize);
        let (n, m) = self.sizes();
        let unit = n as f64 * m as f64;
        let (up, down) = self.jumps();
        let mut steps = vec![0; n + m];
        match draw {
            Draw::Observed | Draw::Noise => {
                let sign = if draw == Draw::Noise { -1 } else { 1 };
                for (points, jump) in [(&self.first, up), (&self.second, down)] {
                    for &point in points {
                        steps[point] = sign * jump;
                    }
                    if draw == Draw::Noise {
                        for _ in 0..points.len() {
                            steps[points[rng.random_range(0..points.len())]] += jump;
                        }
                    }
                }
            }
            Draw::Permutation => {
                let is_first = subset(n, n + m, &mut rng);
                for (step, is_first) in steps.iter_mut().zip(is_first) {
                    *step = if is_first { up } else { down };
                }
            }
            Draw::Halves => {
                let (half, rest) = (self.half(), m - self.half());
                let is_half = subset(half, m, &mut rng);
                for (&point, is_half) in self.second.iter().zip(is_half) {
                    steps[point] = if is_half { rest as i64 } else { -(half as i64) };
                }
                return Weights {
                    steps,
                    unit: half as f64 * rest as f64,
                };
            }
        }
        Weights { steps, unit }
    }
}

/// A random subset of `chosen` of `of` points, each equally probable (Knuth, TAOCP vol. 2, 3.4.2, algorithm S).
fn subset(chosen: usize, of: usize, rng: &mut impl Rng) -> impl Iterator<Item = bool> {
    let (mut wanted, mut left) = (chosen as u64, of as u64);
    (0..of).map(move |_| {
        // A uniform whole number below `left`; its bias, below `left`/2⁶⁴, is nothing.
        let below = ((u128::from(rng.next_u64()) * u128::from(left)) >> 64) as u64;
        let taken = below < wanted;
        left -= 1;
        wanted -= u64::from(taken);
        taken
    })
}

/// The permutation p-value (1 + #{T_b ≥ T})/(1 + B) of the statistic T among those of B random permutations.
///
/// It is exact: under equal laws P(p ≤ u) ≤ u at any B (Phipson & Smyth 2010). Values that differ from T by rounding
/// only, up to a share of 10⁻⁹, are ties and count.
pub fn permutation_p_value(statistic: f64, permuted: &[f64]) -> f64 {
    let at_least = statistic - 1e-9 * statistic.abs();
    share_at_least(permuted, at_least)
}

/// (1 + #{values ≥ bound})/(1 + #values).
pub(super) fn share_at_least(values: &[f64], bound: f64) -> f64 {
    let count = values.iter().filter(|value| **value >= bound).count();
    (1 + count) as f64 / (1 + values.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: [Draw; 4] = [Draw::Observed, Draw::Permutation, Draw::Noise, Draw::Halves];

    #[test]
    fn every_measure_has_mass_zero() {
        let labels = Labels::new([true, false, true, true, false, false, false]);
        for draw in DRAWS {
            for index in 0..20 {
                let weights = labels.draw(draw, 5, index);
                assert_eq!(weights.steps.iter().sum::<i64>(), 0, "{draw:?}");
                assert_eq!(weights.steps.len(), 7);
            }
        }
        assert_eq!(
            labels.draw(Draw::Observed, 5, 0).steps,
            [4, -3, 4, 4, -3, -3, -3]
        );
    }

    #[test]
    fn halves_leave_the_first_sample_out() {
        let labels = Labels::blocks(3, 5);
        let weights = labels.draw(Draw::Halves, 6, 0);
        assert_eq!(weights.steps[..3], [0, 0, 0]);
        assert_eq!(weights.unit, 6.0);
        assert_eq!(weights.steps[3..].iter().filter(|&&w| w == 3).count(), 2);
        // 1/3 + 1/5 against 1/2 + 1/3.
        assert!((labels.scale_of_halves().powi(2) - 0.64).abs() < 1e-15);
    }

    /// χ² of the counts of the ten subsets on 9 degrees of freedom exceeds 46 with probability below 10⁻⁶.
    #[test]
    fn all_subsets_are_equally_probable() {
        let (mut counts, trials) = ([0; 32], 10_000);
        for trial in 0..trials {
            let mut rng = stream(7, trial);
            let code = subset(2, 5, &mut rng).fold(0, |code, taken| 2 * code + usize::from(taken));
            counts[code] += 1;
        }
        let expected = trials as f64 / 10.0;
        let seen: Vec<f64> = counts
            .iter()
            .filter(|&&c| c > 0)
            .map(|&c| f64::from(c))
            .collect();
        assert_eq!(seen.len(), 10);
        let chi: f64 = seen.iter().map(|c| (c - expected).powi(2) / expected).sum();
        assert!(chi < 46.0, "{chi}");
    }

    #[test]
    fn p_values_count_ties_and_never_vanish() {
        assert_eq!(permutation_p_value(2.0, &[1.0, 2.0, 3.0]), 0.75);
        assert_eq!(permutation_p_value(9.0, &[1.0, 2.0, 3.0]), 0.25);
        assert_eq!(permutation_p_value(0.0, &[0.0; 9]), 1.0);
        assert_eq!(permutation_p_value(1.0, &[]), 1.0);
        assert_eq!(permutation_p_value(1.0, &[1.0 - 1e-12]), 1.0);
    }
}
