//! Figure (a): each observable against slow time, the limit in front of the ladder, and the error with its bands.

use super::rungs::{self, Rung};
use super::{Axis, Figure, Panel, Point, Role, Shape, listed, short};
use crate::report::stored::StoredRun;
use crate::statistics::upper_quantile;

pub const NEEDS: &str = "summary.csv of both iterates and limit";
/// More observables than this make a figure unreadable.
pub const MOST_OBSERVABLES: usize = 4;

pub fn build(run: &StoredRun) -> Option<Figure> {
    let rungs = rungs::ladder(run);
    let clock = run.clock();
    let label = if clock.is_empty() {
        "slow time t".into()
    } else {
        format!("slow time {clock}")
    };
    let names: Vec<String> = run
        .observables()
        .into_iter()
        .take(MOST_OBSERVABLES)
        .collect();
    let mut panels = Vec::new();
    let has_bands = !run.table("bands").is_empty();
    for name in &names {
        panels.push(means(run, &rungs, name, &label));
        if has_bands {
            panels.push(errors(run, &rungs, name, &label));
        }
    }
    let something = |role: fn(&Role) -> bool| {
        let mut series = panels.iter().flat_map(|panel| &panel.series);
        series.any(|series| role(&series.role))
    };
    if !something(|role| matches!(role, Role::Rung(_)))
        || !something(|role| matches!(role, Role::Limit | Role::LimitOf(_)))
    {
        return None;
    }
    let percent = 100.0 * run.confidence();
    Some(Figure {
        name: "slow-time",
        title: "Iterates and limit in slow time".into(),
        alt: alt(run, &rungs, &names),
        caption: format!(
            "Left: means of the iterates on each rung of the ladder, and the limit in front. Right: their difference, the \
             extrapolation to α → 0, and the declared margin (shaded). Bars hold at all record times at once with \
             {percent:.0} % confidence; bars of means are often smaller than their markers."
        ),
        files: &["summary.csv", "bands.csv", "curve.csv"],
        columns: if has_bands { 2 } else { names.len().min(2) },
        panels,
    })
}

fn means(run: &StoredRun, rungs: &[Rung], observable: &str, label: &str) -> Panel {
    let mut panel = Panel::new(
        "",
        Axis::linear(label),
        Axis::linear(format!("mean of {observable}")),
    );
    for rung in rungs {
        let shape = Shape::Points {
            points: banded(run, rung, observable, ["mean", "mean_lower", "mean_upper"])
                .unwrap_or_else(|| recorded(run, rung, observable)),
            joined: true,
        };
        panel.add(&rung.name, rung.role(), shape);
    }
    add_limits(run, observable, &mut panel);
    panel
}

fn errors(run: &StoredRun, rungs: &[Rung], observable: &str, label: &str) -> Panel {
    let mut panel = Panel::new(
        "",
        Axis::linear(label),
        Axis::linear(format!("iterates − limit, {observable}")),
    );
    if let Some(margin) = margin(run, observable) {
        panel.add("margin", Role::Shade, Shape::Strip(-margin, margin));
    }
    panel.add("limit", Role::Limit, Shape::Horizontal(0.0));
    let columns = ["error", "error_lower", "error_upper"];
    for rung in rungs {
        let points = banded(run, rung, observable, columns).unwrap_or_default();
        let joined = true;
        panel.add(&rung.name, rung.role(), Shape::Points { points, joined });
    }
    let points: Vec<Point> = band_points(run, "extrapolated", observable, columns);
    let joined = false;
    panel.add(
        "α → 0",
        Role::Extrapolated,
        Shape::Points { points, joined },
    );
    panel
}

/// The declared margin of the mean of an observable.
fn margin(run: &StoredRun, observable: &str) -> Option<f64> {
    let checks = &run.verdict.as_ref()?.checks;
    let mut of = checks
        .iter()
        .filter(|check| check.name == "mean" && check.observable.as_deref() == Some(observable));
    of.find_map(|check| check.margin)
}

fn banded(
    run: &StoredRun,
    rung: &Rung,
    observable: &str,
    columns: [&str; 3],
) -> Option<Vec<Point>> {
    let points = band_points(run, &rung.number.to_string(), observable, columns);
    (!points.is_empty()).then_some(points)
}

fn band_points(
    run: &StoredRun,
    rung: &str,
    observable: &str,
    [value, lower, upper]: [&str; 3],
) -> Vec<Point> {
    let rows = run.table("bands").rows();
    rows.filter(|row| row.text("rung") == rung && row.text("observable") == observable)
        .filter_map(|row| {
            let [t, y, lower, upper] = row.numbers(["slow_time", value, lower, upper])?;
            Some(Point::at(t, y).between(lower, upper))
        })
        .collect()
}

/// The means of a rung with pointwise intervals, where there are no bands.
fn recorded(run: &StoredRun, rung: &Rung, observable: &str) -> Vec<Point> {
    mean_points(run, rung.number, observable, "slow_time")
}

/// All means of a rung with pointwise intervals, against a column of `summary.csv`.
pub fn mean_points(run: &StoredRun, rung: usize, observable: &str, against: &str) -> Vec<Point> {
    let z = upper_quantile(0.5 * (1.0 - run.confidence()), None);
    let rows = run.table("summary").rows();
    rows.filter(|row| {
        row.text("process") == "descent"
            && row.level("level") == Some(rung)
            && row.text("observable") == observable
    })
    .filter_map(|row| {
        let [x, mean] = row.numbers([against, "mean"])?;
        let half = z * row.number("std_error").unwrap_or(0.0);
        Some(Point::at(x, mean).between(mean - half, mean + half))
    })
    .collect()
}

/// The limit: the smooth curve if there is one, else its means at the records, with pointwise intervals where it is random.
pub fn limit_line(run: &StoredRun, observable: &str, level: &str) -> Vec<Point> {
    let z = upper_quantile(0.5 * (1.0 - run.confidence()), None);
    let mut points: Vec<Point> = Vec::new();
    for row in run.table("summary").rows().filter(|row| {
        row.text("process") == "limit"
            && row.text("level") == level
            && row.text("observable") == observable
    }) {
        if let Some([t, mean]) = row.numbers(["slow_time", "mean"]) {
            let half = z * row.number("std_error").unwrap_or(0.0);
            points.push(Point::at(t, mean).between(mean - half, mean + half));
        }
    }
    let last = points.last().map_or(0.0, |point| point.x);
    let curve = run.table("curve").rows();
    if level.is_empty() {
        for row in curve.filter(|row| row.text("observable") == observable) {
            if let Some([t, value]) = row.numbers(["slow_time", "value"]) {
                points.push(Point::at(t, value).between(value, value));
            }
        }
    }
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    // Records of different rungs differ by less than can be seen.
    points.dedup_by(|b, a| b.x - a.x < 1e-6 * last);
    points
}

/// The numbers of the rungs that have a limit of their own; the empty text is the limit of all.
pub fn limit_levels(run: &StoredRun) -> Vec<String> {
    let mut levels: Vec<String> = Vec::new();
    for row in run.table("summary").rows() {
        let level = row.text("level");
        if row.text("process") == "limit" && !levels.iter().any(|other| other == level) {
            levels.push(level.to_owned());
        }
    }
    levels
}

fn add_limits(run: &StoredRun, observable: &str, panel: &mut Panel) {
    for level in limit_levels(run) {
        let points = limit_line(run, observable, &level);
        let (name, role) = match level.parse() {
            Ok(rung) => ("limit, corrected for each α", Role::LimitOf(rung)),
            Err(_) => ("limit", Role::Limit),
        };
        let random = |point: &&Point| point.y_ends.is_some_and(|(a, b)| a < b);
        if points.iter().any(|point| random(&point)) {
            let ends = |point: &Point| {
                let (lower, upper) = point.y_ends.unwrap_or((point.y, point.y));
                (point.x, lower, upper)
            };
            panel.add(name, role, Shape::Band(points.iter().map(ends).collect()));
        }
        let line = points.iter().map(|point| (point.x, point.y)).collect();
        panel.add(name, role, Shape::Line(line));
    }
}

fn alt(run: &StoredRun, rungs: &[Rung], observables: &[String]) -> String {
    let names: Vec<String> = rungs.iter().map(|rung| rung.name.clone()).collect();
    let mut text = format!(
        "Means of {} of the iterates at {} against slow time, with the limit.",
        listed(observables),
        listed(&names)
    );
    for observable in observables {
        let limits = limit_levels(run);
        let limit = limits
            .last()
            .map(|level| limit_line(run, observable, level))
            .unwrap_or_default();
        if let (Some(first), Some(last)) = (limit.first(), limit.last()) {
            text += &format!(
                " The limit of {observable} goes from {} to {}",
                short(first.y),
                short(last.y)
            );
            let columns = ["error", "error_lower", "error_upper"];
            let finest = rungs
                .last()
                .and_then(|rung| banded(run, rung, observable, columns)?.pop());
            text += &match finest {
                Some(end) => format!(
                    "; at the smallest α the iterates end {} away from it.",
                    short(end.y)
                ),
                None => ".".into(),
            };
        }
    }
    text
}
