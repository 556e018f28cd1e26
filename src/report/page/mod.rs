//! `report.html`: one file with everything in it, made from a run folder alone.

mod comparison;
mod tables;

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use quick_xml::escape::escape;

use super::draw::{Setting, interactive, svg};
use super::figures::Figure;
use super::stored::StoredRun;
use super::table::{estimate_text, predicted_text};
use crate::statistics::Outcome;
use crate::verify::{Check, Verdict};

pub use comparison::comparison_page;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page of one run.
pub fn page(run: &StoredRun, figures: &[Figure]) -> String {
    let mut body = String::new();
    body += &format!(
        "<header><p class=\"kind\">singlim report · {}</p>",
        text(&run.name)
    );
    body += &format!("<h1>{}</h1>", text(run.title()));
    body += &verdict(run);
    body += "</header>\n<main>\n";
    body += &deciding(run);
    body += "<section aria-labelledby=\"figures\"><h2 id=\"figures\">Figures</h2>\n";
    body += "<p class=\"hint interactive-only\">Hover for values; click a name in a legend to hide or show it, double-click to \
             see it alone; drag to zoom, double-click to zoom out. The same figures, as vectors and as images for a paper, are in <code>plots/</code>.</p>\n";
    for (number, figure) in figures.iter().enumerate() {
        body += &figure_html(figure, number + 1);
    }
    body += "</section>\n";
    if let Some(verdict) = &run.verdict {
        body += &tables::checks(verdict);
        body += &tables::budget(verdict);
        body += &tables::power(verdict);
    }
    body += &tables::provenance(run);
    body += "</main>\n";
    whole(run.title(), &body)
}

/// Text as HTML.
fn text(text: &str) -> String {
    escape(text).into_owned()
}

/// A mark that can be told without colour, and the word.
fn badge(outcome: Outcome) -> String {
    let mark = match outcome {
        Outcome::Pass => "✓",
        Outcome::Inconclusive => "?",
        Outcome::Rejected => "✗",
    };
    format!(
        "<span class=\"badge {outcome}\"><span aria-hidden=\"true\">{mark} </span>{outcome}</span>"
    )
}

/// The verdict in one sentence, and what it rests on.
fn verdict(run: &StoredRun) -> String {
    let Some(verdict) = &run.verdict else {
        return format!(
            "<p class=\"verdict\">Simulated by <code>singlim {}</code>; nothing was compared, so there is no verdict.</p>",
            text(&run.manifest.command)
        );
    };
    let mut sentence = verdict.sentence.clone();
    if let Some(first) = sentence.get(..1) {
        sentence = first.to_uppercase() + &sentence[1..];
    }
    let mut html = format!(
        "<p class=\"verdict {}\">{} {}.</p>",
        verdict.verdict,
        badge(verdict.verdict),
        text(&sentence)
    );
    if !verdict.planted_faults.is_empty() {
        html += &format!(
            "<p class=\"planted\"><strong>Wrong on purpose:</strong> <code>{}</code></p>",
            text(&verdict.planted_faults.join(", "))
        );
    }
    html += &format!("<p class=\"rests\">{}</p>", text(&rests_on(run, verdict)));
    html
}

fn rests_on(run: &StoredRun, verdict: &Verdict) -> String {
    let count = |outcome| {
        let checks = verdict.checks.iter();
        checks.filter(|check| check.verdict == outcome).count()
    };
    let mut counts = vec![format!("{} pass", count(Outcome::Pass))];
    for outcome in [Outcome::Rejected, Outcome::Inconclusive] {
        if count(outcome) > 0 {
            counts.push(format!("{} {outcome}", count(outcome)));
        }
    }
    let rungs = run.table("rungs");
    let paths: f64 = rungs.rows().filter_map(|row| row.number("paths")).sum();
    let rungs = rungs.rows().count();
    let ensembles = if rungs > 0 {
        format!("{} paths on {rungs} rungs, ", grouped(paths))
    } else {
        String::new()
    };
    let power = super::power_line(verdict);
    let power = power.trim_end().replace(" %", "\u{a0}%");
    let power = if power.is_empty() {
        String::new()
    } else {
        format!(" The run {power}.")
    };
    format!(
        "This rests on {} checks ({}) with {:.0} % intervals, from {ensembles}{:.2e} path-steps. A true theory would be \
         rejected with probability at most {}.{power}",
        verdict.checks.len(),
        counts.join(", "),
        100.0 * run.confidence(),
        run.manifest.path_steps as f64,
        verdict.false_alarm_rate
    )
}

/// What decided, where not all checks pass.
fn deciding(run: &StoredRun) -> String {
    let Some(verdict) = &run.verdict else {
        return String::new();
    };
    if verdict.verdict == Outcome::Pass {
        return String::new();
    }
    let mut html = String::from(
        "<section aria-labelledby=\"decided\"><h2 id=\"decided\">What decided</h2><ul class=\"decided\">",
    );
    for (check, count) in super::table::rows(&verdict.checks) {
        if check.verdict != verdict.verdict {
            continue;
        }
        let worst = if count > 1 {
            format!(" (worst of {count})")
        } else {
            String::new()
        };
        html += &format!(
            "<li><strong>{}{worst}</strong>{}</li>",
            text(&check.title()),
            found(check)
        );
    }
    html + "</ul></section>\n"
}

/// What a check found against what it asks for, and how, folded away; where nothing was estimated, how alone.
fn found(check: &Check) -> String {
    let (estimate, predicted) = (estimate_text(check), predicted_text(check));
    if estimate.is_empty() || predicted.is_empty() {
        return format!(": {}", text(&check.detail));
    }
    format!(
        ": {}, where {} is claimed <details><summary>how</summary>{}</details>",
        unbroken(&estimate),
        unbroken(&predicted),
        text(&check.detail)
    )
}

/// Numbers that stay on one line with their interval, margin or unit.
fn unbroken(numbers: &str) -> String {
    let joined = numbers.replace(", ", ",\u{a0}");
    text(&joined.replace(" ±", "\u{a0}±").replace("± ", "±\u{a0}"))
}

/// `360 000`.
fn grouped(count: f64) -> String {
    let digits = format!("{count:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A figure: vector graphic for paper and for browsers without scripts, interactive on a screen.
fn figure_html(figure: &Figure, number: usize) -> String {
    let setting = Setting {
        inline: true,
        ..Setting::default()
    };
    let files: Vec<String> = figure
        .files
        .iter()
        .map(|file| format!("<a href=\"{file}\">{file}</a>"))
        .collect();
    let files = if files.is_empty() {
        String::new()
    } else {
        format!("<span class=\"files\">Data: {}</span>", files.join(", "))
    };
    // A closing tag inside of the JSON would end the script.
    let json = interactive(figure).to_string().replace("</", "<\\/");
    let name = figure.name;
    format!(
        "<figure id=\"figure-{name}\">\n<h3>{number}. {}</h3>\n<div class=\"static\">{}</div>\n\
         <div class=\"interactive\" role=\"img\" aria-label=\"{}\"></div>\n\
         <script type=\"application/json\" class=\"figure-data\">{json}</script>\n\
         <figcaption>{} {}</figcaption>\n</figure>\n",
        text(&figure.title),
        svg(figure, setting),
        text(&figure.alt),
        text(&figure.caption),
        files
    )
}

fn whole(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"singlim {}\">\n<title>{} – singlim</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n{body}\
         <script type=\"text/plain\" id=\"plotly\">{}</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        text(title),
        plotly()
    )
}

/// Plotly's JavaScript as it comes with the crate `plotly`, compressed, in base64.
fn plotly() -> &'static str {
    static PACKED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    PACKED.get_or_init(|| {
        use base64::Engine;
        let scripts = plotly::Plot::offline_js_sources();
        // The first of its scripts; the second typesets formulas, which are none here.
        let from = scripts.find('>').map_or(0, |at| at + 1);
        let to = scripts[from..]
            .find("</script>")
            .map_or(scripts.len(), |at| from + at);
        let mut gz = GzEncoder::new(Vec::new(), Compression::default());
        let packed = gz
            .write_all(&scripts.as_bytes()[from..to])
            .and_then(|()| gz.finish());
        // Writing to memory does not fail; without it the page shows its vector graphics.
        let packed = packed.unwrap_or_default();
        base64::engine::general_purpose::STANDARD.encode(packed)
    })
}
