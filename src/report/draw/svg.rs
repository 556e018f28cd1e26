//! SVG: text stays text, black is `currentColor`, and every series is a group with its name.

use std::fmt::Write;

use quick_xml::escape::escape;

use super::axis::{Scale, Tick};
use super::look::{Colour, Look, Marker, look};
use crate::report::figures::{Figure, Panel, Point, Role, Series, Shape};

/// The font that text is laid out for.
pub const FONT: &str = "DejaVu Sans";
/// Width of a letter on average, as a share of the font size.
const LETTER: f64 = 0.6;

/// How a figure is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Font size in points; markers and lines keep theirs.
    pub font_size: f64,
    /// Whether it is part of a page: without a size and a colour of its own.
    pub inline: bool,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            font_size: 9.0,
            inline: false,
        }
    }
}

/// The figure as an SVG document, or as an element of a page.
pub fn svg(figure: &Figure, setting: Setting) -> String {
    let layout = Layout::of(figure, setting.font_size);
    let (width, height) = (layout.width, layout.height);
    let name = figure.name;
    let own = if setting.inline {
        format!(r#"style="max-width:{:.0}px" "#, width * 1.6)
    } else {
        format!(r##"width="{width:.1}pt" height="{height:.1}pt" color="#000" "##)
    };
    let mut out = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" {own}viewBox="0 0 {width:.1} {height:.1}" role="img" aria-labelledby="{name}-title {name}-desc" font-family="{FONT}, Verdana, Arial, sans-serif" font-size="{}" fill="currentColor">"#,
        setting.font_size
    );
    let _ = write!(
        out,
        r#"<title id="{name}-title">{}</title><desc id="{name}-desc">{}</desc>"#,
        escape(&figure.title),
        escape(&figure.alt)
    );
    for (number, panel) in figure.panels.iter().enumerate() {
        Drawing::new(&layout, figure, panel, number).draw(&mut out);
    }
    legend(&mut out, figure, &layout);
    out.push_str("</svg>\n");
    out
}

/// Where everything goes.
struct Layout {
    font: f64,
    width: f64,
    height: f64,
    /// Size of the rectangle of a panel's axes.
    plot: [f64; 2],
    /// Where the axes of each column begin.
    left: Vec<f64>,
    /// Room above, for a title.
    top: f64,
    /// From one row to the next.
    step: f64,
    /// The legend: each entry with its place.
    legend: Vec<([f64; 2], String, usize)>,
}

fn text_width(text: &str, font: f64) -> f64 {
    text.chars().count() as f64 * LETTER * font
}

/// The ticks of the vertical axis, named ones where there are.
fn y_ticks(panel: &Panel, scale: &Scale) -> Vec<Tick> {
    named(&panel.y.names).unwrap_or_else(|| scale.ticks())
}

/// Width of the widest label of the vertical axis.
fn widest(panel: &Panel, font: f64) -> f64 {
    let [_, y] = Scale::of(panel);
    y_ticks(panel, &y)
        .into_iter()
        .filter_map(|tick| Some(text_width(&tick.label?, font)))
        .fold(0.0, f64::max)
}

fn named(names: &[(f64, String)]) -> Option<Vec<Tick>> {
    let tick = |(at, name): &(f64, String)| Tick {
        at: *at,
        label: Some(name.clone()),
    };
    (!names.is_empty()).then(|| names.iter().map(tick).collect())
}

impl Layout {
    fn of(figure: &Figure, font: f64) -> Self {
        let columns = figure.columns.max(1);
        let rows = figure.panels.len().div_ceil(columns);
        let plot: [f64; 2] = match columns {
            1 if figure.panels.iter().all(|panel| panel.equal) => [280.0, 280.0],
            1 => [330.0, 210.0],
            2 => [205.0, 150.0],
            _ => [160.0, 140.0],
        };
        // As high as the longest list of names needs.
        let names = figure.panels.iter().map(|panel| panel.y.names.len());
        let named = names.max().unwrap_or(0) as f64 * font * 1.15;
        let plot = [plot[0], plot[1].max(named)];
        let mut left = Vec::new();
        let mut width = 0.0;
        for column in 0..columns {
            let of_column = figure.panels.iter().skip(column).step_by(columns);
            let widest = of_column.map(|panel| widest(panel, font));
            left.push(width + widest.fold(0.0, f64::max) + 2.6 * font + 6.0);
            width = left[column] + plot[0] + 1.2 * font;
        }
        let titled = figure.panels.iter().any(|panel| !panel.title.is_empty());
        let top = if titled { 2.0 * font } else { 0.8 * font };
        let step = top + plot[1] + 3.6 * font + 6.0;
        let (legend, below) = Self::place_legend(figure, font, width, step * rows as f64);
        Self {
            font,
            width,
            height: below,
            plot,
            left,
            top,
            step,
            legend,
        }
    }

    fn place_legend(
        figure: &Figure,
        font: f64,
        width: f64,
        top: f64,
    ) -> (Vec<([f64; 2], String, usize)>, f64) {
        let mut entries: Vec<(String, usize)> = Vec::new();
        let all = figure.panels.iter().flat_map(|panel| &panel.series);
        for (i, series) in all.enumerate() {
            if !series.name.is_empty() && !entries.iter().any(|(name, _)| *name == series.name) {
                entries.push((series.name.clone(), i));
            }
        }
        let (mut x, mut y) = (font, top + font);
        let mut placed = Vec::new();
        for (name, i) in entries {
            let needed = 30.0 + text_width(&name, font) + 1.2 * font;
            if x + needed > width && x > font {
                x = font;
                y += 1.6 * font;
            }
            placed.push(([x, y], name, i));
            x += needed;
        }
        (placed, y + font)
    }
}

/// One panel being drawn.
struct Drawing<'a> {
    panel: &'a Panel,
    font: f64,
    clip: String,
    scales: [Scale; 2],
    /// Upper left corner of the axes.
    corner: [f64; 2],
    /// Their size.
    size: [f64; 2],
}

impl<'a> Drawing<'a> {
    fn new(layout: &Layout, figure: &'a Figure, panel: &'a Panel, number: usize) -> Self {
        let columns = figure.columns.max(1);
        let place = [number % columns, number / columns];
        let mut size = layout.plot;
        let mut corner = [
            layout.left[place[0]],
            layout.step * place[1] as f64 + layout.top,
        ];
        let scales = Scale::of(panel);
        if panel.equal {
            let ratio = (scales[0].to - scales[0].from) / (scales[1].to - scales[1].from);
            size[0] = size[0].min(size[1] * ratio);
            size[1] = size[0] / ratio;
            corner[0] += 0.5 * (layout.plot[0] - size[0]);
        }
        Self {
            panel,
            font: layout.font,
            clip: format!("{}-{number}", figure.name),
            scales,
            corner,
            size,
        }
    }

    fn x(&self, x: f64) -> f64 {
        self.corner[0] + self.size[0] * self.scales[0].share(x)
    }

    fn y(&self, y: f64) -> f64 {
        self.corner[1] + self.size[1] * (1.0 - self.scales[1].share(y))
    }

    fn draw(&self, out: &mut String) {
        let ([left, top], [width, height]) = (self.corner, self.size);
        let _ = write!(
            out,
            r#"<g class="panel"><clipPath id="{}"><rect x="{left:.2}" y="{top:.2}" width="{width:.2}" height="{height:.2}"/></clipPath>"#,
            self.clip
        );
        self.axes(out);
        let _ = write!(out, r#"<g clip-path="url(#{})">"#, self.clip);
        for series in &self.panel.series {
            self.series(out, series);
        }
        out.push_str("</g></g>");
    }

    fn axes(&self, out: &mut String) {
        let ([left, top], [width, height]) = (self.corner, self.size);
        let (bottom, font) = (top + height, self.font);
        let mut grid = String::new();
        let mut marks = String::new();
        let mut labels = String::new();
        let x_ticks = named(&self.panel.x.names).unwrap_or_else(|| self.scales[0].ticks());
        let mut free = f64::NEG_INFINITY;
        for tick in x_ticks {
            let x = self.x(tick.at);
            let long = if tick.label.is_some() { 4.0 } else { 2.0 };
            let _ = write!(marks, "M{x:.2} {bottom:.2}v{long}");
            if let Some(label) = tick.label {
                let _ = write!(grid, "M{x:.2} {top:.2}V{bottom:.2}");
                // A label that would touch the last one is left out.
                let half = 0.5 * text_width(&label, font);
                if x - half < free {
                    continue;
                }
                free = x + half + 2.0;
                let _ = write!(
                    labels,
                    r#"<text x="{x:.2}" y="{:.2}" text-anchor="middle">{}</text>"#,
                    bottom + 4.0 + font,
                    escape(&label)
                );
            }
        }
        for tick in y_ticks(self.panel, &self.scales[1]) {
            let y = self.y(tick.at);
            let long = if tick.label.is_some() { 4.0 } else { 2.0 };
            let _ = write!(marks, "M{left:.2} {y:.2}h-{long}");
            if let Some(label) = tick.label {
                let _ = write!(grid, "M{left:.2} {y:.2}h{width:.2}");
                let _ = write!(
                    labels,
                    r#"<text x="{:.2}" y="{:.2}" text-anchor="end">{}</text>"#,
                    left - 6.0,
                    y + 0.35 * font,
                    escape(&label)
                );
            }
        }
        let _ = write!(
            out,
            r#"<path d="{grid}" stroke="currentColor" stroke-opacity="0.12" stroke-width="0.6" fill="none"/><path d="{marks}" stroke="currentColor" stroke-width="0.7" fill="none"/><rect x="{left:.2}" y="{top:.2}" width="{width:.2}" height="{height:.2}" fill="none" stroke="currentColor" stroke-width="0.7"/>{labels}"#
        );
        let middle = [left + 0.5 * width, top + 0.5 * height];
        let _ = write!(
            out,
            r#"<text x="{:.2}" y="{:.2}" text-anchor="middle">{}</text>"#,
            middle[0],
            bottom + 5.0 + 2.5 * font,
            escape(&self.panel.x.label)
        );
        if !self.panel.y.label.is_empty() {
            let x = left - widest(self.panel, font) - 6.0 - 0.8 * font;
            let _ = write!(
                out,
                r#"<text x="{x:.2}" y="{:.2}" text-anchor="middle" transform="rotate(-90 {x:.2} {:.2})">{}</text>"#,
                middle[1],
                middle[1],
                escape(&self.panel.y.label)
            );
        }
        if !self.panel.title.is_empty() {
            let _ = write!(
                out,
                r#"<text x="{:.2}" y="{:.2}" text-anchor="middle" font-weight="bold">{}</text>"#,
                middle[0],
                top - 0.6 * font,
                escape(&self.panel.title)
            );
        }
    }

    fn series(&self, out: &mut String, series: &Series) {
        let look = look(series.role);
        let _ = write!(out, r#"<g class="series">"#);
        if !series.name.is_empty() {
            let _ = write!(out, "<title>{}</title>", escape(&series.name));
        }
        let ([left, top], [width, height]) = (self.corner, self.size);
        match &series.shape {
            Shape::Line(points) => stroke(out, &look, &self.path(points)),
            Shape::Points { points, joined } => {
                if *joined {
                    let line: Vec<_> = points.iter().map(|point| (point.x, point.y)).collect();
                    stroke(out, &look, &self.path(&line));
                }
                self.points(out, points, &look);
            }
            Shape::Band(points) => {
                let upper = points.iter().map(|&(x, _, upper)| (x, upper));
                let lower = points.iter().rev().map(|&(x, lower, _)| (x, lower));
                let outline: Vec<_> = upper.chain(lower).collect();
                fill(out, &look, &(self.path(&outline) + "Z"));
            }
            Shape::Region(points) => {
                let outline = self.path(points) + "Z";
                fill(out, &look, &outline);
                if series.role != Role::Shade {
                    stroke(out, &look, &outline);
                }
            }
            Shape::Horizontal(at) => {
                let path = format!("M{left:.2} {:.2}h{width:.2}", self.y(*at));
                stroke(out, &look, &path);
            }
            Shape::Vertical(at) => {
                let path = format!("M{:.2} {top:.2}v{height:.2}", self.x(*at));
                stroke(out, &look, &path);
            }
            Shape::Strip(lower, upper) => {
                let (lower, upper) = (self.y(*lower), self.y(*upper));
                let path = format!("M{left:.2} {lower:.2}h{width:.2}V{upper:.2}h-{width:.2}Z");
                fill(out, &look, &path);
            }
        }
        out.push_str("</g>");
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let mut path = String::new();
        let mut pen = 'M';
        for &(x, y) in points {
            if !(x.is_finite() && y.is_finite()) {
                pen = 'M';
                continue;
            }
            let _ = write!(path, "{pen}{:.2} {:.2}", self.x(x), self.y(y));
            pen = 'L';
        }
        path
    }

    fn points(&self, out: &mut String, points: &[Point], look: &Look) {
        let mut bars = String::new();
        for point in points {
            let (x, y) = (self.x(point.x), self.y(point.y));
            if let Some((lower, upper)) = point.y_ends {
                let (lower, upper) = (self.y(lower), self.y(upper));
                let _ = write!(
                    bars,
                    "M{x:.2} {lower:.2}V{upper:.2}M{:.2} {lower:.2}h4M{:.2} {upper:.2}h4",
                    x - 2.0,
                    x - 2.0
                );
            }
            if let Some((lower, upper)) = point.x_ends {
                let (lower, upper) = (self.x(lower), self.x(upper));
                let _ = write!(
                    bars,
                    "M{lower:.2} {y:.2}H{upper:.2}M{lower:.2} {:.2}v4M{upper:.2} {:.2}v4",
                    y - 2.0,
                    y - 2.0
                );
            }
        }
        if !bars.is_empty() {
            let solid = Look {
                dash: &[],
                width: 0.9,
                ..*look
            };
            stroke(out, &solid, &bars);
        }
        let many = points.len() > 24;
        let size = if many { 1.7 } else { 2.8 };
        for point in points {
            let (x, y) = (self.x(point.x), self.y(point.y));
            marker(out, look, [x, y], size, point.hollow);
        }
    }
}

fn colour(look: &Look) -> String {
    match look.colour {
        Colour::Ink => "currentColor".into(),
        Colour::Of(r, g, b) => format!("#{r:02X}{g:02X}{b:02X}"),
    }
}

fn stroke(out: &mut String, look: &Look, path: &str) {
    let dash: Vec<String> = look.dash.iter().map(u8::to_string).collect();
    let dash = if dash.is_empty() {
        String::new()
    } else {
        format!(r#" stroke-dasharray="{}""#, dash.join(" "))
    };
    let _ = write!(
        out,
        r#"<path d="{path}" fill="none" stroke="{}" stroke-opacity="{}" stroke-width="{}" stroke-linejoin="round"{dash}/>"#,
        colour(look),
        look.opacity,
        look.width
    );
}

fn fill(out: &mut String, look: &Look, path: &str) {
    let _ = write!(
        out,
        r#"<path d="{path}" fill="{}" fill-opacity="{}"/>"#,
        colour(look),
        look.area
    );
}

fn marker(out: &mut String, look: &Look, [x, y]: [f64; 2], size: f64, hollow: bool) {
    let polygon = |corners: usize, turn: f64, inner: Option<f64>| {
        let count = if inner.is_some() {
            2 * corners
        } else {
            corners
        };
        let mut path = String::new();
        for i in 0..count {
            let radius = match inner {
                Some(inner) if i % 2 == 1 => inner * size,
                _ => 1.25 * size,
            };
            let angle = turn + std::f64::consts::TAU * i as f64 / count as f64;
            let (sin, cos) = angle.sin_cos();
            let pen = if i == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{pen}{:.2} {:.2}", x + radius * cos, y + radius * sin);
        }
        path + "Z"
    };
    let quarter = std::f64::consts::FRAC_PI_2;
    let path = match look.marker {
        Marker::Circle => format!(
            "M{:.2} {y:.2}a{size:.2} {size:.2} 0 1 0 {:.2} 0a{size:.2} {size:.2} 0 1 0 -{:.2} 0Z",
            x - size,
            2.0 * size,
            2.0 * size
        ),
        Marker::Square => polygon(4, 0.5 * quarter, None),
        Marker::Diamond => polygon(4, 0.0, None),
        Marker::Up => polygon(3, -quarter, None),
        Marker::Down => polygon(3, quarter, None),
        Marker::Pentagon => polygon(5, -quarter, None),
        Marker::Star => polygon(5, -quarter, Some(0.55)),
        Marker::Cross => format!(
            "M{:.2} {:.2}l{:.2} {:.2}m0 -{:.2}l-{:.2} {:.2}",
            x - size,
            y - size,
            2.0 * size,
            2.0 * size,
            2.0 * size,
            2.0 * size,
            2.0 * size
        ),
    };
    let colour = colour(look);
    let _ = if look.marker == Marker::Cross {
        write!(
            out,
            r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.4"/>"#
        )
    } else if hollow {
        write!(
            out,
            r#"<path class="hollow" d="{path}" fill="none" stroke="{colour}" stroke-width="1.1"/>"#
        )
    } else {
        write!(out, r#"<path d="{path}" fill="{colour}"/>"#)
    };
}

fn legend(out: &mut String, figure: &Figure, layout: &Layout) {
    let all: Vec<&Series> = figure
        .panels
        .iter()
        .flat_map(|panel| &panel.series)
        .collect();
    out.push_str(r#"<g class="legend">"#);
    for ([x, y], name, first) in &layout.legend {
        let middle = y - 0.35 * layout.font;
        // Everything of that name shows in its sample.
        let own = all[*first..].iter().filter(|series| series.name == *name);
        let (mut area, mut line, mut points) = (None, None, None);
        for series in own {
            let look = look(series.role);
            match series.shape {
                Shape::Band(_) | Shape::Region(_) | Shape::Strip(..) => area = Some(look),
                Shape::Line(_) | Shape::Horizontal(_) | Shape::Vertical(_) => line = Some(look),
                Shape::Points { joined, .. } => {
                    points = Some(look);
                    line = joined.then_some(look).or(line);
                }
            }
        }
        if let Some(look) = area {
            let path = format!("M{x:.2} {:.2}h24v8h-24Z", middle - 4.0);
            fill(out, &look, &path);
        }
        if let Some(look) = line {
            stroke(out, &look, &format!("M{x:.2} {middle:.2}h24"));
        }
        if let Some(look) = points {
            marker(out, &look, [x + 12.0, middle], 2.8, false);
        }
        let _ = write!(
            out,
            r#"<text x="{:.2}" y="{y:.2}">{}</text>"#,
            x + 28.0,
            escape(name)
        );
    }
    out.push_str("</g>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figures::Axis;

    fn example() -> Figure {
        let mut panel = Panel::new("a <b>", Axis::log("x & y"), Axis::linear("z"));
        panel.add("shade", Role::Shade, Shape::Strip(-1.0, 1.0));
        panel.add(
            "margin",
            Role::Shade,
            Shape::Band(vec![(1.0, 0.0, 1.0), (2.0, 0.0, 2.0)]),
        );
        panel.add(
            "region",
            Role::Extrapolated,
            Shape::Region(vec![(1.0, 0.0), (2.0, 0.0), (2.0, 1.0)]),
        );
        let line = vec![(1.0, 2.0), (f64::NAN, 0.0), (3.0, 1.0), (4.0, 1.0)];
        panel.add("line <&>", Role::Rung(1), Shape::Line(line));
        for i in 0..6 {
            let mut point = Point::at(2.0, f64::from(i)).between(-1.0, 3.0);
            point.x_ends = Some((1.0, 3.0));
            point.hollow = i == 2;
            let shape = Shape::Points {
                points: vec![point],
                joined: true,
            };
            panel.add(format!("rung {i}"), Role::Rung(i as usize), shape);
        }
        panel.add("limit", Role::Limit, Shape::Horizontal(0.5));
        panel.add("reference", Role::Reference, Shape::Vertical(2.0));
        let shape = Shape::Points {
            points: vec![Point::at(1.0, 1.0)],
            joined: false,
        };
        panel.add("star", Role::Extrapolated, shape.clone());
        panel.add("mark", Role::Mark, shape);
        Figure {
            name: "example",
            title: "T < U".into(),
            alt: "What \"is\" seen & how".into(),
            caption: "c".into(),
            files: &[],
            panels: vec![panel.clone(), panel],
            columns: 2,
        }
    }

    /// The texts of all elements of a name; the whole must be well-formed.
    fn texts(svg: &str, element: &str) -> Vec<String> {
        use quick_xml::events::Event;
        let mut reader = quick_xml::Reader::from_str(svg);
        let (mut inside, mut texts) = (false, Vec::new());
        loop {
            match reader.read_event().expect("well-formed") {
                Event::Start(tag) => {
                    inside = tag.name().as_ref() == element;
                    if inside {
                        texts.push(String::new());
                    }
                }
                Event::End(_) => inside = false,
                Event::Text(text) if inside => {
                    texts.last_mut().unwrap().push_str(&text);
                }
                Event::GeneralRef(name) if inside => {
                    texts.last_mut().unwrap().push_str(match &*name {
                        "lt" => "<",
                        "gt" => ">",
                        "amp" => "&",
                        _ => "\"",
                    });
                }
                Event::Eof => return texts,
                _ => (),
            }
        }
    }

    #[test]
    fn it_is_xml_with_a_title_a_description_and_every_series_by_its_name() {
        let figure = example();
        let text = svg(&figure, Setting::default());
        assert_eq!(texts(&text, "desc"), ["What \"is\" seen & how"]);
        let titles = texts(&text, "title");
        assert_eq!(titles[0], "T < U");
        for name in crate::report::figures::tests::legend(&figure) {
            assert_eq!(
                titles.iter().filter(|title| *title == name).count(),
                2,
                "{name}"
            );
            let labels = texts(&text, "text");
            assert_eq!(
                labels.iter().filter(|label| *label == name).count(),
                1,
                "{name}"
            );
        }
        assert_eq!(text.matches("class=\"hollow\"").count(), 2);
        assert!(!text.contains("NaN") && !text.contains("inf"));
        assert!(text.contains("role=\"img\" aria-labelledby=\"example-title example-desc\""));
    }

    #[test]
    fn the_font_size_is_an_option_and_a_page_gives_colour_and_size() {
        let figure = example();
        let large = Setting {
            font_size: 14.0,
            ..Setting::default()
        };
        let large = svg(&figure, large);
        assert!(large.contains("font-size=\"14\"") && large.contains("color=\"#000\""));
        let inline = svg(
            &figure,
            Setting {
                inline: true,
                ..Setting::default()
            },
        );
        assert!(!inline.contains("color=\"#000\"") && !inline.contains(" width=\"4"));
    }

    #[test]
    fn nothing_lies_outside_of_the_picture() {
        let figure = example();
        for font_size in [6.0, 9.0, 14.0] {
            let layout = Layout::of(&figure, font_size);
            for ([x, y], name, _) in &layout.legend {
                assert!(*x >= 0.0 && x + 28.0 + 0.8 * text_width(name, font_size) < layout.width);
                assert!(*y < layout.height);
            }
        }
    }
}
