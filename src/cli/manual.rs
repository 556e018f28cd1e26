//! What the program says of itself: completions, man pages, the schema of scenarios, explanations.

use std::fmt::Write;
use std::path::Path;

use clap::CommandFactory;
use singlim::explain::{Kind, Topic, explain, topics};
use singlim::scenario::nearest;

use super::{Cli, Fallible};

/// The completion script for a shell.
pub fn completions(shell: clap_complete::Shell) -> Fallible<String> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "singlim", &mut text);
    Ok(String::from_utf8(text)?)
}

/// Writes a man page for the program and each command into a folder, and says how many.
pub fn man_pages(folder: &Path) -> Fallible<usize> {
    let fail = |error| format!("can't write to {}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(fail)?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let count = 1 + command.get_subcommands().count();
    clap_mangen::generate_to(command, folder).map_err(fail)?;
    Ok(count)
}

/// A topic in full, or all of them in a line each.
pub fn explanation(name: Option<&str>) -> Fallible<String> {
    let Some(name) = name else {
        return Ok(list());
    };
    // A bare number is an exit code.
    let found = explain(name).or_else(|| explain(&format!("exit code {name}")));
    let Some(Topic { kind, name, text }) = found else {
        let names: Vec<&str> = topics().iter().map(|topic| topic.name).collect();
        let help = nearest(name, &names);
        return Err(format!("nothing is named `{name}`\nhelp: {help}").into());
    };
    let what = match kind {
        Kind::Check => "check: ",
        Kind::Warning => "warning: ",
        Kind::ExitCode => "",
    };
    Ok(format!("{what}{name}\n\n{}\n", wrapped(text, 80)))
}

fn list() -> String {
    let mut text = String::new();
    for (kind, title) in [
        (Kind::Check, "checks of a verdict"),
        (Kind::Warning, "warnings"),
        (Kind::ExitCode, "exit codes"),
    ] {
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}{title}");
        for topic in topics().iter().filter(|topic| topic.kind == kind) {
            let first = topic.text.split(". ").next();
            let _ = writeln!(
                text,
                "  {:<20} {}",
                topic.name,
                shortened(first.unwrap_or_default())
            );
        }
    }
    text.push_str("\nsinglim explain NAME says more.\n");
    text
}

/// At most 76 characters, cut at a word.
fn shortened(text: &str) -> String {
    const MOST: usize = 76;
    let text = text.trim_end_matches('.');
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let mut short = String::new();
    for word in text.split(' ') {
        if short.chars().count() + word.chars().count() > MOST - 2 {
            break;
        }
        short += word;
        short.push(' ');
    }
    short.trim_end().to_owned() + " …"
}

/// Broken into lines of so many characters.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}
