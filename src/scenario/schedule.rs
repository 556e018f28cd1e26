//! Step-size schedules and the slow clock: from iterations to slow time.

use serde::{Deserialize, Serialize};

/// Which slow time is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// Σ α_k σ²: the non-degenerate regime.
    Fast,
    /// Σ α_k² σ²: the degenerate regime.
    Slow,
}

impl Clock {
    /// The power of α: 1 or 2.
    pub fn power(self) -> i32 {
        match self {
            Self::Fast => 1,
            Self::Slow => 2,
        }
    }

    /// Slow time as a formula.
    pub fn formula(self) -> &'static str {
        match self {
            Self::Fast => "t = kασ²",
            Self::Slow => "t = kα²σ²",
        }
    }
}

/// The factor f in α_k = α·f(k); times are slow times at constant step size, τ = k·α^power·σ².
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// f = 1.
    Constant,
    /// f = (1 + τ/τ₀)^−γ.
    Polynomial {
        /// γ > 0.
        gamma: f64,
        /// τ₀ > 0.
        decay_time: f64,
    },
    /// f = (1 + k/k₀)^−γ with k₀ in steps.
    PolynomialInSteps {
        /// γ > 0.
        gamma: f64,
        /// k₀ > 0.
        decay_steps: f64,
    },
    /// f is the factor of the last piece that has begun: (from τ, factor).
    Piecewise(Vec<[f64; 2]>),
    /// f = floor + (1 − floor)·½(1 + cos πτ/T).
    Cosine {
        /// Value at the horizon.
        floor: f64,
        /// T.
        horizon: f64,
    },
}

/// A schedule at one rung of the ladder: base step size, σ and clock are fixed.
#[derive(Clone, Debug)]
pub struct LevelClock<'a> {
    schedule: &'a Schedule,
    step_size: f64,
    /// Slow time of one step at constant step size.
    unit: f64,
    power: i32,
}

impl<'a> LevelClock<'a> {
    /// The clock of a rung with step size α and noise σ.
    pub fn new(schedule: &'a Schedule, clock: Clock, step_size: f64, sigma: f64) -> Self {
        Self {
            schedule,
            step_size,
            unit: step_size.powi(clock.power()) * sigma * sigma,
            power: clock.power(),
        }
    }

    /// α_k.
    pub fn step_size(&self, k: u64) -> f64 {
        self.step_size * self.factor(k as f64)
    }

    /// The number of iterations of constant step size that slow time τ takes, at least 1.
    pub fn iterations(&self, nominal_time: f64) -> u64 {
        (nominal_time / self.unit).round().max(1.0) as u64
    }

    fn factor(&self, k: f64) -> f64 {
        let tau = k * self.unit;
        match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Polynomial { gamma, decay_time } => (1.0 + tau / decay_time).powf(-gamma),
            Schedule::PolynomialInSteps { gamma, decay_steps } => {
                (1.0 + k / decay_steps).powf(-gamma)
            }
            Schedule::Piecewise(pieces) => {
                // A boundary that falls on a step belongs to the new piece, whatever the rounding.
                let begun = |piece: &&[f64; 2]| piece[0] <= tau + 1e-9 * self.unit;
                pieces
                    .iter()
                    .rev()
                    .find(begun)
                    .map_or(1.0, |piece| piece[1])
            }
            Schedule::Cosine { floor, horizon } => {
                let phase = (tau / horizon).min(1.0) * std::f64::consts::PI;
                floor + (1.0 - floor) * 0.5 * (1.0 + phase.cos())
            }
        }
    }

    /// The slow time Σ_{j<k} α_j^power σ² after each of `iterations` (increasing).
    pub fn slow_times(&self, iterations: &[u64]) -> Vec<f64> {
        if *self.schedule == Schedule::Constant {
            return iterations.iter().map(|&k| k as f64 * self.unit).collect();
        }
        let (mut j, mut sum) = (0, 0.0);
        iterations
            .iter()
            .map(|&k| {
                while j < k {
                    sum += self.factor(j as f64).powi(self.power);
                    j += 1;
                }
                sum * self.unit
            })
            .collect()
    }

    /// The step size as a function of slow time, up to the slow time of iteration `last`.
    pub fn step_size_in_slow_time(&self, last: u64) -> impl Fn(f64) -> f64 + Sync + use<> {
        let mut knots: Vec<u64> = (0..=2000).map(|i| last * i / 2000).collect();
        knots.dedup();
        let times = self.slow_times(&knots);
        let sizes: Vec<_> = knots.iter().map(|&k| self.step_size(k)).collect();
        move |t| {
            let right = times.partition_point(|&x| x <= t).clamp(1, times.len() - 1);
            let left = right - 1;
            let share = ((t - times[left]) / (times[right] - times[left])).clamp(0.0, 1.0);
            sizes[left] + share * (sizes[right] - sizes[left])
        }
    }

    /// The slow time that is never exceeded, however many iterations; `None` if there is no such time.
    pub fn freezing_time(&self) -> Option<f64> {
        let (gamma, decay_steps) = match *self.schedule {
            Schedule::Polynomial { gamma, decay_time } => (gamma, decay_time / self.unit),
            Schedule::PolynomialInSteps { gamma, decay_steps } => (gamma, decay_steps),
            Schedule::Cosine {
                floor: 0.0,
                horizon,
            } => {
                return Some(self.slow_times(&[self.iterations(horizon)])[0]);
            }
            _ => return None,
        };
        let power = gamma * f64::from(self.power);
        // Σ_k (1 + k/k₀)^−s = k₀^s ζ(s, k₀), by Euler–Maclaurin to the order of 1/k₀³.
        (power > 1.0).then(|| {
            let sum = decay_steps / (power - 1.0) + 0.5 + power / (12.0 * decay_steps);
            self.unit * sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_time_of_a_constant_schedule_is_k_alpha_to_the_power_sigma_squared() {
        let clock = LevelClock::new(&Schedule::Constant, Clock::Slow, 0.1, 0.3);
        assert!((clock.slow_times(&[1000])[0] - 1000.0 * 0.01 * 0.09).abs() < 1e-12);
        assert_eq!(clock.iterations(0.9), 1000);
        assert_eq!(clock.freezing_time(), None);
        let clock = LevelClock::new(&Schedule::Constant, Clock::Fast, 0.1, 0.3);
        assert_eq!(clock.iterations(0.9), 100);
    }

    #[test]
    fn a_decay_freezes_the_slow_clock_above_one_half_and_the_fast_clock_above_one() {
        let decay = |gamma| Schedule::Polynomial {
            gamma,
            decay_time: 0.2,
        };
        let freezes =
            |gamma, clock| LevelClock::new(&decay(gamma), clock, 0.1, 0.3).freezing_time();
        assert_eq!(freezes(0.5, Clock::Slow), None);
        assert_eq!(freezes(1.0, Clock::Fast), None);
        assert!(freezes(0.51, Clock::Slow).is_some() && freezes(1.01, Clock::Fast).is_some());
        assert_eq!(freezes(0.75, Clock::Fast), None);
        // The sum itself approaches the freezing time like the tail of the integral, 2τ₀/√(1 + τ/τ₀).
        let schedule = decay(0.75);
        let clock = LevelClock::new(&schedule, Clock::Slow, 0.1, 0.3);
        let end = clock.freezing_time().unwrap();
        let tau: f64 = 2000.0;
        let reached = clock.slow_times(&[clock.iterations(tau)])[0];
        let tail = 2.0 * 0.2 / (1.0 + tau / 0.2).sqrt();
        assert!(
            (end - reached - tail).abs() < 1e-8,
            "{end} {reached} {tail}"
        );
    }

    #[test]
    fn pieces_and_cosine_have_the_factors_of_their_formula() {
        let pieces = Schedule::Piecewise(vec![[0.0, 1.0], [0.5, 0.1]]);
        let clock = LevelClock::new(&pieces, Clock::Fast, 0.1, 1.0);
        assert_eq!(
            (clock.step_size(4), clock.step_size(5)),
            (0.1, 0.010000000000000002)
        );
        let cosine = Schedule::Cosine {
            floor: 0.2,
            horizon: 1.0,
        };
        let clock = LevelClock::new(&cosine, Clock::Fast, 0.1, 1.0);
        assert!((clock.step_size(5) - 0.1 * 0.6).abs() < 1e-15);
        assert!((clock.step_size(10) - 0.02).abs() < 1e-15);
        assert!((clock.step_size(25) - 0.02).abs() < 1e-15);
    }

    #[test]
    fn the_step_size_in_slow_time_is_that_of_the_iteration() {
        let schedule = Schedule::Polynomial {
            gamma: 0.75,
            decay_time: 0.2,
        };
        let clock = LevelClock::new(&schedule, Clock::Slow, 0.1, 0.3);
        let in_time = clock.step_size_in_slow_time(20_000);
        for k in [0, 77, 5000, 20_000] {
            let t = clock.slow_times(&[k])[0];
            assert!((in_time(t) - clock.step_size(k)).abs() < 1e-4 * 0.1, "{k}");
        }
    }
}
