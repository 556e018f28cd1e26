//! What is kept of a run that was interrupted, and the command that goes on with it.

use std::path::PathBuf;

use singlim::predict::Prediction;
use singlim::report::RunFolder;
use singlim::scenario::Study;
use singlim::simulate::{LevelRun, plan_levels};

use super::{Fallible, Options};

/// The rungs of a study: with what the folder has of them, if the run goes on there.
pub fn planned(
    study: &Study,
    prediction: &Prediction,
    folder: &RunFolder,
    resume: bool,
) -> Fallible<Vec<LevelRun>> {
    let planned = plan_levels(study, prediction);
    if resume {
        return Ok(folder.kept(study, planned)?);
    }
    Ok(planned)
}

/// Keeps the iterates in the folder, if there are any, and says what is kept and how to go on.
pub fn keep(
    study: &Study,
    folder: &RunFolder,
    levels: &[LevelRun],
    again: &str,
) -> Fallible<String> {
    let (paths, all) = levels.iter().fold((0, 0), |(paths, all), run| {
        (paths + run.samples.paths, all + run.level.paths)
    });
    if paths == 0 {
        return Ok("no path was finished, and nothing is kept; run it again to begin anew".into());
    }
    folder.keep(study, levels)?;
    let rungs = levels.iter().filter(|run| run.missing_paths() == 0).count();
    Ok(format!(
        "{paths} of {all} paths ({rungs} of {} rungs) are kept in {}; go on with\n  {again}",
        levels.len(),
        folder.path().display(),
    ))
}

/// The command that goes on in this folder.
pub fn command_line(
    command: &str,
    scenarios: &[&PathBuf],
    options: &Options,
    further: &[String],
    folder: &RunFolder,
) -> String {
    let mut words = vec!["singlim".to_owned(), command.to_owned()];
    words.extend(scenarios.iter().map(|path| path.display().to_string()));
    words.extend(options.words());
    words.extend_from_slice(further);
    let out = folder.path().display().to_string();
    words.extend(["--out".to_owned(), out, "--resume".to_owned()]);
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// As a shell takes it for one word.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("noise.0.law=uniform"), "noise.0.law=uniform");
        assert_eq!(quoted("title=it's here"), "'title=it'\\''s here'");
        assert_eq!(quoted("x=[1, 2]"), "'x=[1, 2]'");
        assert_eq!(quoted(""), "''");
    }
}
