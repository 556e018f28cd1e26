//! Figures as descriptions that no drawing library knows of: panels, axes and series made from the files of a run folder.

mod collapse;
mod compare;
mod iterations;
mod law;
mod order;
mod p_values;
mod plane;
mod rungs;
mod slow_time;
#[cfg(test)]
pub(super) mod tests;
mod time_to_share;

use super::stored::{StoredError, StoredRun};

pub use compare::{noises, settled};

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Name of its files and of `--figure`.
    pub name: &'static str,
    /// Title.
    pub title: String,
    /// What is to be seen, for those who can't see it.
    pub alt: String,
    /// How to read it.
    pub caption: String,
    /// The files that it is made from.
    pub files: &'static [&'static str],
    /// The panels, row by row.
    pub panels: Vec<Panel>,
    /// Panels in a row.
    pub columns: usize,
}

/// One pair of axes.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Title above the axes.
    pub title: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// From back to front.
    pub series: Vec<Series>,
    /// Whether one unit is as long on both axes.
    pub equal: bool,
}

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows.
    pub label: String,
    /// Whether it is logarithmic.
    pub log: bool,
    /// Its ends, if the data shall not decide.
    pub range: Option<(f64, f64)>,
    /// Names in place of numbers, where the axis has no numbers.
    pub names: Vec<(f64, String)>,
}

impl Axis {
    /// A linear axis.
    pub fn linear(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            log: false,
            range: None,
            names: Vec::new(),
        }
    }

    /// A logarithmic axis.
    pub fn log(label: impl Into<String>) -> Self {
        Self {
            log: true,
            ..Self::linear(label)
        }
    }
}

/// What a series stands for: its colour, dashes and marker follow from it, the same in all figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A rung by its number, or a run by its place in a comparison.
    Rung(usize),
    /// The limit.
    Limit,
    /// The limit shown for one rung.
    LimitOf(usize),
    /// The fast phase of one rung, without noise.
    Fall(usize),
    /// Single paths of one rung.
    Path(usize),
    /// What follows for α → 0.
    Extrapolated,
    /// What theory says of slopes and exponents.
    Reference,
    /// A region that is only a background: margins, noise floors.
    Shade,
    /// Γ.
    Manifold,
    /// Level sets of the loss.
    Contour,
    /// Single points to look at.
    Mark,
}

/// Things of one name in the legend.
#[derive(Clone, Debug)]
pub struct Series {
    /// The name in the legend; none if empty.
    pub name: String,
    /// What it stands for.
    pub role: Role,
    /// What is drawn.
    pub shape: Shape,
}

/// A point with what is known of its uncertainty.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Horizontal.
    pub x: f64,
    /// Vertical.
    pub y: f64,
    /// Ends of the horizontal error bar.
    pub x_ends: Option<(f64, f64)>,
    /// Ends of the vertical error bar.
    pub y_ends: Option<(f64, f64)>,
    /// Drawn hollow: censored, not used.
    pub hollow: bool,
}

impl Point {
    /// A point without error bars.
    pub fn at(x: f64, y: f64) -> Self {
        Self {
            x,
            y,
            x_ends: None,
            y_ends: None,
            hollow: false,
        }
    }

    /// With a vertical error bar.
    pub fn between(self, lower: f64, upper: f64) -> Self {
        Self {
            y_ends: Some((lower, upper)),
            ..self
        }
    }
}

/// What is drawn.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A line from point to point; broken where a coordinate is not finite.
    Line(Vec<(f64, f64)>),
    /// Markers, joined by a line or not.
    Points {
        /// The points.
        points: Vec<Point>,
        /// Whether they are joined.
        joined: bool,
    },
    /// Between two curves: (x, lower, upper).
    Band(Vec<(f64, f64, f64)>),
    /// A filled outline.
    Region(Vec<(f64, f64)>),
    /// All across, at a height.
    Horizontal(f64),
    /// All across, at a place.
    Vertical(f64),
    /// All across, between two heights.
    Strip(f64, f64),
}

impl Series {
    /// A series with a name in the legend.
    pub fn new(name: impl Into<String>, role: Role, shape: Shape) -> Self {
        Self {
            name: name.into(),
            role,
            shape,
        }
    }
}

impl Panel {
    /// Axes with nothing in them.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self {
            title: title.into(),
            x,
            y,
            series: Vec::new(),
            equal: false,
        }
    }

    /// Adds something unless it is empty.
    pub fn add(&mut self, name: impl Into<String>, role: Role, shape: Shape) {
        let empty = match &shape {
            Shape::Line(points) | Shape::Region(points) => points.is_empty(),
            Shape::Points { points, .. } => points.is_empty(),
            Shape::Band(points) => points.is_empty(),
            Shape::Horizontal(_) | Shape::Vertical(_) | Shape::Strip(..) => false,
        };
        if !empty {
            self.series.push(Series::new(name, role, shape));
        }
    }
}

type Builder = fn(&StoredRun) -> Option<Figure>;

/// All figures of a run: name, what it is made from, and how it is built.
const FIGURES: &[(&str, &str, Builder)] = &[
    ("slow-time", slow_time::NEEDS, slow_time::build),
    ("iterations", iterations::NEEDS, iterations::build),
    ("collapse", collapse::NEEDS, collapse::build),
    ("order", order::NEEDS, order::build),
    ("law", law::NEEDS, law::build),
    ("time-to-share", time_to_share::NEEDS, time_to_share::build),
    ("plane", plane::NEEDS, plane::build),
    ("p-values", p_values::NEEDS, p_values::build),
];

/// The names of all figures.
pub fn names() -> Vec<&'static str> {
    FIGURES.iter().map(|(name, ..)| *name).collect()
}

/// The figures that a run has the data for.
pub fn all(run: &StoredRun) -> Vec<Figure> {
    FIGURES
        .iter()
        .filter_map(|(.., build)| build(run))
        .collect()
}

/// One figure.
///
/// # Errors
/// There is no such figure, or the run has not the data for it.
pub fn one(run: &StoredRun, name: &str) -> Result<Figure, StoredError> {
    let Some((_, needs, build)) = FIGURES.iter().find(|(known, ..)| *known == name) else {
        return Err(StoredError::no_figure(name));
    };
    build(run).ok_or_else(|| StoredError::NotInRun {
        run: run.path.clone(),
        name: name.to_owned(),
        needs,
        there: all(run).iter().map(|figure| figure.name).collect(),
    })
}

/// "a, b and c".
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Three significant digits.
fn short(x: f64) -> String {
    super::table::short(x)
}
