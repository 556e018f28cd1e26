//! Where an axis begins and ends, and its ticks.

use crate::report::figures::{Axis, Panel, Shape};

/// An axis with ends.
#[derive(Clone, Debug)]
pub struct Scale {
    /// Whether it is logarithmic; then both ends are positive.
    pub log: bool,
    /// Lower end.
    pub from: f64,
    /// Upper end.
    pub to: f64,
}

/// A tick; those without a label are small.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where.
    pub at: f64,
    /// Its text.
    pub label: Option<String>,
}

/// Room beyond the data, as a share of their extent.
const ROOM: f64 = 0.05;

impl Scale {
    /// Both scales of a panel, from its data unless their ends are given.
    pub fn of(panel: &Panel) -> [Self; 2] {
        let (mut x, mut y) = (Extent::new(&panel.x), Extent::new(&panel.y));
        for series in &panel.series {
            match &series.shape {
                Shape::Line(points) | Shape::Region(points) => {
                    for point in points {
                        x.take(point.0);
                        y.take(point.1);
                    }
                }
                Shape::Points { points, .. } => {
                    for point in points {
                        x.take(point.x);
                        y.take(point.y);
                        if let Some((lower, upper)) = point.x_ends {
                            x.take(lower);
                            x.take(upper);
                        }
                        if let Some((lower, upper)) = point.y_ends {
                            y.take(lower);
                            y.take(upper);
                        }
                    }
                }
                Shape::Band(points) => {
                    for &(at, lower, upper) in points {
                        x.take(at);
                        y.take(lower);
                        y.take(upper);
                    }
                }
                Shape::Horizontal(at) => y.take(*at),
                Shape::Vertical(at) => x.take(*at),
                Shape::Strip(lower, upper) => {
                    y.take(*lower);
                    y.take(*upper);
                }
            }
        }
        [x.scale(), y.scale()]
    }

    /// Where a value lies between the ends, 0 to 1; beyond them where it lies outside. What can't be shown on a logarithmic
    /// axis lies below it.
    pub fn share(&self, x: f64) -> f64 {
        if self.log {
            let x = x.max(self.from * 1e-3);
            (x / self.from).ln() / (self.to / self.from).ln()
        } else {
            (x - self.from) / (self.to - self.from)
        }
    }

    /// The ticks.
    pub fn ticks(&self) -> Vec<Tick> {
        if self.log {
            self.log_ticks()
        } else {
            self.linear_ticks()
        }
    }

    fn linear_ticks(&self) -> Vec<Tick> {
        let step = nice((self.to - self.from) / 6.5);
        let first = (self.from / step - 1e-9).ceil();
        let last = (self.to / step + 1e-9).floor();
        let count = (last - first).clamp(0.0, 20.0) as i32;
        let at = |i: i32| (first + f64::from(i)) * step;
        let largest = self.from.abs().max(self.to.abs());
        (0..=count)
            .map(|i| Tick {
                at: at(i),
                label: Some(number(at(i), step, largest)),
            })
            .collect()
    }

    fn log_ticks(&self) -> Vec<Tick> {
        let (first, last) = (
            self.from.log10().floor() as i32,
            self.to.log10().ceil() as i32,
        );
        let decades = (self.to / self.from).log10();
        let labelled: &[i32] = if decades > 2.0 {
            &[1]
        } else if decades > 0.8 {
            &[1, 2, 5]
        } else {
            &[1, 2, 3, 4, 5, 6, 8]
        };
        let every = ((last - first) / 8 + 1).max(1);
        let mut ticks = Vec::new();
        for decade in first..=last {
            for digit in 1..10 {
                let at = f64::from(digit) * 10f64.powi(decade);
                if at < self.from * (1.0 - 1e-9) || at > self.to * (1.0 + 1e-9) {
                    continue;
                }
                let shown = labelled.contains(&digit) && decade.rem_euclid(every) == 0;
                let small = shown && decades <= 2.0 && (1e-4..1e5).contains(&at);
                let label = shown.then(|| {
                    if small {
                        plain(at)
                    } else if digit == 1 {
                        format!("10{}", superscript(decade))
                    } else {
                        format!("{digit}×10{}", superscript(decade))
                    }
                });
                if decades <= 4.0 || digit == 1 {
                    ticks.push(Tick { at, label });
                }
            }
        }
        ticks
    }
}

struct Extent<'a> {
    axis: &'a Axis,
    from: f64,
    to: f64,
}

impl<'a> Extent<'a> {
    fn new(axis: &'a Axis) -> Self {
        Self {
            axis,
            from: f64::INFINITY,
            to: f64::NEG_INFINITY,
        }
    }

    fn take(&mut self, x: f64) {
        if x.is_finite() && (!self.axis.log || x > 0.0) {
            self.from = self.from.min(x);
            self.to = self.to.max(x);
        }
    }

    fn scale(&self) -> Scale {
        let log = self.axis.log;
        if let Some((from, to)) = self.axis.range {
            return Scale { log, from, to };
        }
        let (mut from, mut to) = (self.from, self.to);
        if from > to {
            (from, to) = if log { (1.0, 10.0) } else { (0.0, 1.0) };
        }
        if log {
            let room = (to / from).powf(ROOM).max(1.05);
            return Scale {
                log,
                from: from / room,
                to: to * room,
            };
        }
        let room = (ROOM * (to - from))
            .max(1e-9 * from.abs().max(to.abs()))
            .max(1e-300);
        Scale {
            log,
            from: from - room,
            to: to + room,
        }
    }
}

/// The nearest of 1, 2, 5 times a power of ten that is not smaller.
fn nice(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let digit = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|digit| step <= digit * power * (1.0 + 1e-9));
    digit.unwrap_or(10.0) * power
}

/// With as many digits as the step needs.
fn number(x: f64, step: f64, largest: f64) -> String {
    let x = if x.abs() < 1e-9 * step { 0.0 } else { x };
    if !(2e-3..1e5).contains(&largest) {
        if x == 0.0 {
            return "0".into();
        }
        let exponent = largest.log10().floor() as i32;
        let mantissa = x / 10f64.powi(exponent);
        let digits = (f64::from(exponent) - step.log10()).ceil().clamp(0.0, 6.0) as usize;
        let text = format!("{mantissa:.digits$}×10{}", superscript(exponent));
        return text.replace('-', "−");
    }
    let digits = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{x:.digits$}").replace('-', "−")
}

fn plain(x: f64) -> String {
    let digits = (-x.log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{x:.digits$}")
}

fn superscript(n: i32) -> String {
    let digit = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => char::from_u32('⁰' as u32 + c.to_digit(10).unwrap_or(0)).unwrap_or(c),
    };
    n.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<String> {
        scale
            .ticks()
            .into_iter()
            .filter_map(|tick| tick.label)
            .collect()
    }

    #[test]
    fn linear_ticks_are_round_and_inside() {
        let scale = Scale {
            log: false,
            from: -0.13,
            to: 1.02,
        };
        assert_eq!(labels(&scale), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let scale = Scale {
            log: false,
            from: -3.2e-4,
            to: 1.0e-4,
        };
        assert_eq!(
            labels(&scale),
            ["−3×10⁻⁴", "−2×10⁻⁴", "−1×10⁻⁴", "0", "1×10⁻⁴"]
        );
    }

    #[test]
    fn log_ticks_are_powers_of_ten_or_few_digits() {
        let scale = Scale {
            log: true,
            from: 0.5,
            to: 2e4,
        };
        assert_eq!(labels(&scale), ["10⁰", "10¹", "10²", "10³", "10⁴"]);
        let scale = Scale {
            log: true,
            from: 0.004,
            to: 0.05,
        };
        assert_eq!(labels(&scale), ["0.005", "0.01", "0.02", "0.05"]);
        let scale = Scale {
            log: true,
            from: 0.1,
            to: 0.35,
        };
        assert_eq!(labels(&scale), ["0.1", "0.2", "0.3"]);
    }

    #[test]
    fn shares_run_from_0_to_1() {
        let scale = Scale {
            log: true,
            from: 0.1,
            to: 10.0,
        };
        assert!((scale.share(1.0) - 0.5).abs() < 1e-12);
        assert!(scale.share(0.0) < 0.0 && scale.share(0.0).is_finite());
        let scale = Scale {
            log: false,
            from: -1.0,
            to: 1.0,
        };
        assert_eq!(scale.share(1.0), 1.0);
    }

    #[test]
    fn data_without_extent_have_a_scale() {
        let mut panel = Panel::new("", Axis::linear("x"), Axis::log("y"));
        panel.x.range = None;
        let [x, y] = Scale::of(&panel);
        assert!(x.to > x.from && y.from > 0.0 && y.to > y.from);
        panel.add(
            "",
            crate::report::figures::Role::Limit,
            Shape::Horizontal(2.0),
        );
        panel.add(
            "",
            crate::report::figures::Role::Limit,
            Shape::Vertical(0.0),
        );
        let [x, y] = Scale::of(&panel);
        assert!(x.to > x.from && y.from < 2.0 && y.to > 2.0);
        assert!(!x.ticks().is_empty());
    }
}
