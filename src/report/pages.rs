//! Writes what is to be looked at: `report.html` and `plots/` of a run folder, single figures, and comparisons.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::atomic::write_atomically;
use super::draw::{Setting, png, svg};
use super::figures::{self, Figure};
use super::page::{comparison_page, page};
use super::stored::{StoredError, StoredRun};
use super::{OutputFile, ReportError};

/// How a single figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureFormat {
    /// Vectors, with text as text.
    Svg,
    /// Pixels, 288 an inch.
    Png,
}

impl PictureFormat {
    /// The ending of a file name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }
}

/// Makes `report.html` and `plots/*.svg`, `plots/*.png` from what else is in a run folder, and returns the page's path.
///
/// # Errors
/// The folder is no run folder, or can't be written.
pub fn write_report(folder: &Path) -> Result<PathBuf, StoredError> {
    let run = StoredRun::read(folder)?;
    let figures = figures::all(&run);
    let plots = folder.join("plots");
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| ReportError::Write { path, source }
    };
    std::fs::create_dir_all(&plots).map_err(fail(&plots))?;
    for name in figures::names() {
        for format in [PictureFormat::Svg, PictureFormat::Png] {
            let path = plots.join(format!("{name}.{}", format.ending()));
            if !figures.iter().any(|figure| figure.name == name) && path.exists() {
                std::fs::remove_file(&path).map_err(fail(&path))?;
            }
        }
    }
    let both = |figure| [PictureFormat::Svg, PictureFormat::Png].map(|format| (figure, format));
    let pictures: Vec<(&Figure, _)> = figures.iter().flat_map(both).collect();
    let draw =
        |&(figure, format): &(&Figure, _)| drawn(figure, format, Setting::default().font_size);
    let (contents, html) = rayon::join(
        || pictures.par_iter().map(draw).collect::<Vec<_>>(),
        || page(&run, &figures),
    );
    for ((figure, format), content) in pictures.into_iter().zip(contents) {
        let content = content?;
        let path = plots.join(format!("{}.{}", figure.name, format.ending()));
        write_atomically(&path, |out| out.write_all(&content))?;
    }
    let path = folder.join("report.html");
    write_atomically(&path, |out| out.write_all(html.as_bytes()))?;
    Ok(path)
}

/// One page for several runs, written to `file`.
///
/// # Errors
/// A folder is no run folder, or the file can't be written.
pub fn write_comparison(folders: &[PathBuf], file: &OutputFile) -> Result<(), StoredError> {
    let runs = folders
        .iter()
        .map(|folder| StoredRun::read(folder))
        .collect::<Result<Vec<_>, _>>()?;
    let figures = figures::noises(&runs);
    Ok(file.write(&comparison_page(&runs, &figures))?)
}

/// One figure of a run folder as the content of a file.
///
/// # Errors
/// The folder is no run folder, there is no such figure, or no data for it.
pub fn plot(
    folder: &Path,
    figure: &str,
    format: PictureFormat,
    font_size: f64,
) -> Result<Vec<u8>, StoredError> {
    // A mistyped name is told before the folder is read.
    if !figures::names().contains(&figure) {
        return Err(StoredError::no_figure(figure));
    }
    let run = StoredRun::read(folder)?;
    drawn(&figures::one(&run, figure)?, format, font_size)
}

/// Writes a plot to a file, or over what is there.
///
/// # Errors
/// The file can't be written.
pub fn write_plot(path: &Path, content: &[u8]) -> Result<(), StoredError> {
    Ok(write_atomically(path, |out| out.write_all(content))?)
}

fn drawn(figure: &Figure, format: PictureFormat, font_size: f64) -> Result<Vec<u8>, StoredError> {
    let setting = Setting {
        font_size,
        ..Setting::default()
    };
    let text = svg(figure, setting);
    match format {
        PictureFormat::Svg => Ok(text.into_bytes()),
        PictureFormat::Png => png(figure.name, &text),
    }
}
