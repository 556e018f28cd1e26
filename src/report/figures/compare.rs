//! Several runs side by side: each observable that they share, against iterations and on both clocks.

use super::rungs::{self, Rung, plain};
use super::slow_time::mean_points;
use super::{Axis, Figure, Panel, Point, Role, Shape, listed};
use crate::report::stored::StoredRun;

const AGAINST: [(&str, &str); 3] = [
    ("iteration", "iterations k"),
    ("alpha_sigma2", "Σ ασ²"),
    ("alpha2_sigma2", "Σ α²σ²"),
];
/// More than this many observables are left to the tables.
const MOST_OBSERVABLES: usize = 6;

/// The rung that a run is shown by: that of the step size which all runs have in common, the smallest of these, or else its
/// own smallest.
fn shown(run: &StoredRun, all: &[StoredRun]) -> Option<Rung> {
    let own = rungs::ladder(run);
    let has = |other: &StoredRun, step_size: f64| {
        rungs::ladder(other)
            .iter()
            .any(|rung| (rung.step_size - step_size).abs() < 1e-9 * step_size)
    };
    let mut common = own
        .iter()
        .filter(|rung| all.iter().all(|other| has(other, rung.step_size)));
    common.next_back().or(own.last()).cloned()
}

/// The observables that at least two runs have, in the order of the first.
fn shared(runs: &[StoredRun]) -> Vec<String> {
    let all: Vec<Vec<String>> = runs.iter().map(StoredRun::observables).collect();
    let mut names: Vec<String> = Vec::new();
    for name in all.iter().flatten() {
        let count = all.iter().filter(|names| names.contains(name)).count();
        if count > 1 && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names.truncate(MOST_OBSERVABLES);
    names
}

/// `label, α = 0.02`; with the run's name where two have the same noise.
pub fn labels(runs: &[StoredRun]) -> Vec<String> {
    let noises: Vec<String> = runs.iter().map(StoredRun::noise).collect();
    let label = |(i, run): (usize, &StoredRun)| {
        let alike = noises.iter().filter(|noise| **noise == noises[i]).count() > 1;
        let alpha = shown(run, runs).map_or(String::new(), |rung| {
            format!(", α = {}", plain(rung.step_size))
        });
        let name = if alike {
            format!("{} ({})", run.name, noises[i])
        } else {
            noises[i].clone()
        };
        format!("{name}{alpha}")
    };
    runs.iter().enumerate().map(label).collect()
}

/// A figure for each observable: all runs against iterations and on both clocks.
pub fn noises(runs: &[StoredRun]) -> Vec<Figure> {
    let labels = labels(runs);
    let mut figures = Vec::new();
    for (number, observable) in shared(runs).into_iter().enumerate() {
        let mut panels = Vec::new();
        for (column, label) in AGAINST {
            let mut panel = Panel::new(
                "",
                Axis::log(label),
                Axis::linear(format!("mean of {observable}")),
            );
            for (i, run) in runs.iter().enumerate() {
                let Some(rung) = shown(run, runs) else {
                    continue;
                };
                let points = mean_points(run, rung.number, &observable, column);
                let points: Vec<Point> = points.into_iter().filter(|point| point.x > 0.0).collect();
                let band = points.iter().map(|point| {
                    let (lower, upper) = point.y_ends.unwrap_or((point.y, point.y));
                    (point.x, lower, upper)
                });
                panel.add(&labels[i], Role::Rung(i), Shape::Band(band.collect()));
                let points = points.into_iter().map(|point| Point {
                    y_ends: None,
                    ..point
                });
                let points = points.collect();
                let joined = true;
                panel.add(&labels[i], Role::Rung(i), Shape::Points { points, joined });
            }
            if !panel.series.is_empty() {
                panels.push(panel);
            }
        }
        if panels.is_empty() {
            continue;
        }
        const NAMES: [&str; MOST_OBSERVABLES] = [
            "noises-1", "noises-2", "noises-3", "noises-4", "noises-5", "noises-6",
        ];
        figures.push(Figure {
            name: NAMES[number],
            title: format!("Noises side by side: {observable}"),
            alt: format!(
                "Means of {observable} of {} against iterations and on the clocks Σασ² and Σα²σ².",
                listed(&labels)
            ),
            caption: "The same means against iterations and on both clocks; shaded are intervals at each record. What moves on \
                      a clock of its own keeps pace there, whatever its step size."
                .into(),
            files: &[],
            columns: panels.len(),
            panels,
        });
    }
    figures
}

/// A last mean: the run's label, its mean and half the width of its interval.
pub struct Settled {
    /// Label of the run.
    pub run: String,
    /// The observable.
    pub observable: String,
    /// Iterations.
    pub iterations: f64,
    /// The mean.
    pub mean: f64,
    /// Lower and upper end of its interval.
    pub ends: (f64, f64),
}

/// Where each run ends: the last mean of each shared observable.
pub fn settled(runs: &[StoredRun]) -> Vec<Settled> {
    let labels = labels(runs);
    let mut rows = Vec::new();
    for observable in shared(runs) {
        for (run, label) in runs.iter().zip(&labels) {
            let Some(rung) = shown(run, runs) else {
                continue;
            };
            let points = mean_points(run, rung.number, &observable, "iteration");
            if let Some(last) = points.last() {
                rows.push(Settled {
                    run: label.clone(),
                    observable: observable.clone(),
                    iterations: last.x,
                    mean: last.y,
                    ends: last.y_ends.unwrap_or((last.y, last.y)),
                });
            }
        }
    }
    rows
}
