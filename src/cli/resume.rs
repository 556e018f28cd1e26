//! What is kept of a run that was interrupted, and the command that goes on with it.

use std::path::PathBuf;

use singlim::predict::Prediction;
use singlim::report::RunFolder;
use singlim::scenario::Study;
use singlim::simulate::{LevelRun, LimitRun, plan_levels, plan_limits};

use super::{Fallible, Options};

/// Iterates and limits, as far as they are simulated.
pub type Parts = (Vec<LevelRun>, Vec<LimitRun>);

/// The rungs and limits of a study: with what the folder has of them, if the run goes on there.
pub fn planned(
    study: &Study,
    prediction: &Prediction,
    folder: &RunFolder,
    resume: bool,
) -> Fallible<Parts> {
    let mut levels = plan_levels(study, prediction);
    let mut limits = plan_limits(study, prediction, &levels);
    if resume {
        folder.kept(study, &mut levels, &mut limits)?;
    }
    Ok((levels, limits))
}

/// Keeps what there is in the folder, if there is anything, and says what is kept and how to go on.
pub fn keep(
    study: &Study,
    folder: &RunFolder,
    (levels, limits): (&[LevelRun], &[LimitRun]),
    again: &str,
) -> Fallible<String> {
    let (paths, all) = levels.iter().fold((0, 0), |(paths, all), run| {
        (paths + run.samples.paths, all + run.level.paths)
    });
    let of_limits: usize = limits.iter().map(|run| run.samples.paths).sum();
    if paths + of_limits == 0 {
        return Ok("no path was finished, and nothing is kept; run it again to begin anew".into());
    }
    folder.keep(study, levels, limits)?;
    let rungs = levels.iter().filter(|run| run.missing_paths() == 0).count();
    let kept = match (paths, of_limits) {
        (0, 1) => "one path of the limit is".to_owned(),
        (0, _) => format!("{of_limits} paths of the limit are"),
        _ => format!(
            "{paths} of {all} paths ({rungs} of {} rungs) are",
            levels.len()
        ),
    };
    let place = folder.path().display();
    Ok(format!("{kept} kept in {place}; go on with\n  {again}"))
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
