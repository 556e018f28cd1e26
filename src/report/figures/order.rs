//! Figure (d): the error against α, with the order fitted to all series, the noise floor, and the rungs that it censors.

use super::rungs::{self, Rung, plain};
use super::slow_time::MOST_OBSERVABLES;
use super::{Axis, Figure, Panel, Point, Role, Shape, short};
use crate::report::stored::{Row, StoredRun};
use crate::statistics::{Interval, upper_quantile};
use crate::verify::{Check, NOISE_FLOOR};

pub const NEEDS: &str = "errors.csv";

/// The order of all series together.
struct Joint {
    order: f64,
    interval: Interval,
}

pub fn build(run: &StoredRun) -> Option<Figure> {
    let rungs = rungs::ladder(run);
    let mut kinds: Vec<(String, String)> = Vec::new();
    for row in run.table("errors").rows() {
        let kind = (
            row.text("observable").to_owned(),
            row.text("moment").to_owned(),
        );
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() {
        return None;
    }
    let joint = joint(run);
    let mut panels: Vec<Panel> = kinds
        .iter()
        .take(MOST_OBSERVABLES)
        .map(|(observable, moment)| panel(run, &rungs, observable, moment, joint.as_ref()))
        .collect();
    panels.extend(forest(run, joint.as_ref()));
    let fitted = joint.as_ref().map_or(String::new(), |joint| {
        // A claim whose errors stay: no order, but the slope of what is left.
        let vanish = if joint.interval.upper > 0.0 {
            "vanish like"
        } else {
            "do not vanish with α: they go like"
        };
        format!(
            " All series together {vanish} αᵖ with p = {} [{}, {}].",
            short(joint.order),
            short(joint.interval.lower),
            short(joint.interval.upper)
        )
    });
    let censored = |panel: &Panel| {
        let hollow = panel.series.iter().map(|series| match &series.shape {
            Shape::Points { points, .. } => points.iter().filter(|point| point.hollow).count(),
            _ => 0,
        });
        hollow.sum::<usize>()
    };
    let censored: usize = panels.iter().map(censored).sum();
    Some(Figure {
        name: "order",
        title: "Error against step size, and its order".into(),
        alt: format!(
            "Absolute errors at the horizon against the step size α on logarithmic axes for {} moments, with error bars and \
             noise floor.{fitted} {censored} points are censored as noise.",
            kinds.len()
        ),
        caption: format!(
            "Absolute errors at the horizon with {:.0} % intervals. Shaded: the noise floor, {NOISE_FLOOR} standard errors; \
             hollow markers lie below it and do not drive the slope.{fitted} Last panel: the order of each series alone, an \
             observable at a record time.",
            100.0 * run.confidence()
        ),
        files: &["errors.csv", "orders.csv"],
        columns: panels.len().min(if panels.len() == 3 { 3 } else { 2 }),
        panels,
    })
}

/// The check of the order if there is one, since its interval is the one that decides; else the row of the table.
fn joint(run: &StoredRun) -> Option<Joint> {
    let check = order_check(run);
    let checked = check.and_then(|check| check.estimate.zip(check.interval));
    if let Some((order, interval)) = checked {
        return Some(Joint { order, interval });
    }
    let mut rows = run.table("orders").rows();
    let row = rows.find(|row| row.text("observable") == "joint")?;
    let [order, lower, upper] = row.numbers(["order", "resampled_lower", "resampled_upper"])?;
    let interval = Interval { lower, upper };
    Some(Joint { order, interval })
}

fn order_check(run: &StoredRun) -> Option<&Check> {
    let checks = &run.verdict.as_ref()?.checks;
    checks.iter().find(|check| check.name == "order")
}

fn panel(
    run: &StoredRun,
    rungs: &[Rung],
    observable: &str,
    moment: &str,
    joint: Option<&Joint>,
) -> Panel {
    let mut panel = Panel::new(
        format!("{moment} of {observable}"),
        Axis::log("step size α"),
        Axis::log("|iterates − limit|"),
    );
    panel.x.names = rungs::ticks(rungs.iter().map(|rung| rung.step_size));
    let z = upper_quantile(0.5 * (1.0 - run.confidence()), None);
    let mut ends: Vec<(Rung, Row, [f64; 2])> = Vec::new();
    for rung in rungs {
        let own = run.table("errors").rows().filter(|row| {
            row.text("observable") == observable
                && row.text("moment") == moment
                && row.level("level") == Some(rung.number)
        });
        let last = own.filter_map(|row| Some((row, row.numbers(["error", "std_error"])?)));
        if let Some((row, numbers)) = last.last() {
            ends.push((rung.clone(), row, numbers));
        }
    }
    let positive = |x: f64| (x > 0.0).then_some(x);
    let sizes = ends
        .iter()
        .filter_map(|(_, _, [error, _])| positive(error.abs()));
    let floors = ends
        .iter()
        .filter_map(|(_, _, [_, se])| positive(NOISE_FLOOR * se));
    let least = sizes
        .clone()
        .chain(floors.clone())
        .fold(f64::INFINITY, f64::min)
        / 4.0;
    let most = sizes.chain(floors).fold(0.0, f64::max) * 2.5;
    if least.is_finite() && most > least {
        panel.y.range = Some((least, most));
    }
    let floor = ends.iter().map(|(rung, _, [_, se])| {
        let top = (NOISE_FLOOR * se).max(least);
        (rung.step_size, least, top)
    });
    if ends.iter().any(|(_, _, [_, se])| *se > 0.0) {
        panel.add("noise floor", Role::Shade, Shape::Band(floor.collect()));
    }
    if let (Some(joint), "mean") = (joint, moment) {
        add_fit(run, observable, joint, &ends, &mut panel);
    }
    for (rung, row, [error, se]) in &ends {
        let size = error.abs();
        let mut point = Point::at(rung.step_size, size);
        if *se > 0.0 {
            point = point.between((size - z * se).max(least), size + z * se);
        }
        point.hollow = row.text("above_floor") == "false";
        let points = vec![point];
        let joined = false;
        panel.add(&rung.name, rung.role(), Shape::Points { points, joined });
    }
    panel
}

/// c·α^p at the horizon, and the lines of the orders at both ends of the interval through its middle.
fn add_fit(
    run: &StoredRun,
    observable: &str,
    joint: &Joint,
    ends: &[(Rung, Row, [f64; 2])],
    panel: &mut Panel,
) {
    let series = run.table("orders").rows();
    let own = series.filter(|row| row.text("observable") == observable);
    let Some(coefficient) = own.last().and_then(|row| row.number("joint_coefficient")) else {
        return;
    };
    let [Some((first, ..)), Some((last, ..))] = [ends.first(), ends.last()] else {
        return;
    };
    let middle = (first.step_size * last.step_size).sqrt();
    let height = coefficient.abs() * middle.powf(joint.order);
    let at = |alpha: f64, p: f64| height * (alpha / middle).powf(p);
    let steps = 24;
    let alphas: Vec<f64> = (0..=steps)
        .map(|i| {
            let share = f64::from(i) / f64::from(steps);
            last.step_size * (first.step_size / last.step_size).powf(share)
        })
        .collect();
    let name = format!(
        "joint order p = {} [{}, {}]",
        short(joint.order),
        short(joint.interval.lower),
        short(joint.interval.upper)
    );
    let band = alphas.iter().map(|&alpha| {
        let [a, b] = [joint.interval.lower, joint.interval.upper].map(|p| at(alpha, p));
        (alpha, a.min(b), a.max(b))
    });
    panel.add(&name, Role::Extrapolated, Shape::Band(band.collect()));
    let line = alphas.iter().map(|&alpha| (alpha, at(alpha, joint.order)));
    panel.add(&name, Role::Extrapolated, Shape::Line(line.collect()));
}

/// The order of each series with its interval, and what was expected.
fn forest(run: &StoredRun, joint: Option<&Joint>) -> Option<Panel> {
    let series: Vec<(String, [f64; 3])> = run
        .table("orders")
        .rows()
        .filter(|row| row.text("observable") != "joint")
        .filter_map(|row| {
            let numbers = row.numbers(["order", "resampled_lower", "resampled_upper"])?;
            let time = row.number("slow_time")?;
            Some((
                format!("{}, t = {}", row.text("observable"), plain(time)),
                numbers,
            ))
        })
        .collect();
    if series.is_empty() {
        return None;
    }
    let mut panel = Panel::new(
        "order of each series",
        Axis::linear("order p"),
        Axis::linear(""),
    );
    let check = order_check(run);
    let centre = check
        .and_then(|check| check.null)
        .or(joint.map(|joint| joint.order))
        .unwrap_or(1.0);
    // Series of noise have intervals up to the ends of the range that was searched.
    let range = (centre - 1.5, centre + 1.5);
    panel.x.range = Some(range);
    let rows = series.len() as f64;
    panel.y.range = Some((-0.7, rows + 0.7));
    let inside = |x: f64| x.clamp(range.0, range.1);
    if let Some((null, margin)) = check.and_then(|check| check.null.zip(check.margin)) {
        let corners = [
            (null - margin, -0.7),
            (null + margin, -0.7),
            (null + margin, rows + 0.7),
            (null - margin, rows + 0.7),
        ];
        panel.add(
            "margin of the order",
            Role::Shade,
            Shape::Region(corners.to_vec()),
        );
        panel.add("expected order", Role::Reference, Shape::Vertical(null));
    }
    let mut points = Vec::new();
    for (i, (name, [order, lower, upper])) in series.iter().enumerate() {
        let y = rows - i as f64;
        panel.y.names.push((y, name.clone()));
        if (range.0..=range.1).contains(order) {
            let mut point = Point::at(*order, y);
            point.x_ends = Some((inside(*lower), inside(*upper)));
            points.push(point);
        }
    }
    let joined = false;
    panel.add(
        "each series alone",
        Role::Mark,
        Shape::Points { points, joined },
    );
    if let Some(joint) = joint {
        panel.y.names.push((0.0, "all together".into()));
        let mut point = Point::at(inside(joint.order), 0.0);
        point.x_ends = Some((inside(joint.interval.lower), inside(joint.interval.upper)));
        let points = vec![point];
        panel.add(
            "all series together",
            Role::Extrapolated,
            Shape::Points { points, joined },
        );
    }
    Some(panel)
}
