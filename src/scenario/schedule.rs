//! Step-size schedules and the slow clock: from iterations to slow time.

use serde::{Deserialize, Serialize};

/// Terms of a schedule's sum that are added one by one before its tail is summed as an integral.
const SUMMED_DIRECTLY: u64 = 2000;
/// Nobody waits for more.
const MOST_ITERATIONS: u64 = 1_000_000_000_000_000;
/// Knots of the step size as a function of slow time.
const KNOTS: u64 = 2000;

/// Which slow time is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
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
    sigma: f64,
    /// Slow time of one step at constant step size: the time that the schedule is a function of.
    unit: f64,
    /// The same on the clock that counts.
    counted: f64,
    power: i32,
}

impl<'a> LevelClock<'a> {
    /// The clock of a rung with step size α and noise σ.
    pub fn new(schedule: &'a Schedule, clock: Clock, step_size: f64, sigma: f64) -> Self {
        let unit = step_size.powi(clock.power()) * sigma * sigma;
        Self {
            schedule,
            step_size,
            sigma,
            unit,
            counted: unit,
            power: clock.power(),
        }
    }

    /// The same step sizes α_k, but slow time counted as Σ α_k^power σ² with the power of another clock.
    pub fn counting(&self, clock: Clock) -> Self {
        Self {
            counted: self.step_size.powi(clock.power()) * self.sigma * self.sigma,
            power: clock.power(),
            ..self.clone()
        }
    }

    /// Whether α_k is the same at every k.
    pub fn is_constant(&self) -> bool {
        matches!(self.schedule, Schedule::Constant)
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

    /// Slow time of one step at constant step size.
    pub fn unit(&self) -> f64 {
        self.unit
    }

    /// The slow time Σ_{j<k} α_j^power σ² after each of `iterations`.
    pub fn slow_times(&self, iterations: &[u64]) -> Vec<f64> {
        iterations
            .iter()
            .map(|&k| self.counted * self.sum_of_powers(k))
            .collect()
    }

    /// The fewest iterations whose slow time is at least `slow_time` (up to 1e-9 of it); `None` where a decaying schedule
    /// never gets there, or not within 10¹⁵ iterations.
    pub fn iterations_until(&self, slow_time: f64) -> Option<u64> {
        let reached = |k: u64| self.slow_times(&[k])[0] >= slow_time * (1.0 - 1e-9);
        let mut upper = 1;
        while !reached(upper) {
            upper *= 2;
            if upper > MOST_ITERATIONS {
                return None;
            }
        }
        let mut lower = upper / 2;
        while upper - lower > 1 {
            let middle = lower + (upper - lower) / 2;
            if reached(middle) {
                upper = middle;
            } else {
                lower = middle;
            }
        }
        Some(upper)
    }

    /// Σ_{j<k} f(j)^power, in a number of operations that does not grow with k.
    fn sum_of_powers(&self, k: u64) -> f64 {
        let direct = |range: std::ops::Range<u64>| -> f64 {
            range.map(|j| self.factor(j as f64).powi(self.power)).sum()
        };
        match *self.schedule {
            Schedule::Constant => k as f64,
            Schedule::Piecewise(ref pieces) => {
                let begins: Vec<u64> = pieces
                    .iter()
                    .map(|piece| self.first_step_from(piece[0]))
                    .collect();
                let ends = begins[1..].iter().copied().chain([u64::MAX]);
                let steps = begins
                    .iter()
                    .zip(ends)
                    .map(|(&begin, end)| end.min(k).saturating_sub(begin) as f64);
                steps
                    .zip(pieces)
                    .map(|(steps, piece)| steps * piece[1].powi(self.power))
                    .sum()
            }
            Schedule::Cosine { floor, horizon } => {
                let falling = self.first_step_from(horizon).min(k);
                let theta = std::f64::consts::PI * self.unit / horizon;
                let (mean, swing) = (0.5 * (1.0 + floor), 0.5 * (1.0 - floor));
                let n = falling as f64;
                let one = sum_of_cosines(theta, falling);
                let sum = match self.power {
                    1 => mean * n + swing * one,
                    _ => {
                        let squares = 0.5 * (n + sum_of_cosines(2.0 * theta, falling));
                        mean * mean * n + 2.0 * mean * swing * one + swing * swing * squares
                    }
                };
                sum + (k - falling) as f64 * floor.powi(self.power)
            }
            Schedule::Polynomial { gamma, .. } | Schedule::PolynomialInSteps { gamma, .. } => {
                if k <= SUMMED_DIRECTLY {
                    return direct(0..k);
                }
                let power = gamma * f64::from(self.power);
                direct(0..SUMMED_DIRECTLY)
                    + polynomial_tail(self.decay_steps(), power, SUMMED_DIRECTLY as f64, k as f64)
            }
        }
    }

    /// The first step at or after slow time τ, as [`LevelClock::factor`] sees it.
    fn first_step_from(&self, tau: f64) -> u64 {
        (tau / self.unit - 1e-9).ceil().max(0.0) as u64
    }

    /// k₀ of a polynomial schedule.
    fn decay_steps(&self) -> f64 {
        match *self.schedule {
            Schedule::Polynomial { decay_time, .. } => decay_time / self.unit,
            Schedule::PolynomialInSteps { decay_steps, .. } => decay_steps,
            _ => f64::INFINITY,
        }
    }

    /// The step size as a function of slow time, up to the slow time of iteration `last`.
    pub fn step_size_in_slow_time(&self, last: u64) -> impl Fn(f64) -> f64 + Sync + use<> {
        let knots = (0..=KNOTS).map(|i| (last as f64 * i as f64 / KNOTS as f64) as u64);
        let mut curve: Vec<(f64, f64)> = Vec::new();
        for k in knots {
            let time = self.slow_times(&[k])[0];
            // Towards the end of a schedule that falls to zero, slow time may stand still.
            if curve.last().is_none_or(|&(before, _)| time > before) {
                curve.push((time, self.step_size(k)));
            }
        }
        move |t| {
            let right = curve.partition_point(|&(time, _)| time <= t);
            if right == 0 || right == curve.len() {
                return curve[right.saturating_sub(1)].1;
            }
            let ((before, a), (after, b)) = (curve[right - 1], curve[right]);
            a + (t - before) / (after - before) * (b - a)
        }
    }

    /// The slow time that is never exceeded, however many iterations; `None` if there is no such time.
    pub fn freezing_time(&self) -> Option<f64> {
        match *self.schedule {
            Schedule::Polynomial { gamma, .. } | Schedule::PolynomialInSteps { gamma, .. } => {
                let power = gamma * f64::from(self.power);
                (power > 1.0).then(|| {
                    let begin = SUMMED_DIRECTLY;
                    let tail =
                        polynomial_tail(self.decay_steps(), power, begin as f64, f64::INFINITY);
                    self.counted * (self.sum_of_powers(begin) + tail)
                })
            }
            Schedule::Cosine {
                floor: 0.0,
                horizon,
            } => Some(self.slow_times(&[self.first_step_from(horizon)])[0]),
            _ => None,
        }
    }
}

/// Σ_{j=a}^{b−1} (1 + j/k₀)^−s by Euler–Maclaurin to third derivatives; a ≥ 1000 makes the remainder negligible.
fn polynomial_tail(decay_steps: f64, power: f64, a: f64, b: f64) -> f64 {
    let term = |x: f64, s: f64| (1.0 + x / decay_steps).powf(-s);
    let difference = |f: &dyn Fn(f64) -> f64| if b.is_finite() { f(b) - f(a) } else { -f(a) };
    let integral = if (power - 1.0).abs() < 1e-12 {
        decay_steps * ((decay_steps + b) / (decay_steps + a)).ln()
    } else {
        difference(&|x| decay_steps / (1.0 - power) * term(x, power - 1.0))
    };
    let ends = -0.5 * difference(&|x| term(x, power));
    let slopes = -power / decay_steps * difference(&|x| term(x, power + 1.0)) / 12.0;
    integral + ends + slopes
}

/// Σ_{j<n} cos θj.
fn sum_of_cosines(theta: f64, n: u64) -> f64 {
    let half = 0.5 * theta;
    if half.sin().abs() < 1e-300 {
        return n as f64;
    }
    (n as f64 * half).sin() * ((n as f64 - 1.0) * half).cos() / half.sin()
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
    fn iterations_until_inverts_slow_time_and_a_frozen_clock_never_gets_there() {
        let clock = LevelClock::new(&Schedule::Constant, Clock::Slow, 0.1, 0.3);
        assert_eq!(clock.iterations_until(0.9), Some(1000));
        // One step more than three.
        assert_eq!(clock.iterations_until(0.0028), Some(4));
        // f = (1 + τ/τ₀)^−¾ freezes at slow time 2τ₀ = 0.4.
        let schedule = Schedule::Polynomial {
            gamma: 0.75,
            decay_time: 0.2,
        };
        let clock = LevelClock::new(&schedule, Clock::Slow, 0.02, 0.3);
        let k = clock.iterations_until(0.2).unwrap();
        assert!(clock.slow_times(&[k])[0] >= 0.2 - 1e-9);
        assert!(clock.slow_times(&[k - 1])[0] < 0.2);
        // Σf² = ½ of its whole where (1 + τ/τ₀)^−½ = ½: τ = 3τ₀.
        assert!((k as f64 * clock.unit() / 0.6 - 1.0).abs() < 1e-3);
        assert_eq!(clock.iterations_until(0.41), None);
    }

    #[test]
    fn the_same_steps_counted_on_the_other_clock_have_its_slow_time() {
        let schedule = Schedule::Piecewise(vec![[0.0, 1.0], [0.09, 0.5]]);
        let slow = LevelClock::new(&schedule, Clock::Slow, 0.1, 0.3);
        let fast = slow.counting(Clock::Fast);
        // 100 steps of α = 0.1, then 50 of 0.05.
        assert!((slow.slow_times(&[150])[0] - 0.09 * (1.0 + 0.125)).abs() < 1e-12);
        assert!((fast.slow_times(&[150])[0] - 0.09 * (10.0 + 2.5)).abs() < 1e-12);
        assert_eq!(fast.iterations_until(0.09 * 12.5), Some(150));
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
    fn sums_in_closed_form_agree_with_sums_term_by_term() {
        for schedule in [
            Schedule::Constant,
            Schedule::Polynomial {
                gamma: 0.75,
                decay_time: 0.02,
            },
            Schedule::Polynomial {
                gamma: 0.5,
                decay_time: 0.3,
            },
            Schedule::PolynomialInSteps {
                gamma: 1.0,
                decay_steps: 3.0,
            },
            Schedule::Piecewise(vec![[0.0, 1.0], [0.35, 0.5], [2.0, 0.1]]),
            Schedule::Cosine {
                floor: 0.0,
                horizon: 3.0,
            },
            Schedule::Cosine {
                floor: 0.3,
                horizon: 1.0,
            },
        ] {
            for clock in [Clock::Fast, Clock::Slow] {
                let clock = LevelClock::new(&schedule, clock, 0.1, 0.1);
                let mut sum = 0.0;
                for k in 0..30_000 {
                    if k % 997 == 0 {
                        let closed = clock.slow_times(&[k])[0];
                        assert!(
                            (closed - sum).abs() < 1e-10 * (1.0 + sum),
                            "{schedule:?} at {k}: {closed} {sum}"
                        );
                    }
                    sum += clock.step_size(k).powi(clock.power) * 0.01;
                }
            }
        }
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
