//! The plan as text: one sentence that says it all, then tables.

use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use crate::derive::Regime;
use crate::plan::{EARLY, NoiseFacts, POWER, PathsNeeded, Plan, RungPlan, TwoClocks};
use crate::predict::Prediction;
use crate::scenario::{Arm, Study};

/// Numbers of iterations: whole below 10⁴.
fn count(n: u64) -> String {
    if n < 10_000 {
        n.to_string()
    } else {
        format!("{:.1e}", n as f64)
    }
}

fn wait(n: Option<u64>) -> String {
    n.map_or("never".into(), count)
}

fn number(x: f64) -> String {
    if x == 0.0 {
        "0".into()
    } else if (1e-2..1e4).contains(&x.abs()) {
        let digits = (2 - x.abs().log10().floor() as i32).clamp(0, 4) as usize;
        format!("{x:.digits$}")
    } else {
        format!("{x:.1e}")
    }
}

fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent > 0.0 && percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 0.095 => "less than 0.1 s".into(),
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

fn about(seconds: f64) -> String {
    let duration = duration(seconds);
    if duration.starts_with("less") {
        duration
    } else {
        format!("about {duration}")
    }
}

fn threads(n: usize) -> String {
    if n == 1 {
        "1 thread".into()
    } else {
        format!("{n} threads")
    }
}

fn table(header: Vec<String>, rows: Vec<Vec<String>>, left: usize) -> String {
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─')))
        .set_content_arrangement(ContentArrangement::Disabled)
        .force_no_tty()
        .set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines: Vec<_> = table
        .to_string()
        .lines()
        .map(|l| l.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// The name of a rung: σ too where it is not that of a step size alone.
fn rung_name(rung: &RungPlan) -> String {
    match rung.level.arm {
        Arm::StepSizes => format!("α = {}", rung.level.step_size),
        Arm::Sigmas => format!("α = {}, σ = {:.3}", rung.level.step_size, rung.level.sigma),
    }
}

/// The plan of a study in sentences and tables.
pub fn plan_text(study: &Study, prediction: &Prediction, plan: &Plan) -> String {
    let mut text = format!("{}\n", headline(study, prediction, plan));
    let clock = prediction.clock.formula();
    if plan.moves() {
        let what = if prediction.is_deterministic() {
            "displacement"
        } else {
            "root mean square displacement"
        };
        let frozen = plan.ladder().last().and_then(|rung| rung.freezing_time);
        let frozen = frozen.map_or(String::new(), |time| {
            format!("; the schedule freezes at slow time {time:.3}, \"never\" is beyond")
        });
        let _ = writeln!(
            text,
            "\niterations until shares of the {what} up to slow time {} show ({clock}{frozen})",
            study.horizon()
        );
        let _ = writeln!(text, "{}", waits_table(plan));
        let _ = writeln!(
            text,
            "\nwhat a test of {} iterations sees and misses of it",
            count(plan.test)
        );
        let _ = writeln!(text, "{}", test_table(plan));
    }
    for observable in plan.observables.iter().filter(|o| !o.displacement.moves) {
        if prediction.regime() != Regime::Trivial {
            let _ = writeln!(text, "{} does not move in the limit.", observable.name);
        }
    }
    let _ = writeln!(
        text,
        "\nnoises of this model at the same σ and step sizes: iterations until each has moved {} by {} of what it does up to slow time {} on its own clock",
        study.observables[0].0,
        percent(plan.shares[1]),
        study.horizon(),
    );
    let _ = writeln!(text, "{}", noise_table(plan));
    if let Some(clocks) = &plan.two_clocks {
        let _ = writeln!(text, "{}", compare(clocks, plan.shares[1]));
    }
    let _ = writeln!(
        text,
        "\nexpected run time of the simulations with {} (statistics and files come on top)",
        threads(plan.threads)
    );
    let _ = writeln!(text, "{}", time_table(plan));
    if let Some(needed) = &plan.paths {
        let _ = writeln!(text, "\n{}", paths_text(study, prediction, plan, needed));
    }
    text
}

fn headline(study: &Study, prediction: &Prediction, plan: &Plan) -> String {
    let noise = &plan.noises[0].name;
    let time = format!(
        "this scenario will take {} on this machine with {}",
        about(plan.seconds()),
        threads(plan.threads)
    );
    if prediction.regime() == Regime::Trivial {
        return format!(
            "{noise} noise is trivial here: nothing will ever show, however long one trains; {time}."
        );
    }
    let first = plan.observables.iter().position(|o| o.displacement.moves);
    let (Some(first), Some(finest)) = (first, plan.ladder().last()) else {
        return format!("{noise} noise moves none of the observables; {time}.");
    };
    let name = &plan.observables[first].name;
    let alpha = finest.level.step_size;
    let share = percent(plan.shares[1]);
    match finest.waits[first][1] {
        Some(k) => format!(
            "At α = {alpha} the effect of {noise} noise on {name} needs {} iterations to show {share}; {time}.",
            count(k)
        ),
        None => {
            let why = finest.freezing_time.map_or("too slow".into(), |time| {
                format!("the schedule freezes at slow time {time:.3}")
            });
            format!(
                "At α = {alpha} the effect of {noise} noise on {name} never shows {share} of what a constant step size would show by slow time {}: {why}; {time}.",
                study.horizon()
            )
        }
    }
}

fn waits_table(plan: &Plan) -> String {
    let mut header: Vec<String> = ["observable", "displacement", "share", "slow time"]
        .map(String::from)
        .to_vec();
    header.extend(plan.rungs.iter().map(rung_name));
    let mut rows = Vec::new();
    for (o, observable) in plan.observables.iter().enumerate() {
        let Some(times) = observable.times else {
            continue;
        };
        for (i, (time, share)) in times.into_iter().zip(plan.shares).enumerate() {
            let mut row = match i {
                0 => vec![
                    observable.name.clone(),
                    number(observable.displacement.scale),
                ],
                _ => vec![String::new(); 2],
            };
            row.extend([percent(share), number(time)]);
            row.extend(plan.rungs.iter().map(|rung| wait(rung.waits[o][i])));
            rows.push(row);
        }
    }
    let mut fast = vec!["(fast phase)".into()];
    fast.resize(4, String::new());
    fast.extend(plan.rungs.iter().map(|rung| count(rung.fast_phase)));
    rows.push(fast);
    table(header, rows, 1)
}

fn test_table(plan: &Plan) -> String {
    let mut header = vec!["rung".to_owned(), "slow time".into()];
    let moving = || {
        let all = plan.observables.iter().enumerate();
        all.filter(|(_, o)| o.times.is_some())
    };
    for (_, observable) in moving() {
        header.push(format!("{}: seen", observable.name));
        header.push("missed".into());
    }
    let rows = plan.rungs.iter().map(|rung| {
        let mut row = vec![rung_name(rung), number(rung.test_slow_time)];
        for (o, _) in moving() {
            let seen = rung.seen[o].unwrap_or(0.0);
            row.extend([percent(seen), percent(1.0 - seen)]);
        }
        row
    });
    table(header, rows.collect(), 1)
}

fn noise_table(plan: &Plan) -> String {
    let mut header: Vec<String> = ["noise", "regime", "clock", "drift", "Brownian"]
        .map(String::from)
        .to_vec();
    header.extend(plan.ladder().map(rung_name));
    let mut reasons = Vec::new();
    let mut rows = Vec::new();
    for noise in &plan.noises {
        let own = if noise.own { " (this scenario)" } else { "" };
        let mut row = vec![format!("{}{own}", noise.name)];
        match &noise.found {
            Ok(facts) => row.extend(noise_row(facts)),
            Err(reason) => {
                row.push("not known".into());
                reasons.push(format!("{}: {reason}", noise.name));
            }
        }
        row.resize(header.len(), String::new());
        rows.push(row);
    }
    let mut text = table(header, rows, 3);
    for reason in reasons {
        let _ = write!(text, "\n{reason}");
    }
    text
}

fn noise_row(facts: &NoiseFacts) -> Vec<String> {
    let clock = match facts.regime {
        Regime::Trivial => "none".into(),
        _ => facts.clock.formula().to_owned(),
    };
    let mut row = vec![
        facts.regime.to_string(),
        clock,
        number(facts.drift),
        number(facts.brownian),
    ];
    row.extend(facts.waits.iter().map(|waits| wait(waits[1])));
    row
}

fn compare(clocks: &TwoClocks, share: f64) -> String {
    let rungs = clocks.rungs.iter().map(|rung| {
        let early = match rung.early {
            Some(k) => format!(
                " (before {} the slowest has shown < {})",
                count(k),
                percent(EARLY)
            ),
            None => String::new(),
        };
        match rung.after {
            Some(k) => format!("{} iterations at α = {}{early}", count(k), rung.step_size),
            None => format!(
                "never at α = {}, where the slowest freezes{early}",
                rung.step_size
            ),
        }
    });
    let when = if clocks.rungs.iter().all(|rung| rung.after.is_none()) {
        "never, as the slowest freezes before".to_owned()
    } else {
        rungs.collect::<Vec<_>>().join("; ")
    };
    format!(
        "Compare {} (fast clock) with {} (slow clock) only after all have shown {}: {when}.",
        clocks.fast.join(", "),
        clocks.slow.join(", "),
        percent(share),
    )
}

fn time_table(plan: &Plan) -> String {
    let header = ["rung", "iterations", "paths", "path-steps/s", "time"].map(String::from);
    let mut rows: Vec<Vec<String>> = plan
        .rungs
        .iter()
        .map(|rung| {
            vec![
                rung_name(rung),
                count(rung.iterations),
                rung.level.paths.to_string(),
                format!("{:.1e}", rung.pace.path_steps()),
                duration(rung.seconds),
            ]
        })
        .collect();
    let line = |name: &str, time: String| {
        let empty = String::new();
        vec![name.into(), empty.clone(), empty.clone(), empty, time]
    };
    let limit = plan.limit_seconds.map_or("not timed".into(), duration);
    rows.push(line("limit", limit));
    rows.push(line("in all", duration(plan.seconds())));
    table(header.to_vec(), rows, 1)
}

fn paths_text(study: &Study, prediction: &Prediction, plan: &Plan, needed: &PathsNeeded) -> String {
    let present: Vec<String> = plan.ladder().map(|r| r.level.paths.to_string()).collect();
    let power = percent(POWER);
    let mut text = format!(
        "paths needed for the margins mean = {}{}, if the theory is true, with probability {power} (statistics alone; the checks of law, order and time scale are not counted)",
        study.spec.margins.mean,
        if prediction.is_deterministic() {
            String::new()
        } else {
            format!(", square = {}", study.spec.margins.square)
        },
    );
    let each = |paths: &[usize]| -> String {
        let all: Vec<_> = paths.iter().map(usize::to_string).collect();
        all.join(", ")
    };
    match (needed.equal, &needed.cheapest) {
        (Some(equal), cheapest) => {
            let _ = write!(
                text,
                "\n  {equal} on every rung ({:.1e} path-steps); the most is asked for by the {}",
                needed.path_steps[0], needed.binding
            );
            if let Some(cheapest) = cheapest {
                let _ = write!(
                    text,
                    "\n  or, cheaper, ladder.paths = [{}] ({:.1e} path-steps)",
                    each(cheapest),
                    needed.path_steps[1]
                );
            }
        }
        (None, _) => {
            let _ = write!(
                text,
                "\n  no number on the rungs suffices: the limit has too few paths; raise limit.paths"
            );
        }
    }
    for (o, paths) in &needed.by_observable {
        let name = &plan.observables[*o].name;
        let still = if plan.observables[*o].displacement.moves {
            ""
        } else {
            " (it does not move in the limit; the margin is a share of a move by |W(0)|)"
        };
        let paths = paths.map_or("no number suffices".into(), |n| {
            format!("{n} on every rung")
        });
        let _ = write!(text, "\n  {name} alone: {paths}{still}");
    }
    let _ = write!(
        text,
        "\n  the scenario's {} {}",
        present.join(", "),
        if needed.sufficient {
            "suffice"
        } else {
            "are too few"
        }
    );
    if let Some(spread) = &plan.spread {
        if let Some(share) = spread.shortened {
            let _ = write!(
                text,
                "\n  (spread measured on the first {} of the iterations of the coarsest rung only, a rough guess)",
                percent(share)
            );
        } else if spread.measured < spread.deviations.len() {
            let _ = write!(
                text,
                "\n  (spread measured on the coarsest rungs, {} of them, scaled to the others by the derived rate)",
                spread.measured
            );
        }
    }
    text
}
