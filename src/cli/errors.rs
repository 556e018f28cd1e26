//! Errors on standard error: those of a scenario at their place in it, in colour and with lines drawn on a terminal, else plain.

use std::error::Error;
use std::io::IsTerminal;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
};
use singlim::scenario::ScenarioError;

use super::progress::{aside, has_colours};

/// Prints an error, after the name of what it is about if that must be said.
pub fn print(error: &(dyn Error + 'static), about: &str) {
    let text = match error.downcast_ref::<ScenarioError>() {
        Some(error) if std::io::stderr().is_terminal() => drawn(error),
        _ => format!("error: {about}{error}\n"),
    };
    aside(|| eprint!("{text}"));
}

/// With the line, the value underlined and what is expected there.
fn drawn(error: &ScenarioError) -> String {
    let mut diagnostic = MietteDiagnostic::new(&error.message);
    let (label, help) = match error.help.split_once("? ") {
        Some((question, rest)) if question.starts_with("did you mean") => {
            (format!("{question}?"), rest)
        }
        _ if error.help.starts_with("did you mean") || error.help.starts_with("the nearest") => {
            (error.help.clone(), "")
        }
        _ => ("here".to_owned(), error.help.as_str()),
    };
    if !help.is_empty() {
        diagnostic = diagnostic.with_help(help);
    }
    let Some(place) = &error.place else {
        let mut text = format!("{}: {}", error.file, error.message);
        if !error.help.is_empty() {
            text += &format!("\nhelp: {}", error.help);
        }
        return format!("error: {text}\n");
    };
    let span = place.span.clone();
    let diagnostic = diagnostic.with_label(LabeledSpan::at(span, label));
    let source = NamedSource::new(&error.file, place.text.to_string());
    let report = Report::new(diagnostic).with_source_code(source);
    let theme = if has_colours(true) {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let columns = terminal_size::terminal_size_of(std::io::stderr())
        .map_or(80, |(width, _)| usize::from(width.0).max(40));
    let handler = GraphicalReportHandler::new_themed(theme).with_width(columns);
    let mut text = String::new();
    match handler.render_report(&mut text, report.as_ref()) {
        Ok(()) => text,
        Err(_) => format!("error: {error}\n"),
    }
}
