//! Figure (b): each observable against iterations on a logarithmic axis, where the two time scales come apart.

use super::rungs::{self, Rung};
use super::slow_time::{MOST_OBSERVABLES, limit_levels, limit_line, mean_points};
use super::{Axis, Figure, Panel, Role, Shape, listed};
use crate::report::stored::StoredRun;

pub const NEEDS: &str = "summary.csv of the iterates";

pub fn build(run: &StoredRun) -> Option<Figure> {
    let rungs = rungs::ladder(run);
    let names: Vec<String> = run
        .observables()
        .into_iter()
        .take(MOST_OBSERVABLES)
        .collect();
    let panels: Vec<Panel> = names.iter().map(|name| panel(run, &rungs, name)).collect();
    let descents = |panel: &Panel| {
        let mut roles = panel.series.iter().map(|series| series.role);
        roles.any(|role| matches!(role, Role::Rung(_)))
    };
    if !panels.iter().any(descents) {
        return None;
    }
    let falls = !run.table("fall").is_empty();
    let fall = if falls {
        " Dotted: the fast phase onto Γ, by descent without noise, in 1/α iterations."
    } else {
        ""
    };
    let names_of_rungs: Vec<String> = rungs.iter().map(|rung| rung.name.clone()).collect();
    Some(Figure {
        name: "iterations",
        title: "Two time scales: the same against iterations".into(),
        alt: format!(
            "Means of {} against the number of iterations on a logarithmic axis at {}: the smaller the step size, the later \
             the curves leave their starting value.{}",
            listed(&names),
            listed(&names_of_rungs),
            if falls {
                " A fast fall within few iterations comes first."
            } else {
                ""
            }
        ),
        caption: format!(
            "Each halving of α moves the slow phase to the right, by the factor that the time exponent says; shaded are \
             {:.0} % intervals at each record.{fall} Thin dashed: the limit in each rung's iterations.",
            100.0 * run.confidence()
        ),
        files: &["summary.csv", "curve.csv", "fall.csv"],
        columns: panels.len().min(2),
        panels,
    })
}

fn panel(run: &StoredRun, rungs: &[Rung], observable: &str) -> Panel {
    let mut panel = Panel::new(
        "",
        Axis::log("iterations k"),
        Axis::linear(format!("mean of {observable}")),
    );
    for rung in rungs {
        let fall = run.table("fall").rows().filter(|row| {
            row.level("level") == Some(rung.number) && row.text("observable") == observable
        });
        let fall: Vec<(f64, f64)> = fall
            .filter_map(|row| row.numbers(["iteration", "value"]))
            .map(|[k, y]| (k, y))
            .collect();
        panel.add("without noise", Role::Fall(rung.number), Shape::Line(fall));
    }
    for rung in rungs {
        let points = mean_points(run, rung.number, observable, "iteration");
        let band = points.iter().map(|point| {
            let (lower, upper) = point.y_ends.unwrap_or((point.y, point.y));
            (point.x, lower, upper)
        });
        panel.add(&rung.name, rung.role(), Shape::Band(band.collect()));
        let joined = true;
        let points = points.into_iter().map(|mut point| {
            point.y_ends = None;
            point
        });
        let points = points.collect();
        panel.add(&rung.name, rung.role(), Shape::Points { points, joined });
    }
    let levels = limit_levels(run);
    for rung in rungs {
        let own = rung.number.to_string();
        let level = if levels.contains(&own) {
            own
        } else {
            String::new()
        };
        let to_iterations = ToIterations::of(run, rung.number);
        let line = limit_line(run, observable, &level);
        let line = line
            .iter()
            .filter_map(|point| Some((to_iterations.at(point.x)?, point.y)));
        let line: Vec<(f64, f64)> = line.collect();
        panel.add("limit", Role::LimitOf(rung.number), Shape::Line(line));
    }
    panel
}

/// From slow time to the iterations of a rung, between its records.
struct ToIterations(Vec<(f64, f64)>);

impl ToIterations {
    fn of(run: &StoredRun, rung: usize) -> Self {
        let rows = run.table("summary").rows();
        let mut records: Vec<(f64, f64)> = rows
            .filter(|row| row.text("process") == "descent" && row.level("level") == Some(rung))
            .filter_map(|row| row.numbers(["slow_time", "iteration"]))
            .map(|[t, k]| (t, k))
            .collect();
        records.sort_by(|a, b| a.1.total_cmp(&b.1));
        records.dedup();
        Self(records)
    }

    /// None at time zero, before the first iteration and after the last record.
    fn at(&self, t: f64) -> Option<f64> {
        let after = self.0.partition_point(|&(time, _)| time < t);
        let (end, k_end) = *self.0.get(after)?;
        let (begin, k_begin) = if after == 0 {
            (0.0, 0.0)
        } else {
            self.0[after - 1]
        };
        let k = k_begin + (k_end - k_begin) * (t - begin) / (end - begin);
        (k >= 1.0).then_some(k)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_times_become_iterations_between_the_records() {
        let map = ToIterations(vec![(1.0, 100.0), (2.0, 300.0)]);
        assert_eq!(map.at(0.5), Some(50.0));
        assert_eq!(map.at(1.5), Some(200.0));
        assert_eq!(map.at(2.0), Some(300.0));
        assert_eq!(map.at(0.0), None);
        assert_eq!(map.at(2.1), None);
    }
}
