//! `report` and `plot`: pages and figures from run folders alone.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use singlim::report::{
    OutputFile, PictureFormat, plot, write_comparison, write_plot, write_report,
};

use super::{Fallible, show};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  singlim report runs/product-label-noise\n  singlim report runs/sparse-* --out comparison.html"
)]
pub struct Report {
    /// Run folders. One: its report.html and plots/ are made anew; several: one page with all of them side by side
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where the page of several runs goes
    #[arg(long, value_name = "FILE", default_value = "comparison.html")]
    out: PathBuf,
    /// Overwrite the page of several runs if it exists
    #[arg(long)]
    force: bool,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// Rebuilds the report of one run, or compares several.
pub fn report(options: &Report) -> Fallible<()> {
    let path = match options.runs.as_slice() {
        [run] => write_report(run)?,
        runs => {
            let file = OutputFile::claim(&options.out, options.force)?;
            write_comparison(runs, &file)?;
            options.out.clone()
        }
    };
    if !options.quiet {
        show(&format!("wrote {}\n", path.display()))?;
    }
    Ok(())
}

#[derive(Args)]
#[command(
    after_help = "Example: singlim plot runs/product-label-noise --figure order --format svg --font-size 8"
)]
pub struct Plot {
    /// A run folder
    run: PathBuf,
    /// Which figure: slow-time, iterations, collapse, order, law, time-to-share, plane or p-values
    #[arg(long, value_name = "NAME")]
    figure: String,
    /// Vectors with text as text, or pixels
    #[arg(long, value_enum, default_value_t = PlotFormat::Svg)]
    format: PlotFormat,
    /// Font size in points
    #[arg(long, value_name = "POINTS", default_value_t = 9.0, value_parser = font_size)]
    font_size: f64,
    /// The file; plots/NAME.FORMAT in the run folder by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum PlotFormat {
    Svg,
    Png,
}

fn font_size(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(size) if (4.0..=40.0).contains(&size) => Ok(size),
        _ => Err("must be a number of points between 4 and 40".into()),
    }
}

/// Draws one figure of a run.
pub fn plot_one(options: &Plot) -> Fallible<()> {
    let format = match options.format {
        PlotFormat::Svg => PictureFormat::Svg,
        PlotFormat::Png => PictureFormat::Png,
    };
    let content = plot(&options.run, &options.figure, format, options.font_size)?;
    let path = match &options.out {
        Some(path) => path.clone(),
        None => {
            let plots = options.run.join("plots");
            std::fs::create_dir_all(&plots)
                .map_err(|error| format!("can't write to {}: {error}", plots.display()))?;
            plots.join(format!("{}.{}", options.figure, format.ending()))
        }
    };
    write_plot(&path, &content)?;
    if !options.quiet {
        show(&format!("wrote {}\n", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_figure() {
        use clap::CommandFactory;
        use singlim::report::figure_names;
        let mut command = super::super::Cli::command();
        let plot = command.find_subcommand_mut("plot").unwrap();
        let help = plot.render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for name in figure_names() {
            assert!(help.contains(name), "{name}");
        }
    }

    #[test]
    fn font_sizes_are_points_that_can_be_read() {
        assert_eq!(font_size("8.5"), Ok(8.5));
        for bad in ["0", "-3", "100", "large", "NaN"] {
            assert!(font_size(bad).is_err(), "{bad}");
        }
    }
}
