//! A figure for Plotly: the JSON of its traces and layout, in which `@ink(a)` stands for the page's text colour.

use serde_json::{Map, Value, json};

use super::axis::Scale;
use super::look::{Colour, Look, Marker, look};
use crate::report::figures::{Axis, Figure, Panel, Point, Role, Series, Shape};

/// Height of a row of panels in pixels.
const ROW: usize = 340;

/// `{"data": […], "layout": {…}}`.
pub fn interactive(figure: &Figure) -> Value {
    let mut traces = Vec::new();
    let mut named = Vec::new();
    let mut layout = Map::new();
    let columns = figure.columns.max(1);
    let rows = figure.panels.len().div_ceil(columns);
    let mut annotations = Vec::new();
    for (number, panel) in figure.panels.iter().enumerate() {
        let scales = Scale::of(panel);
        let id = if number == 0 {
            String::new()
        } else {
            (number + 1).to_string()
        };
        let domain = |at: usize, of: usize, gap: f64| {
            let cell = 1.0 / of as f64;
            let gap = if of > 1 { gap } else { 0.0 };
            let from = cell * at as f64 + if at > 0 { 0.5 * gap } else { 0.0 };
            let to = cell * (at + 1) as f64 - if at + 1 < of { 0.5 * gap } else { 0.0 };
            [from, to]
        };
        let mut x_domain = domain(number % columns, columns, 0.1);
        if columns > 1 {
            // Plotly makes room for long labels at the edge of the picture only.
            let letters = panel.y.names.iter().map(|(_, name)| name.chars().count());
            x_domain[0] += 0.006 * letters.max().unwrap_or(0) as f64;
        }
        let y_domain = domain(rows - 1 - number / columns, rows, 0.16);
        let mut x = axis(&panel.x, &scales[0], x_domain);
        x.insert("anchor".into(), json!(format!("y{id}")));
        let mut y = axis(&panel.y, &scales[1], y_domain);
        y.insert("anchor".into(), json!(format!("x{id}")));
        if panel.equal {
            y.insert("scaleanchor".into(), json!(format!("x{id}")));
            x.insert("constrain".into(), json!("domain"));
            y.insert("constrain".into(), json!("domain"));
        }
        layout.insert(format!("xaxis{id}"), Value::Object(x));
        layout.insert(format!("yaxis{id}"), Value::Object(y));
        if !panel.title.is_empty() {
            annotations.push(json!({
                "text": format!("<b>{}</b>", panel.title),
                "showarrow": false,
                "xref": "paper", "yref": "paper",
                "x": 0.5 * (x_domain[0] + x_domain[1]), "xanchor": "center",
                "y": y_domain[1], "yanchor": "bottom",
            }));
        }
        for series in &panel.series {
            let mut trace = of_series(panel, series, &scales);
            trace.insert("xaxis".into(), json!(format!("x{id}")));
            trace.insert("yaxis".into(), json!(format!("y{id}")));
            trace.insert("name".into(), json!(series.name));
            trace.insert("legendgroup".into(), json!(series.name));
            traces.push((series, trace));
        }
    }
    // The sample in the legend is that of a line or of markers where there are such, rather than that of an area.
    for (series, trace) in &mut traces {
        let area = matches!(series.shape, Shape::Band(_));
        let better = figure
            .panels
            .iter()
            .flat_map(|panel| &panel.series)
            .any(|other| other.name == series.name && !matches!(other.shape, Shape::Band(_)));
        let hidden = series.name.is_empty() || named.contains(&series.name) || (area && better);
        let shown = !hidden;
        if shown {
            named.push(series.name.clone());
        }
        trace.insert("showlegend".into(), json!(shown));
    }
    let legend_rows = named.len().div_ceil(4);
    let height = ROW * rows + 24 * legend_rows + 70;
    let square = columns == 1 && figure.panels.iter().all(|panel| panel.equal);
    let height = if square { height + 220 } else { height };
    layout.insert("annotations".into(), json!(annotations));
    layout.insert("height".into(), json!(height));
    layout.insert("margin".into(), json!({"l": 70, "r": 16, "t": 30, "b": 60}));
    layout.insert("font".into(), json!({"color": ink(1.0), "size": 13}));
    layout.insert("paper_bgcolor".into(), json!("rgba(0,0,0,0)"));
    layout.insert("plot_bgcolor".into(), json!("rgba(0,0,0,0)"));
    layout.insert("hovermode".into(), json!("closest"));
    layout.insert(
        "legend".into(),
        json!({"orientation": "h", "yanchor": "top", "y": -70.0 / (ROW * rows) as f64, "x": 0, "groupclick": "togglegroup"}),
    );
    let traces: Vec<Value> = traces
        .into_iter()
        .map(|(_, trace)| Value::Object(trace))
        .collect();
    json!({"data": traces, "layout": layout})
}

fn ink(opacity: f64) -> String {
    format!("@ink({opacity})")
}

fn colour(look: &Look, opacity: f64) -> String {
    match look.colour {
        Colour::Ink => ink(opacity),
        Colour::Of(r, g, b) => format!("rgba({r},{g},{b},{opacity})"),
    }
}

/// Six digits are more than a screen shows.
fn number(x: f64) -> Value {
    if !x.is_finite() {
        return Value::Null;
    }
    let text = format!("{x:.5e}");
    text.parse::<f64>().map_or(Value::Null, |x| json!(x))
}

fn numbers(values: impl Iterator<Item = f64>) -> Value {
    Value::Array(values.map(number).collect())
}

fn axis(axis: &Axis, scale: &Scale, domain: [f64; 2]) -> Map<String, Value> {
    let ends = [scale.from, scale.to].map(|x| if scale.log { x.log10() } else { x });
    let mut map = Map::new();
    map.insert("title".into(), json!({"text": axis.label, "standoff": 8}));
    map.insert("domain".into(), json!(domain));
    map.insert("range".into(), json!(ends));
    map.insert("gridcolor".into(), json!(ink(0.12)));
    map.insert("linecolor".into(), json!(ink(0.8)));
    map.insert("showline".into(), json!(true));
    map.insert("mirror".into(), json!(true));
    map.insert("zeroline".into(), json!(false));
    map.insert("automargin".into(), json!(true));
    map.insert("tickangle".into(), json!(0));
    if scale.log {
        map.insert("type".into(), json!("log"));
        map.insert("exponentformat".into(), json!("power"));
        let decades = (scale.to / scale.from).log10();
        map.insert(
            "dtick".into(),
            if decades > 1.5 { json!(1) } else { json!("D2") },
        );
    } else {
        map.insert("exponentformat".into(), json!("power"));
    }
    if !axis.names.is_empty() {
        let at = axis.names.iter().map(|(at, _)| *at);
        let names: Vec<&str> = axis.names.iter().map(|(_, name)| name.as_str()).collect();
        map.insert("tickvals".into(), numbers(at));
        map.insert("ticktext".into(), json!(names));
    }
    map
}

fn dash(look: &Look) -> String {
    if look.dash.is_empty() {
        return "solid".into();
    }
    let lengths: Vec<String> = look
        .dash
        .iter()
        .map(|length| format!("{length}px"))
        .collect();
    lengths.join(",")
}

fn symbol(marker: Marker, hollow: bool) -> String {
    let name = match marker {
        Marker::Circle => "circle",
        Marker::Square => "square",
        Marker::Diamond => "diamond",
        Marker::Up => "triangle-up",
        Marker::Down => "triangle-down",
        Marker::Pentagon => "pentagon",
        Marker::Cross => "x-thin",
        Marker::Star => "star",
    };
    let open = hollow || marker == Marker::Cross;
    format!("{name}{}", if open { "-open" } else { "" })
}

fn line(look: &Look) -> Value {
    json!({
        "color": colour(look, look.opacity),
        "width": 1.3 * look.width,
        "dash": dash(look),
    })
}

/// The trace of a series.
fn of_series(panel: &Panel, series: &Series, scales: &[Scale; 2]) -> Map<String, Value> {
    let look = look(series.role);
    let mut trace = Map::new();
    trace.insert("type".into(), json!("scatter"));
    let hover = format!(
        "<b>{}</b><br>{}: %{{x:.4g}}<br>{}: %{{y:.4g}}<extra></extra>",
        series.name,
        panel.x.label,
        if panel.y.label.is_empty() {
            "row"
        } else {
            &panel.y.label
        }
    );
    let lines = |trace: &mut Map<String, Value>, points: &[(f64, f64)]| {
        trace.insert("mode".into(), json!("lines"));
        trace.insert("x".into(), numbers(points.iter().map(|point| point.0)));
        trace.insert("y".into(), numbers(points.iter().map(|point| point.1)));
        trace.insert("line".into(), line(&look));
        trace.insert("connectgaps".into(), json!(false));
    };
    let filled = |trace: &mut Map<String, Value>, outline: &[(f64, f64)]| {
        trace.insert("mode".into(), json!("lines"));
        trace.insert("x".into(), numbers(outline.iter().map(|point| point.0)));
        trace.insert("y".into(), numbers(outline.iter().map(|point| point.1)));
        trace.insert("fill".into(), json!("toself"));
        trace.insert("fillcolor".into(), json!(colour(&look, look.area)));
        trace.insert("line".into(), json!({"width": 0}));
        trace.insert("hoverinfo".into(), json!("skip"));
    };
    let [x, y] = scales;
    match &series.shape {
        Shape::Line(points) => {
            lines(&mut trace, points);
            if series.role == Role::Contour {
                trace.insert("hoverinfo".into(), json!("skip"));
            } else {
                trace.insert("hovertemplate".into(), json!(hover));
            }
        }
        Shape::Points { points, joined } => {
            with_points(&mut trace, points, *joined, &look);
            let hover = if panel.y.names.is_empty() {
                hover
            } else {
                let names: Vec<&str> = points.iter().map(|point| name_at(panel, point.y)).collect();
                trace.insert("text".into(), json!(names));
                format!(
                    "<b>{}</b><br>%{{text}}: %{{x:.4g}}<extra></extra>",
                    series.name
                )
            };
            trace.insert("hovertemplate".into(), json!(hover));
        }
        Shape::Band(points) => {
            let least = |v: f64| if y.log { v.max(0.5 * y.from) } else { v };
            let upper = points.iter().map(|&(x, _, upper)| (x, least(upper)));
            let lower = points.iter().rev().map(|&(x, lower, _)| (x, least(lower)));
            filled(&mut trace, &upper.chain(lower).collect::<Vec<_>>());
        }
        Shape::Region(points) => {
            filled(&mut trace, points);
            if series.role != Role::Shade {
                trace.insert("line".into(), line(&look));
            }
        }
        Shape::Horizontal(at) => {
            lines(&mut trace, &[(x.from, *at), (x.to, *at)]);
            trace.insert("hovertemplate".into(), json!(hover));
        }
        Shape::Vertical(at) => {
            lines(&mut trace, &[(*at, y.from), (*at, y.to)]);
            trace.insert("hovertemplate".into(), json!(hover));
        }
        Shape::Strip(lower, upper) => {
            let corners = [
                (x.from, *lower),
                (x.to, *lower),
                (x.to, *upper),
                (x.from, *upper),
            ];
            filled(&mut trace, &corners);
        }
    }
    trace
}

fn name_at(panel: &Panel, y: f64) -> &str {
    let names = &panel.y.names;
    let found = names.iter().find(|(at, _)| (at - y).abs() < 1e-9);
    found.map_or("", |(_, name)| name)
}

fn with_points(trace: &mut Map<String, Value>, points: &[Point], joined: bool, look: &Look) {
    trace.insert(
        "mode".into(),
        json!(if joined { "lines+markers" } else { "markers" }),
    );
    trace.insert("x".into(), numbers(points.iter().map(|point| point.x)));
    trace.insert("y".into(), numbers(points.iter().map(|point| point.y)));
    trace.insert("line".into(), line(look));
    let symbols: Vec<String> = points
        .iter()
        .map(|point| symbol(look.marker, point.hollow))
        .collect();
    let size = if points.len() > 24 { 5 } else { 8 };
    trace.insert(
        "marker".into(),
        json!({
            "symbol": symbols,
            "size": size,
            "color": colour(look, 1.0),
            "line": {"width": 1.5, "color": colour(look, 1.0)},
        }),
    );
    type Ends = fn(&Point) -> (f64, Option<(f64, f64)>);
    let sides: [(&str, Ends); 2] = [
        ("error_x", |point| (point.x, point.x_ends)),
        ("error_y", |point| (point.y, point.y_ends)),
    ];
    for (key, ends) in sides {
        if points.iter().all(|point| ends(point).1.is_none()) {
            continue;
        }
        let away = |upper: bool| {
            numbers(points.iter().map(|point| {
                let (middle, ends) = ends(point);
                let (lower, above) = ends.unwrap_or((middle, middle));
                if upper {
                    above - middle
                } else {
                    middle - lower
                }
            }))
        };
        trace.insert(
            key.into(),
            json!({
                "type": "data", "symmetric": false,
                "array": away(true), "arrayminus": away(false),
                "color": colour(look, 1.0), "thickness": 1.2, "width": 3,
            }),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_a_trace_and_each_name_is_in_the_legend_once() {
        let mut panel = Panel::new("p", Axis::log("x"), Axis::linear("y"));
        panel.add(
            "a",
            Role::Rung(0),
            Shape::Band(vec![(1.0, 0.0, 1.0), (2.0, 0.0, 2.0)]),
        );
        let points = vec![
            Point::at(1.0, 1.0).between(0.5, 2.0),
            Point::at(f64::NAN, 1.0),
        ];
        panel.add(
            "a",
            Role::Rung(0),
            Shape::Points {
                points,
                joined: true,
            },
        );
        panel.add("limit", Role::Limit, Shape::Horizontal(1.0));
        panel.add("", Role::Reference, Shape::Vertical(1.5));
        let figure = Figure {
            name: "f",
            title: String::new(),
            alt: String::new(),
            caption: String::new(),
            files: &[],
            panels: vec![panel.clone(), panel],
            columns: 2,
        };
        let plot = interactive(&figure);
        let traces = plot["data"].as_array().unwrap();
        assert_eq!(traces.len(), 8);
        let shown = traces.iter().filter(|trace| trace["showlegend"] == true);
        let names: Vec<&str> = shown.map(|trace| trace["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["a", "limit"]);
        assert_eq!(
            traces[0]["showlegend"], false,
            "the band leaves it to the line"
        );
        assert_eq!(traces[1]["x"], json!([1.0, null]));
        assert_eq!(traces[1]["error_y"]["arrayminus"], json!([0.5, 0.0]));
        assert_eq!(traces[5]["xaxis"], "x2");
        assert_eq!(plot["layout"]["xaxis2"]["type"], "log");
    }
}
