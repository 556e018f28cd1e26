//! Figure (e): the law at the horizon: densities, and the quantiles of the iterates against those of the limit.

use super::rungs::{self, Rung};
use super::{Axis, Figure, Panel, Point, Role, Shape, listed};
use crate::report::stored::{Row, StoredRun};

pub const NEEDS: &str = "density.csv and quantiles.csv";
const MOST_OBSERVABLES: usize = 3;

pub fn build(run: &StoredRun) -> Option<Figure> {
    if run.table("quantiles").is_empty() {
        return None;
    }
    let rungs = rungs::ladder(run);
    let names: Vec<String> = run
        .observables()
        .into_iter()
        .take(MOST_OBSERVABLES)
        .collect();
    let mut panels = Vec::new();
    for name in &names {
        panels.extend(densities(run, &rungs, name));
        panels.push(quantiles(run, &rungs, name));
    }
    let random = is_random(run);
    let right = if random {
        "Right: quantiles of the iterates against those of the limit; on the diagonal the laws agree. "
    } else {
        "Right: quantiles; the limit is one value, to which the law of the iterates shrinks as α → 0. "
    };
    let names_of_rungs: Vec<String> = rungs.iter().map(|rung| rung.name.clone()).collect();
    Some(Figure {
        name: "law",
        title: "The law at the horizon".into(),
        alt: format!(
            "Densities and quantiles of {} at the horizon at {}, {}",
            listed(&names),
            listed(&names_of_rungs),
            if random {
                "and those of the limit: quantile–quantile points near the diagonal mean equal laws."
            } else {
                "narrowing around the value of the deterministic limit as the step size decreases."
            }
        ),
        caption: format!(
            "Left: densities in bins, shaded by ± 2 standard errors. {right}Bars: {:.0} % bands of Dvoretzky, Kiefer and \
             Wolfowitz, which hold for all quantiles at once.",
            100.0 * run.confidence()
        ),
        files: &["density.csv", "quantiles.csv", "laws.csv"],
        columns: if panels.len() == names.len() {
            panels.len().min(2)
        } else {
            2
        },
        panels,
    })
}

/// Whether the limit is a law rather than a value.
fn is_random(run: &StoredRun) -> bool {
    let mut rows = run.table("quantiles").rows();
    rows.any(|row| row.text("process") == "limit" && row.number("lower").is_some())
}

fn rows_of<'a>(
    run: &'a StoredRun,
    table: &str,
    process: &'a str,
    level: &'a str,
    observable: &'a str,
) -> impl Iterator<Item = Row<'a>> {
    run.table(table).rows().filter(move |row| {
        row.text("process") == process
            && row.text("level") == level
            && row.text("observable") == observable
    })
}

/// The level of the limit that a rung is compared with.
fn limit_level(run: &StoredRun, rung: &Rung) -> String {
    let own = rung.number.to_string();
    let mut rows = run.table("quantiles").rows();
    if rows.any(|row| row.text("process") == "limit" && row.text("level") == own) {
        own
    } else {
        String::new()
    }
}

fn densities(run: &StoredRun, rungs: &[Rung], observable: &str) -> Option<Panel> {
    let mut panel = Panel::new("", Axis::linear(observable), Axis::linear("density"));
    let mut add = |name: &str, role: Role, process: &str, level: &str| {
        let bins: Vec<[f64; 4]> = rows_of(run, "density", process, level, observable)
            .filter_map(|row| row.numbers(["from", "to", "density", "std_error"]))
            .collect();
        let middle = |from: f64, to: f64| 0.5 * (from + to);
        let band = bins.iter().map(|&[from, to, density, se]| {
            (
                middle(from, to),
                (density - 2.0 * se).max(0.0),
                density + 2.0 * se,
            )
        });
        panel.add(name, role, Shape::Band(band.collect()));
        let line = bins
            .iter()
            .map(|&[from, to, density, _]| (middle(from, to), density));
        panel.add(name, role, Shape::Line(line.collect()));
    };
    for rung in rungs {
        add(&rung.name, rung.role(), "descent", &rung.number.to_string());
    }
    let own = rungs
        .first()
        .is_some_and(|rung| !limit_level(run, rung).is_empty());
    if is_random(run) && !own {
        add("limit", Role::Limit, "limit", "");
    }
    if !is_random(run) && !own {
        let mut value = rows_of(run, "quantiles", "limit", "", observable);
        if let Some(value) = value.next().and_then(|row| row.number("value")) {
            panel.add("limit", Role::Limit, Shape::Vertical(value));
        }
    }
    let drawn = panel
        .series
        .iter()
        .any(|series| matches!(series.role, Role::Rung(_)));
    drawn.then_some(panel)
}

fn quantiles(run: &StoredRun, rungs: &[Rung], observable: &str) -> Panel {
    let random = is_random(run);
    let mut panel = if random {
        Panel::new(
            "",
            Axis::linear(format!("quantile of the limit, {observable}")),
            Axis::linear("quantile of the iterates"),
        )
    } else {
        Panel::new(
            "",
            Axis::linear("probability"),
            Axis::linear(format!("quantile of {observable}")),
        )
    };
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for rung in rungs {
        let level = limit_level(run, rung);
        let limit: Vec<Row> = rows_of(run, "quantiles", "limit", &level, observable).collect();
        let own = rung.number.to_string();
        let descent = rows_of(run, "quantiles", "descent", &own, observable);
        let mut points = Vec::new();
        for row in descent {
            let Some([p, y]) = row.numbers(["probability", "value"]) else {
                continue;
            };
            let there = limit
                .iter()
                .find(|other| other.text("probability") == row.text("probability"));
            let x = match there.and_then(|row| row.number("value")) {
                Some(x) if random => x,
                None if random => continue,
                _ => p,
            };
            least = least.min(x);
            most = most.max(x);
            let mut point = Point::at(x, y);
            let ends = [row.number("lower"), row.number("upper")];
            if let [Some(lower), Some(upper)] = ends {
                point = point.between(lower, upper);
            }
            points.push(point);
        }
        let joined = false;
        panel.add(&rung.name, rung.role(), Shape::Points { points, joined });
    }
    if random && most > least {
        let diagonal = vec![(least, least), (most, most)];
        panel.add("limit", Role::Limit, Shape::Line(diagonal));
    } else if let Some(value) = rows_of(run, "quantiles", "limit", "", observable)
        .next()
        .and_then(|row| row.number("value"))
    {
        panel.add("limit", Role::Limit, Shape::Horizontal(value));
    }
    panel
}
