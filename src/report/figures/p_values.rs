//! Figure (h): the p-values of studies in which the theory is true, which ought to be uniform.

use super::{Axis, Figure, Panel, Role, Shape, short};
use crate::report::stored::StoredRun;

pub const NEEDS: &str = "calibration.csv with a column p_value, from studies of a true theory";

pub fn build(run: &StoredRun) -> Option<Figure> {
    let mut tests: Vec<(String, Vec<f64>)> = Vec::new();
    for row in run.table("calibration").rows() {
        let Some(p) = row.number("p_value").filter(|p| (0.0..=1.0).contains(p)) else {
            continue;
        };
        let name = row.text("test");
        match tests.iter_mut().find(|(other, _)| other == name) {
            Some((_, values)) => values.push(p),
            None => tests.push((name.to_owned(), vec![p])),
        }
    }
    let fewest = tests.iter().map(|(_, values)| values.len()).min()?;
    let mut panel = Panel::new(
        "",
        Axis::linear("p"),
        Axis::linear("share of p-values up to p"),
    );
    panel.x.range = Some((0.0, 1.0));
    panel.y.range = Some((0.0, 1.0));
    let error = 1.0 - run.confidence();
    let slack = ((2.0 / error).ln() / (2.0 * fewest as f64)).sqrt();
    let band = [0.0, 1.0 - slack, slack, 1.0];
    let mut band = band.map(|p: f64| p.clamp(0.0, 1.0));
    band.sort_by(f64::total_cmp);
    let ends = |p: f64| (p, (p - slack).max(0.0), (p + slack).min(1.0));
    panel.add(
        format!("{:.0} % band of a uniform law", 100.0 * run.confidence()),
        Role::Shade,
        Shape::Band(band.map(ends).to_vec()),
    );
    panel.add(
        "uniform",
        Role::Limit,
        Shape::Line(vec![(0.0, 0.0), (1.0, 1.0)]),
    );
    let mut furthest: f64 = 0.0;
    for (i, (name, values)) in tests.iter_mut().enumerate() {
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let mut steps = vec![(0.0, 0.0)];
        for (k, &p) in values.iter().enumerate() {
            let (before, after) = (k as f64 / n, (k + 1) as f64 / n);
            steps.extend([(p, before), (p, after)]);
            furthest = furthest.max((before - p).abs()).max((after - p).abs());
        }
        steps.push((1.0, 1.0));
        panel.add(name.clone(), Role::Rung(i), Shape::Line(steps));
    }
    panel.equal = true;
    Some(Figure {
        name: "p-values",
        title: "Calibration: p-values of a true theory".into(),
        alt: format!(
            "The distribution of p-values of {} tests in studies of a true theory, against the uniform law: at most {} away \
             from it.",
            tests.len(),
            short(furthest)
        ),
        caption: format!(
            "Where the theory is true, p-values are uniform: their distribution follows the diagonal, within the band. Each line \
             is one test in {fewest} studies or more."
        ),
        files: &["calibration.csv"],
        columns: 1,
        panels: vec![panel],
    })
}
