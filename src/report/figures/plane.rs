//! Figure (g): two-dimensional models in their plane: iterates, Γ and the limit over level sets of the loss.

mod contours;

use super::rungs;
use super::{Axis, Figure, Panel, Point, Role, Shape};
use crate::report::stored::{Row, StoredRun};
use contours::{Grid, contour};

pub const NEEDS: &str = "plane.csv, which models of two parameters have";
/// Level sets, each a factor apart.
const LEVELS: i32 = 5;
const FACTOR: f64 = 4.0;

pub fn build(run: &StoredRun) -> Option<Figure> {
    let rows: Vec<Row> = run.table("plane").rows().collect();
    let first = rows.first()?;
    let of = |kind: &'static str| rows.iter().filter(move |row| row.text("kind") == kind);
    let point = |row: &Row| row.numbers(["x", "y"]).map(|[x, y]| (x, y));
    let mut panel = Panel::new(
        "",
        Axis::linear(first.text("x_name")),
        Axis::linear(first.text("y_name")),
    );
    panel.equal = true;
    // The root of the loss grows like the distance to Γ: linear interpolation suits it, also near Γ.
    let root = |[x, y, loss]: [f64; 3]| [x, y, loss.max(0.0).sqrt()];
    let losses = of("loss").filter_map(|row| row.numbers(["x", "y", "loss"]));
    let grid = Grid::of(losses.map(root));
    if let Some(grid) = &grid {
        panel.x.range = grid.x_range();
        panel.y.range = grid.y_range();
        let most = grid.largest();
        for i in 1..=LEVELS {
            let lines = contour(grid, most * FACTOR.sqrt().powi(-i));
            panel.add("level sets of the loss", Role::Contour, Shape::Line(lines));
        }
    }
    panel.add("Γ", Role::Manifold, Shape::Line(paths(of("manifold"))));
    let start = of("start").filter_map(point).collect::<Vec<_>>();
    for rung in rungs::ladder(run) {
        let own = of("iterates").filter(|row| row.level("level") == Some(rung.number));
        let mut line = paths(own);
        if let (Some(&start), false) = (start.first(), line.is_empty()) {
            // Each path comes from the start.
            let mut whole = vec![start];
            for point in line.drain(..) {
                whole.push(point);
                if !point.0.is_finite() {
                    whole.push(start);
                }
            }
            line = whole;
        }
        panel.add(
            format!("iterates, {}", rung.name),
            Role::Path(rung.number),
            Shape::Line(line),
        );
    }
    panel.add("limit", Role::Limit, Shape::Line(paths(of("limit"))));
    let joined = false;
    let mark = |kind| {
        let points = of(kind).filter_map(point).map(|(x, y)| Point::at(x, y));
        let points = points.collect();
        Shape::Points { points, joined }
    };
    panel.add("start w₀", Role::Mark, mark("start"));
    Some(Figure {
        name: "plane",
        title: "In the plane of the parameters".into(),
        alt: format!(
            "Paths of the iterates from the start onto the zero-loss curve Γ and along it, over level sets of the loss, with \
             the limit on Γ, in the plane of {} and {}.",
            first.text("x_name"),
            first.text("y_name")
        ),
        caption: format!(
            "Single paths of the iterates at the largest and the smallest step size, those of the first numbers that are \
             compared, over level sets of the loss (each a factor {FACTOR} apart). They fall onto Γ and creep along it; the \
             limit moves on Γ alone."
        ),
        files: &["plane.csv"],
        columns: 1,
        panels: vec![panel],
    })
}

/// Points of several paths, with a gap between two of them.
fn paths<'a>(rows: impl Iterator<Item = &'a Row<'a>>) -> Vec<(f64, f64)> {
    let mut line = Vec::new();
    let mut last: Option<&str> = None;
    for row in rows {
        let Some([x, y]) = row.numbers(["x", "y"]) else {
            continue;
        };
        let path = row.text("path");
        if last.is_some_and(|last| last != path) {
            line.push((f64::NAN, f64::NAN));
        }
        last = Some(path);
        line.push((x, y));
    }
    line
}
