//! What the terminal shows: the table of checks, the verdict line, the prediction.

use std::fmt::Write;

use comfy_table::{Attribute, Cell, Color, ContentArrangement, LineStyle, Table, TableStyle};

use crate::noise::Source;
use crate::predict::{Prediction, meanings, warnings};
use crate::random::Sampling;
use crate::scenario::Study;
use crate::statistics::Outcome;
use crate::verify::{BudgetRow, Check, Verdict, planted_faults};

pub(super) fn colour(outcome: Outcome) -> Color {
    match outcome {
        Outcome::Pass => Color::Green,
        Outcome::Inconclusive => Color::Yellow,
        Outcome::Rejected => Color::Red,
    }
}

pub(super) fn short(x: f64) -> String {
    if x == 0.0 {
        "0".into()
    } else if (1e-3..1e5).contains(&x.abs()) {
        // Of the rounded number: 0.99999 is 1.000.
        let rounded: f64 = format!("{x:.3e}").parse().unwrap_or(x);
        let digits = (3 - rounded.abs().log10().floor() as i32).clamp(0, 6) as usize;
        format!("{x:.digits$}")
    } else {
        format!("{x:.2e}")
    }
}

fn two_digits(x: f64) -> String {
    let digits = (1 - x.abs().log10().floor() as i32).clamp(0, 6) as usize;
    format!("{x:.digits$}")
}

/// Checks of one kind on one observable (means at many record times, say) share a row that shows the worst of them.
pub(super) fn rows(checks: &[Check]) -> Vec<(&Check, usize)> {
    let badness = |check: &Check| {
        let away = match (check.estimate, check.null, check.margin) {
            (Some(estimate), Some(null), Some(margin)) => (estimate - null).abs() / margin,
            _ => 0.0,
        };
        (check.verdict, away)
    };
    let mut rows: Vec<(&Check, usize)> = Vec::new();
    for check in checks {
        let same = |row: &&mut (&Check, usize)| {
            row.0.name == check.name && row.0.observable == check.observable
        };
        match rows.iter_mut().find(same) {
            None => rows.push((check, 1)),
            Some(row) => {
                row.1 += 1;
                if badness(check) > badness(row.0) {
                    row.0 = check;
                }
            }
        }
    }
    rows
}

/// `1.0 [0.9, 1.1]`.
pub(super) fn estimate_text(check: &Check) -> String {
    match (check.estimate, check.interval) {
        (Some(x), Some(i)) => format!("{} [{}, {}]", short(x), short(i.lower), short(i.upper)),
        (Some(x), None) => short(x),
        _ => String::new(),
    }
}

/// `1.0 ± 0.2`.
pub(super) fn predicted_text(check: &Check) -> String {
    match (check.null, check.margin) {
        (Some(null), Some(margin)) => format!("{} ± {}", short(null), short(margin)),
        (Some(null), None) => format!("at least {}", short(null)),
        _ => String::new(),
    }
}

/// The table of checks. `width` in characters, that of the terminal if `None`; `colours` whether it shows any.
pub fn checks_table(verdict: &Verdict, width: Option<u16>, colours: bool) -> String {
    let mut table = plain_table(width);
    if colours {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header([
        "check",
        "observable",
        "estimate [interval]",
        "predicted ± margin",
        "verdict",
    ]);
    for (check, count) in rows(&verdict.checks) {
        let name = if count > 1 {
            format!("{} (worst of {count})", check.name)
        } else {
            check.name.clone()
        };
        table.add_row([
            Cell::new(name),
            Cell::new(check.observable.as_deref().unwrap_or_default()),
            Cell::new(estimate_text(check)),
            Cell::new(predicted_text(check)),
            Cell::new(check.verdict)
                .fg(colour(check.verdict))
                .add_attribute(Attribute::Bold),
        ]);
    }
    let mut text = table.to_string();
    for (check, _) in rows(&verdict.checks)
        .iter()
        .filter(|(check, _)| check.verdict != Outcome::Pass)
    {
        let on = check
            .observable
            .as_ref()
            .map_or(String::new(), |o| format!(" of {o}"));
        let _ = write!(
            text,
            "\n{} {}{on}: {}",
            check.verdict, check.name, check.detail
        );
    }
    text
}

/// The four errors of the comparison that is tightest, for each observable and moment; empty where no moments are compared.
pub fn budget_table(verdict: &Verdict, width: Option<u16>) -> String {
    let tightness = |row: &BudgetRow| {
        row.systematic_share() + (row.iterates.abs() + row.monte_carlo) / row.margin
    };
    let mut tightest: Vec<&BudgetRow> = Vec::new();
    for row in &verdict.budget {
        let same = |other: &&mut &BudgetRow| {
            other.observable == row.observable && other.moment == row.moment
        };
        match tightest.iter_mut().find(same) {
            None => tightest.push(row),
            Some(other) if tightness(row) > tightness(other) => *other = row,
            Some(_) => (),
        }
    }
    if tightest.is_empty() {
        return String::new();
    }
    let mut table = plain_table(width);
    table.set_header([
        "error budget",
        "slow time",
        "iterates − limit",
        "time discretisation",
        "projection",
        "Monte Carlo",
        "margin",
    ]);
    for row in tightest {
        table.add_row([
            format!("{} of {}", row.moment, row.observable),
            short(row.slow_time),
            short(row.iterates),
            row.discretisation.map_or("?".into(), short),
            short(row.projection),
            short(row.monte_carlo),
            short(row.margin),
        ]);
    }
    format!("{table}\n")
}

/// How wrong the theory would have to be for this run to notice, in one line; empty where nothing moves.
pub fn power_line(verdict: &Verdict) -> String {
    let Some(power) = verdict.power else {
        return String::new();
    };
    let share = |name: &str, error: Option<f64>| match error {
        Some(error) => format!("{name} wrong by {} %", two_digits(100.0 * error)),
        None => format!("no {name} error up to 100 %"),
    };
    let mut parts = vec![share("drift", power.drift)];
    parts.extend(power.diffusion.map(|error| share("diffusion", Some(error))));
    let exponent = |error| format!("a time exponent wrong by {}", two_digits(error));
    parts.extend(power.exponent.map(exponent));
    format!(
        "would have rejected with probability {}: {}\n",
        power.probability,
        parts.join(", ")
    )
}

pub(super) fn plain_table(width: Option<u16>) -> Table {
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─')))
        .set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table
}

/// `PASS: …` in one line.
pub fn verdict_line(verdict: &Verdict) -> String {
    let faults = match verdict.planted_faults.len() {
        0 => String::new(),
        _ => format!(" [planted fault: {}]", verdict.planted_faults.join(", ")),
    };
    format!(
        "{}: {}{faults}",
        verdict.verdict.to_string().to_uppercase(),
        verdict.sentence
    )
}

fn noise_text(study: &Study, source: &Source) -> String {
    let formula = source.mechanism.formula();
    if let Some(batch) = source.batch {
        let samples = source.size(study.noisy.model());
        let how = match batch.sampling {
            Sampling::WithReplacement => "with replacement",
            Sampling::WithoutReplacement => "without replacement",
            Sampling::Epochs => "by epochs",
        };
        return format!(
            "{}, {} of {samples} samples a step {how}, variance of the weights {}: {formula}",
            source.mechanism,
            batch.size,
            short(batch.variance(samples))
        );
    }
    let masks = if source.per_sample {
        ", one mask for each sample"
    } else {
        ""
    };
    let scale = match source.scale {
        1.0 => String::new(),
        scale => scale.to_string(),
    };
    format!(
        "{}, {} law, standard deviation {scale}σ{masks}: {formula}",
        source.mechanism,
        source.law.name(),
    )
}

/// The prediction in words and numbers.
pub fn prediction_text(study: &Study, prediction: &Prediction) -> String {
    let mut text = String::new();
    let model = study.noisy.model();
    let card = crate::models::Model::card(model);
    let _ = writeln!(text, "model          {}: {}", card.name, card.formula);
    for source in study.noisy.sources() {
        let _ = writeln!(text, "noise          {}", noise_text(study, source));
    }
    if let crate::models::AnyModel::Formula(formula) = model {
        use crate::formula::Style;
        for (style, begin) in [
            (Style::Plain, "formula       "),
            (Style::Latex, "LaTeX         "),
        ] {
            for (name, derived) in formula.derivation(study.noisy.sources(), style) {
                let _ = writeln!(text, "{begin} {name} = {derived}");
            }
        }
    }
    let names = crate::models::Model::parameter_names(model);
    let point = |w: &nalgebra::DVector<f64>| {
        let shown = names
            .iter()
            .zip(w.iter())
            .take(8)
            .map(|(n, x)| format!("{n} = {x:.6}"));
        let more = if w.len() > 8 { ", …" } else { "" };
        format!("{}{more}", shown.collect::<Vec<_>>().join(", "))
    };
    let start = nalgebra::DVector::from_column_slice(&study.start);
    let _ = writeln!(text, "start          {}", point(&start));
    let _ = writeln!(text, "lands on Γ at  {}", point(&prediction.landing));
    let m = prediction.landing.len();
    let _ = writeln!(
        text,
        "manifold       {} dimensional in R^{m}; eigenvalues of H from {} to {} on its range, condition number of J {}",
        m - prediction.rank,
        short(prediction.frame.smallest_eigenvalue()),
        short(prediction.frame.largest_eigenvalue()),
        short(prediction.frame.condition()),
    );
    let evidence = prediction.evidence;
    let _ = writeln!(
        text,
        "regime         {}: |P∇Reg| is {:.1e} and |G| is {:.1e} of their scales near the landing point ({} points, zero below {:.0e})",
        evidence.regime,
        evidence.largest.regularizer,
        evidence.largest.noise,
        evidence.points,
        evidence.tolerance
    );
    let _ = writeln!(
        text,
        "slow clock     {}",
        match evidence.regime {
            crate::derive::Regime::Trivial => "none: nothing moves after the fast phase",
            _ => prediction.clock.formula(),
        }
    );
    let _ = writeln!(
        text,
        "Reg            {:.6} σ² at the landing point",
        prediction.regularizer
    );
    for line in meanings(study, prediction) {
        let _ = writeln!(text, "regularises    {line}");
    }
    let _ = writeln!(
        text,
        "drift of W     {}",
        point(&prediction.coefficients.drift)
    );
    let brownian = if prediction.is_deterministic() {
        "none: the limit is deterministic".to_owned()
    } else {
        format!(
            "|B| = {:.6}: the limit is stochastic",
            prediction.coefficients.brownian_norm(&prediction.frame)
        )
    };
    let _ = writeln!(text, "Brownian part  {brownian}");
    for warning in warnings(study, prediction) {
        let _ = writeln!(text, "warning        {}", warning.line());
    }
    for fault in planted_faults(study, prediction) {
        let _ = writeln!(text, "planted fault  {fault}");
    }
    let _ = writeln!(
        text,
        "step sizes     stable below 2/λ_max = {:.6}",
        prediction.largest_stable_step_size()
    );
    for level in &prediction.levels {
        let freeze = match level.freezing_time {
            Some(time) => format!("; freezes: slow time never exceeds {time:.4}"),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "               α = {:<8} σ = {:<8.4} α·λ_max = {:.3}: {} iterations to slow time {:.4}, {} paths{freeze}",
            level.level.step_size,
            level.level.sigma,
            level.stability,
            level.iterations,
            level.slow_time,
            level.level.paths
        );
    }
    let total: f64 = prediction
        .levels
        .iter()
        .map(|l| l.iterations as f64 * l.level.paths as f64)
        .sum();
    let _ = writeln!(text, "               {total:.2e} path-steps in all");
    text
}
