//! Predictions, plans and verdicts as tables of values: the same content as their texts, for programs.

use serde_json::{Value, json};

use super::{Finished, Sheet};
use crate::models::Model;
use crate::plan::Plan;
use crate::predict::{Prediction, meanings, warnings};
use crate::scenario::Study;
use crate::statistics::Outcome;
use crate::verify::planted_faults;

/// Missing where it is infinite or no number.
fn maybe(x: Option<f64>) -> Value {
    x.map_or(Value::Null, |x| json!(x))
}

/// The prediction of a study: the study as a whole, each parameter, noise, rung, remark.
pub fn prediction_sheets(study: &Study, prediction: &Prediction) -> Vec<Sheet> {
    let model = study.noisy.model();
    let mut whole = Sheet::new(
        "study",
        [
            "scenario",
            "model",
            "regime",
            "clock",
            "limit",
            "parameters",
            "rank",
            "largest_eigenvalue",
            "smallest_eigenvalue",
            "largest_stable_step_size",
            "regularizer",
            "path_steps",
        ],
    );
    let steps = |l: &crate::predict::LevelPrediction| l.iterations as f64 * l.level.paths as f64;
    whole.rows.push(vec![
        json!(study.source.name()),
        json!(model.card().name),
        json!(prediction.regime().to_string()),
        json!(prediction.clock.formula()),
        json!(if prediction.is_deterministic() {
            "deterministic"
        } else {
            "stochastic"
        }),
        json!(prediction.landing.len()),
        json!(prediction.rank),
        json!(prediction.frame.largest_eigenvalue()),
        json!(prediction.frame.smallest_eigenvalue()),
        json!(prediction.largest_stable_step_size()),
        json!(prediction.regularizer),
        json!(prediction.levels.iter().map(steps).sum::<f64>()),
    ]);
    let mut parameters = Sheet::new("parameters", ["name", "start", "landing", "drift"]);
    for (i, name) in model.parameter_names().into_iter().enumerate() {
        let drift = prediction.coefficients.drift[i];
        parameters.rows.push(vec![
            json!(name),
            json!(study.start[i]),
            json!(prediction.landing[i]),
            json!(drift),
        ]);
    }
    let mut noises = Sheet::new("noises", ["noise", "law", "scale", "formula"]);
    for source in study.noisy.sources() {
        noises.rows.push(vec![
            json!(source.mechanism.name()),
            json!(source.law.name()),
            json!(source.scale),
            json!(source.mechanism.formula()),
        ]);
    }
    let mut rungs = Sheet::new(
        "rungs",
        [
            "step_size",
            "sigma",
            "stability",
            "iterations",
            "slow_time",
            "paths",
            "freezing_time",
        ],
    );
    for rung in &prediction.levels {
        rungs.rows.push(vec![
            json!(rung.level.step_size),
            json!(rung.level.sigma),
            json!(rung.stability),
            json!(rung.iterations),
            json!(rung.slow_time),
            json!(rung.level.paths),
            maybe(rung.freezing_time),
        ]);
    }
    let mut remarks = Sheet::new("remarks", ["kind", "name", "text"]);
    for line in meanings(study, prediction) {
        let row = vec![json!("regularises"), Value::Null, json!(line)];
        remarks.rows.push(row);
    }
    for warning in warnings(study, prediction) {
        let text = warning.to_string();
        let row = vec![json!("warning"), json!(warning.name()), json!(text)];
        remarks.rows.push(row);
    }
    for fault in planted_faults(study, prediction) {
        let row = vec![json!("planted fault"), Value::Null, json!(fault)];
        remarks.rows.push(row);
    }
    vec![whole, parameters, noises, rungs, remarks]
}

/// The plans of several studies, each row with the name of its scenario.
pub fn plan_sheets(plans: &[(&Study, &Plan)]) -> Vec<Sheet> {
    let mut waits = Sheet::new(
        "waits",
        [
            "scenario",
            "observable",
            "displacement",
            "share",
            "slow_time",
            "step_size",
            "sigma",
            "iterations",
        ],
    );
    let mut test = Sheet::new(
        "test",
        [
            "scenario",
            "observable",
            "step_size",
            "sigma",
            "iterations",
            "slow_time",
            "seen",
        ],
    );
    let mut noises = Sheet::new(
        "noises",
        [
            "scenario",
            "noise",
            "own",
            "regime",
            "clock",
            "drift",
            "brownian",
            "step_size",
            "share",
            "iterations",
            "not_known",
        ],
    );
    let mut time = Sheet::new(
        "run_time",
        [
            "scenario",
            "part",
            "step_size",
            "sigma",
            "iterations",
            "paths",
            "path_steps_per_second",
            "seconds",
        ],
    );
    let mut paths = Sheet::new(
        "paths_needed",
        ["scenario", "observable", "paths", "sufficient"],
    );
    for (study, plan) in plans {
        let name = json!(study.source.name());
        for rung in &plan.rungs {
            let at = [json!(rung.level.step_size), json!(rung.level.sigma)];
            let head = [name.clone(), json!("iterates")];
            let rest = [
                json!(rung.iterations),
                json!(rung.level.paths),
                json!(rung.pace.path_steps()),
                json!(rung.seconds),
            ];
            time.rows.push([&head[..], &at, &rest].concat());
            for (o, observable) in plan.observables.iter().enumerate() {
                let Some(times) = observable.times else {
                    continue;
                };
                let of = [name.clone(), json!(observable.name)];
                for (i, (slow_time, share)) in times.into_iter().zip(plan.shares).enumerate() {
                    let how_far = [
                        json!(observable.displacement.scale),
                        json!(share),
                        json!(slow_time),
                    ];
                    let wait = [json!(rung.waits[o][i])];
                    waits.rows.push([&of[..], &how_far, &at, &wait].concat());
                }
                let seen = [
                    json!(plan.test),
                    json!(rung.test_slow_time),
                    maybe(rung.seen[o]),
                ];
                test.rows.push([&of[..], &at, &seen].concat());
            }
        }
        let mut limit = vec![Value::Null; time.header.len()];
        limit[0] = name.clone();
        limit[1] = json!("limit");
        limit[7] = maybe(plan.limit_seconds);
        time.rows.push(limit);
        for noise in &plan.noises {
            let mut row = vec![Value::Null; noises.header.len()];
            row[0] = name.clone();
            row[1] = json!(noise.name);
            row[2] = json!(noise.own);
            match &noise.found {
                Err(reason) => {
                    row[10] = json!(reason.to_string());
                    noises.rows.push(row);
                }
                Ok(facts) => {
                    row[3] = json!(facts.regime.to_string());
                    row[4] = json!(facts.clock.formula());
                    row[5] = json!(facts.drift);
                    row[6] = json!(facts.brownian);
                    row[8] = json!(plan.shares[1]);
                    for (rung, wait) in plan.ladder().zip(&facts.waits) {
                        row[7] = json!(rung.level.step_size);
                        row[9] = json!(wait[1]);
                        noises.rows.push(row.clone());
                    }
                }
            }
        }
        if let Some(needed) = &plan.paths {
            let sufficient = json!(needed.sufficient);
            let all = vec![name.clone(), Value::Null, json!(needed.equal), sufficient];
            paths.rows.push(all);
            for (o, count) in &needed.by_observable {
                let observable = json!(plan.observables[*o].name);
                let row = vec![name.clone(), observable, json!(count), Value::Null];
                paths.rows.push(row);
            }
        }
    }
    vec![waits, test, noises, time, paths]
}

/// All scenarios of a call to `verify`.
pub fn overall_sheet(all: &[Finished]) -> Sheet {
    let mut sheet = Sheet::new(
        "scenarios",
        [
            "scenario",
            "regime",
            "verdict",
            "seconds",
            "checks",
            "not_passed",
            "decided_by",
            "run_folder",
        ],
    );
    for finished in all {
        let judged = finished.result.as_ref().ok();
        let checks = judged.map(|judged| &judged.verdict.checks);
        let not_passed = checks.map(|checks| {
            let others = checks.iter().filter(|c| c.verdict != Outcome::Pass);
            others.count()
        });
        sheet.rows.push(vec![
            json!(finished.name),
            json!(judged.map(|judged| judged.verdict.regime.to_string())),
            json!(finished.word()),
            json!(finished.seconds),
            json!(checks.map(Vec::len)),
            json!(not_passed),
            json!(finished.decided_by()),
            json!(judged.map(|judged| judged.folder.display().to_string())),
        ]);
    }
    sheet
}

/// A CSV text as a table; what reads as a number is one.
pub fn sheet_of_csv(name: &'static str, text: &str) -> Result<Sheet, csv::Error> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut sheet = Sheet::new(name, reader.headers()?.iter());
    for row in reader.records() {
        let cell = |cell: &str| match cell {
            "" => Value::Null,
            cell => serde_json::from_str(cell)
                .ok()
                .filter(Value::is_number)
                .unwrap_or_else(|| json!(cell)),
        };
        sheet.rows.push(row?.iter().map(cell).collect());
    }
    Ok(sheet)
}
