//! Figure (c): the trajectories of all rungs on the claimed clock and on the other one, side by side.

use super::rungs;
use super::slow_time::limit_line;
use super::{Axis, Figure, Panel, Point, Role, Shape};
use crate::report::stored::{Row, StoredRun};
use crate::statistics::upper_quantile;

pub const NEEDS: &str = "collapse.csv";

pub fn build(run: &StoredRun) -> Option<Figure> {
    let table = run.table("collapse");
    let checks = run.verdict.iter().flat_map(|verdict| &verdict.checks);
    let check = checks.clone().find(|check| check.name == "collapse");
    let observables = run.observables();
    let observable = check
        .and_then(|check| check.observable.as_deref())
        .or(observables.first().map(String::as_str))
        .unwrap_or_default();
    let squared = check.is_some_and(|check| check.detail.contains("squared displacement"));
    let what = if squared {
        format!("mean squared displacement of {observable}")
    } else {
        format!("mean of {observable}")
    };
    let mut panels = Vec::new();
    for clock in ["claimed", "other"] {
        let rows: Vec<Row> = table
            .rows()
            .filter(|row| row.text("clock") == clock && row.number("mean").is_some())
            .collect();
        let Some(first) = rows.first() else { continue };
        let formula = first.text("formula").to_owned();
        let mean_of = (!squared).then_some(observable);
        panels.push(panel(run, &rows, clock, &formula, (&what, mean_of)));
    }
    if panels.is_empty() {
        return None;
    }
    let found = check.map_or(String::new(), |check| {
        let size = check.estimate.zip(check.interval).map(|(x, interval)| {
            format!(
                "The distance between the rungs' trajectories is larger on the other clock by {} [{}, {}] of what the limit \
                 covers: {}.",
                super::short(x),
                super::short(interval.lower),
                super::short(interval.upper),
                check.verdict
            )
        });
        size.unwrap_or_default()
    });
    Some(Figure {
        name: "collapse",
        title: "Data collapse: the claimed clock and the other".into(),
        alt: format!(
            "The {what} of all rungs against two clocks, the claimed one ({}) and the other ({}). On the right clock all \
             curves fall onto one. {found}",
            panels[0].x.label,
            panels.get(1).map_or("not recorded", |panel| &panel.x.label),
        ),
        caption: format!(
            "On the right clock the trajectories of all rungs fall onto one curve, on the wrong one they lie side by side. \
             Shaded: {:.0} % intervals at each record. {found}",
            100.0 * run.confidence()
        ),
        files: &["collapse.csv", "curve.csv"],
        columns: 2,
        panels,
    })
}

fn panel(
    run: &StoredRun,
    rows: &[Row],
    clock: &str,
    formula: &str,
    (what, mean_of): (&str, Option<&str>),
) -> Panel {
    let title = match clock {
        "claimed" => "claimed clock",
        _ => "the other clock",
    };
    let mut panel = Panel::new(title, Axis::log(formula), Axis::linear(what));
    let z = upper_quantile(0.5 * (1.0 - run.confidence()), None);
    for rung in rungs::all(run) {
        let near = |x: Option<f64>, y: f64| x.is_some_and(|x| (x - y).abs() <= 1e-9 * y);
        let own = rows.iter().filter(|row| {
            near(row.number("step_size"), rung.step_size) && near(row.number("sigma"), rung.sigma)
        });
        let points: Vec<[f64; 3]> = own
            .filter_map(|row| row.numbers(["slow_time", "mean", "std_error"]))
            .collect();
        let band = points.iter().map(|&[t, y, se]| (t, y - z * se, y + z * se));
        panel.add(&rung.name, rung.role(), Shape::Band(band.collect()));
        let points = points.iter().map(|&[t, y, _]| Point::at(t, y)).collect();
        let joined = true;
        panel.add(&rung.name, rung.role(), Shape::Points { points, joined });
    }
    if clock == "claimed" {
        let limit = rows
            .iter()
            .filter_map(|row| row.numbers(["slow_time", "limit_mean"]));
        let mut limit: Vec<(f64, f64)> = limit.map(|[t, y]| (t, y)).collect();
        // The smooth curve, where there is one.
        let first = rows.iter().filter_map(|row| row.number("slow_time"));
        let first = first.fold(f64::INFINITY, f64::min);
        let curve = mean_of.map_or(Vec::new(), |o| limit_line(run, o, ""));
        let curve = curve.iter().filter(|point| point.x >= first);
        limit.extend(curve.map(|point| (point.x, point.y)));
        limit.sort_by(|a, b| a.0.total_cmp(&b.0));
        panel.add("limit", Role::Limit, Shape::Line(limit));
    }
    panel
}
