//! Figure (f): how many iterations it takes to cover the declared share of the way, against α and σ, with the slopes.

use super::rungs::{self, Rung};
use super::{Axis, Figure, Panel, Point, Role, Shape, short};
use crate::report::stored::StoredRun;
use crate::statistics::upper_quantile;

pub const NEEDS: &str = "exponents.csv";

/// One rung: α, σ, iterations, their standard error, what the power law says.
struct Crossed {
    rung: Rung,
    step_size: f64,
    sigma: f64,
    iterations: f64,
    std_error: f64,
    fitted: Option<f64>,
}

pub fn build(run: &StoredRun) -> Option<Figure> {
    let rungs = rungs::all(run);
    let near = |x: f64, y: f64| (x - y).abs() <= 1e-9 * y;
    let crossed: Vec<Crossed> = run
        .table("exponents")
        .rows()
        .filter_map(|row| {
            let [step_size, sigma, iterations] =
                row.numbers(["step_size", "sigma", "iterations"])?;
            let rung = rungs
                .iter()
                .find(|rung| near(rung.step_size, step_size) && near(rung.sigma, sigma))?;
            Some(Crossed {
                rung: rung.clone(),
                step_size,
                sigma,
                iterations,
                std_error: row.number("std_error").unwrap_or(0.0),
                fitted: row.number("fitted"),
            })
        })
        .collect();
    let ladder: Vec<&Crossed> = crossed.iter().filter(|row| row.rung.ladder).collect();
    if ladder.is_empty() {
        return None;
    }
    let mut panels = vec![panel(run, &ladder, "step size α", 'α', |row| {
        row.step_size
    })];
    // The rungs of σ, with the rung of the ladder that has their α.
    let alpha = crossed
        .iter()
        .find(|row| !row.rung.ladder)
        .map(|row| row.step_size);
    let arm: Vec<&Crossed> = crossed
        .iter()
        .filter(|row| alpha.is_some_and(|alpha| near(row.step_size, alpha)))
        .collect();
    if arm.len() > 1 {
        panels.push(panel(run, &arm, "noise strength σ", 'σ', |row| row.sigma));
    }
    panels.extend(ellipse(run));
    let slopes: Vec<String> = ['α', 'σ']
        .iter()
        .filter_map(|&of| slope(run, of, false))
        .collect();
    let slopes = slopes.join(", ");
    let share = run.scenario(&["margins", "share"]);
    let share = share.and_then(|share| share.as_f64()).unwrap_or(0.5);
    let share = format!("{} %", 100.0 * share);
    Some(Figure {
        name: "time-to-share",
        title: "How long it takes: the time-scale exponents".into(),
        alt: format!(
            "Iterations until the iterates have covered {share} of the way, against the step size and the noise strength on \
             logarithmic axes, falling as powers: {slopes}."
        ),
        caption: format!(
            "Iterations until {share} of the way is covered, measured from the iterates alone, with {:.0} % intervals, and \
             the power law fitted to all rungs. Thin lines: the slopes of the two time scales, 1/(ασ²) and 1/(α²σ²), \
             through the coarsest rung. {}",
            100.0 * run.confidence(),
            if panels.iter().any(|panel| panel.equal) {
                "Last panel: both exponents at once with their joint confidence ellipse."
            } else {
                ""
            }
        ),
        files: &["exponents.csv", "ellipse.csv"],
        columns: panels.len(),
        panels,
    })
}

fn panel(
    run: &StoredRun,
    rows: &[&Crossed],
    label: &str,
    of: char,
    x: impl Fn(&Crossed) -> f64,
) -> Panel {
    let mut panel = Panel::new("", Axis::log(label), Axis::log("iterations"));
    panel.x.names = rungs::ticks(rows.iter().map(|row| x(row)));
    let z = upper_quantile(0.5 * (1.0 - run.confidence()), None);
    let mut sorted: Vec<&Crossed> = rows.to_vec();
    sorted.sort_by(|a, b| x(a).total_cmp(&x(b)));
    let [first, last] = [sorted[0], sorted[sorted.len() - 1]];
    let tied = rows.iter().any(|row| row.sigma != rows[0].sigma) && of == 'α';
    if !tied {
        let slopes: &[(f64, &str, Role)] = if of == 'α' {
            &[
                (1.0, "slope of 1/α", Role::Reference),
                (2.0, "slope of 1/α²", Role::LimitOf(0)),
            ]
        } else {
            &[(2.0, "slope of 1/σ²", Role::LimitOf(0))]
        };
        for &(slope, name, role) in slopes {
            let far = last.iterations * (x(last) / x(first)).powf(slope);
            let line = vec![(x(first), far), (x(last), last.iterations)];
            panel.add(name, role, Shape::Line(line));
        }
    }
    let fitted = sorted.iter().filter_map(|row| Some((x(row), row.fitted?)));
    let name = slope(run, of, tied).unwrap_or_else(|| "fitted power law".into());
    panel.add(name, Role::Extrapolated, Shape::Line(fitted.collect()));
    for row in rows {
        let half = z * row.std_error;
        let lower = (row.iterations - half).max(0.1 * row.iterations);
        let point = Point::at(x(row), row.iterations).between(lower, row.iterations + half);
        let points = vec![point];
        let joined = false;
        panel.add(
            &row.rung.name,
            row.rung.role(),
            Shape::Points { points, joined },
        );
    }
    panel
}

/// `k ∝ α⁻ᵃ, a = 2.02 [2.00, 2.04]`, from the check; where σ falls with α along the ladder, the line has the power of both.
fn slope(run: &StoredRun, of: char, tied: bool) -> Option<String> {
    let checks = &run.verdict.as_ref()?.checks;
    let name = format!("exponent of {of}");
    let check = checks.iter().find(|check| check.name == name)?;
    let (estimate, interval) = check.estimate.zip(check.interval)?;
    let (letter, power) = if of == 'α' {
        (
            'a',
            if tied {
                "⁻ᵃ σ⁻ᵇ, σ falling"
            } else {
                "⁻ᵃ"
            },
        )
    } else {
        ('b', "⁻ᵇ")
    };
    Some(format!(
        "k ∝ {of}{power}, {letter} = {estimate:.2} [{:.2}, {:.2}]",
        interval.lower, interval.upper
    ))
}

/// Both exponents at once.
fn ellipse(run: &StoredRun) -> Option<Panel> {
    let row = run.table("ellipse").rows().next()?;
    let [a, b, long, wide, angle] =
        row.numbers(["a", "b", "half_axis_1", "half_axis_2", "angle"])?;
    let mut panel = Panel::new(
        "",
        Axis::linear("exponent a of 1/α"),
        Axis::linear("exponent b of 1/σ"),
    );
    let outline = (0..=72).map(|i| {
        let (sin, cos) = (f64::from(i) * std::f64::consts::PI / 36.0).sin_cos();
        let (p, q) = (long * cos, wide * sin);
        (
            a + p * angle.cos() - q * angle.sin(),
            b + p * angle.sin() + q * angle.cos(),
        )
    });
    let name = format!("{:.0} % ellipse of (a, b)", 100.0 * run.confidence());
    panel.add(name, Role::Extrapolated, Shape::Region(outline.collect()));
    let joined = false;
    let points = vec![Point::at(a, b)];
    panel.add(
        format!("estimate ({}, {})", short(a), short(b)),
        Role::Extrapolated,
        Shape::Points { points, joined },
    );
    let points = vec![Point::at(1.0, 2.0), Point::at(2.0, 2.0)];
    panel.add(
        "time scales (1, 2) and (2, 2)",
        Role::Mark,
        Shape::Points { points, joined },
    );
    panel.x.range = Some((0.7, 2.3));
    panel.y.range = Some((b.min(2.0) - 0.8, b.max(2.0) + 0.8));
    panel.equal = true;
    Some(panel)
}
