//! The laws at the horizon, of every rung of the ladder and of the limit: densities by bins, and quantiles with a band.

use super::Table;
use crate::scenario::{Arm, Study};
use crate::simulate::{LevelRun, LimitRun};
use crate::statistics::{quantile, quantile_band};

/// Bins of a density.
const BINS: usize = 48;
/// Share of the pooled values that lies outside the bins, at either end.
const TAIL: f64 = 0.002;

/// The values of one observable at the horizon, increasing.
struct Law {
    process: &'static str,
    head: [String; 3],
    values: Vec<f64>,
}

/// The laws of one observable: of each rung of the ladder, and of each limit.
fn laws(study: &Study, observable: usize, levels: &[LevelRun], limits: &[LimitRun]) -> Vec<Law> {
    let ladder = levels.iter().filter(|run| run.level.arm == Arm::StepSizes);
    let of_rungs = ladder.filter_map(|run| {
        let &record = run.compared.last()?;
        Some(Law {
            process: "descent",
            head: [
                run.level.number.to_string(),
                run.level.step_size.to_string(),
                run.level.sigma.to_string(),
            ],
            values: run.samples.column(record, observable),
        })
    });
    let of_limits = limits.iter().map(|limit| Law {
        process: "limit",
        head: [
            limit.level.map_or(String::new(), |level| level.to_string()),
            String::new(),
            String::new(),
        ],
        values: limit
            .samples
            .column(limit.record_at(study.horizon()), observable),
    });
    let mut laws: Vec<Law> = of_rungs.chain(of_limits).collect();
    for law in &mut laws {
        law.values.sort_by(f64::total_cmp);
    }
    laws.retain(|law| !law.values.is_empty());
    laws
}

/// `density.csv`: the same bins for all laws of an observable.
pub fn densities(study: &Study, levels: &[LevelRun], limits: &[LimitRun]) -> Option<Table> {
    let mut rows = Vec::new();
    for (observable, (name, _)) in study.observables.iter().enumerate() {
        let laws = laws(study, observable, levels, limits);
        let ends = |p: f64| laws.iter().map(move |law| quantile(&law.values, p));
        let from = ends(TAIL).fold(f64::INFINITY, f64::min);
        let to = ends(1.0 - TAIL).fold(f64::NEG_INFINITY, f64::max);
        let width = (to - from) / BINS as f64;
        if !(width > 0.0 && width.is_finite()) {
            continue;
        }
        for law in laws.iter().filter(|law| law.values.len() > 1) {
            let n = law.values.len() as f64;
            for bin in 0..BINS {
                let (a, b) = (from + width * bin as f64, from + width * (bin + 1) as f64);
                let below = |x: f64| law.values.partition_point(|&value| value < x);
                let share = (below(b) - below(a)) as f64 / n;
                let mut row = vec![law.process.to_owned()];
                row.extend(law.head.clone());
                row.push(name.clone());
                row.extend([a, b, share / width].map(|x| x.to_string()));
                row.push(((share * (1.0 - share) / n).sqrt() / width).to_string());
                rows.push(row);
            }
        }
    }
    (!rows.is_empty()).then(|| Table {
        name: "density",
        header: vec![
            "process",
            "level",
            "step_size",
            "sigma",
            "observable",
            "from",
            "to",
            "density",
            "std_error",
        ],
        rows,
    })
}

/// `quantiles.csv`: the same probabilities for all laws, with the band in which the true quantiles lie all at once.
pub fn quantiles(study: &Study, levels: &[LevelRun], limits: &[LimitRun]) -> Option<Table> {
    let even = (1..40).map(|i| f64::from(i) / 40.0);
    let probabilities: Vec<f64> = [0.005, 0.01]
        .into_iter()
        .chain(even)
        .chain([0.99, 0.995])
        .collect();
    let level = study.spec.margins.level;
    let mut rows = Vec::new();
    for (observable, (name, _)) in study.observables.iter().enumerate() {
        for law in laws(study, observable, levels, limits) {
            for &p in &probabilities {
                let (lower, upper) = if law.values.len() > 1 {
                    quantile_band(&law.values, p, 2.0 * level)
                } else {
                    (None, None)
                };
                let mut row = vec![law.process.to_owned()];
                row.extend(law.head.clone());
                row.push(name.clone());
                row.push(p.to_string());
                row.push(quantile(&law.values, p).to_string());
                row.extend([lower, upper].map(|x| x.map_or(String::new(), |x| x.to_string())));
                rows.push(row);
            }
        }
    }
    (!rows.is_empty()).then(|| Table {
        name: "quantiles",
        header: vec![
            "process",
            "level",
            "step_size",
            "sigma",
            "observable",
            "probability",
            "value",
            "lower",
            "upper",
        ],
        rows,
    })
}
