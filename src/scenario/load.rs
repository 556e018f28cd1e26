//! From the text of a scenario to its `ScenarioSpec`, with errors that name the line and the remedy.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::ScenarioSpec;

/// Says of a file's name that fields were overridden.
const OVERRIDDEN: &str = " (after --set)";

/// Something is wrong with a scenario; shown as `file:line:column: message` with the line itself beneath.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.plain())]
pub struct ScenarioError {
    /// Name of the file.
    pub file: String,
    /// Where in the text, if that is known.
    pub place: Option<Place>,
    /// What is wrong, and what was expected.
    pub message: String,
    /// What to do about it, with the nearest valid value where there is one; may be empty.
    pub help: String,
}

/// A part of the text of a scenario, within one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The whole text that was parsed.
    pub text: Arc<str>,
    /// Which bytes of it.
    pub span: Range<usize>,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl Place {
    /// None if the text is shorter.
    fn new(text: &str, span: Range<usize>) -> Option<Self> {
        let before = text.get(..span.start)?;
        let begin = before.rfind('\n').map_or(0, |i| i + 1);
        let line = text[begin..].lines().next().unwrap_or_default();
        Some(Self {
            line: before.matches('\n').count() + 1,
            column: text[begin..span.start].chars().count() + 1,
            span: span.start
                ..span
                    .end
                    .clamp(span.start, (begin + line.len()).max(span.start)),
            text: text.into(),
        })
    }

    /// The line itself.
    pub fn line_text(&self) -> &str {
        self.text.lines().nth(self.line - 1).unwrap_or_default()
    }
}

impl ScenarioError {
    fn at(source: &Source, span: Option<Range<usize>>, message: String, help: String) -> Self {
        Self {
            file: source.file.clone(),
            place: span.and_then(|span| Place::new(&source.text, span)),
            message,
            help,
        }
    }

    /// In plain text, with a caret under the place.
    fn plain(&self) -> String {
        let mut text = self.file.clone();
        if let Some(place) = &self.place {
            let Place { line, column, .. } = place;
            text += &format!(":{line}:{column}");
        }
        text += &format!(": {}", self.message);
        if let Some(place) = &self.place {
            let number = place.line.to_string();
            let gutter = " ".repeat(number.len());
            let (line, indent) = (place.line_text(), " ".repeat(place.column - 1));
            text += &format!("\n{gutter} |\n{number} | {line}\n{gutter} | {indent}^");
        }
        if !self.help.is_empty() {
            text += &format!("\nhelp: {}", self.help);
        }
        text
    }
}

/// Where a scenario came from: what its errors point at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Name of the file, with a note if fields were overridden.
    pub file: String,
    /// The text that was parsed, overrides put in.
    pub text: String,
    /// The folder that paths in it start from.
    pub folder: PathBuf,
}

impl Source {
    /// The scenario's name: that of its file, without folder and ending.
    pub fn name(&self) -> String {
        let file = self.file.strip_suffix(OVERRIDDEN).unwrap_or(&self.file);
        Path::new(file)
            .file_stem()
            .map_or("run".into(), |stem| stem.to_string_lossy().into_owned())
    }

    /// An error at the value of a dotted key such as `noise.0.scale`, or at the section that lacks it.
    pub fn error(
        &self,
        key: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> ScenarioError {
        ScenarioError::at(self, self.span(key), message.into(), help.into())
    }

    /// An error at some bytes of the text that stands at these keys.
    pub fn error_within(
        &self,
        keys: &[String],
        bytes: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> ScenarioError {
        let span = self.span_of(keys.iter().map(String::as_str)).map(|span| {
            let raw = self.text.get(span.clone()).unwrap_or_default();
            let quote = ["\"\"\"", "'''", "\"", "'"]
                .iter()
                .find(|quote| raw.starts_with(*quote));
            let open = quote.map_or(0, |quote| quote.len());
            let line_end = raw.get(open..).map_or(0, |inside| match inside {
                _ if open < 3 => 0,
                _ if inside.starts_with("\r\n") => 2,
                _ => usize::from(inside.starts_with('\n')),
            });
            // With escapes the bytes of the file are others than those of the text.
            let escaped = raw.starts_with('"') && raw.contains('\\');
            let at = span.start + open + line_end + bytes.start;
            let found = at <= span.end && self.text.is_char_boundary(at);
            if escaped || !found { span } else { at..at }
        });
        ScenarioError::at(self, span, message.into(), help.into())
    }

    /// The keys of a section, in their order in the file.
    pub(super) fn keys(&self, section: &str) -> Vec<String> {
        let document = toml_edit::Document::parse(self.text.as_str());
        let table = document.ok().and_then(|document| {
            let table = document.get(section)?.as_table_like()?;
            Some(table.iter().map(|(key, _)| key.to_owned()).collect())
        });
        table.unwrap_or_default()
    }

    fn span(&self, key: &str) -> Option<Range<usize>> {
        self.span_of(key.split('.'))
    }

    fn span_of<'k>(&self, keys: impl Iterator<Item = &'k str>) -> Option<Range<usize>> {
        let document = toml_edit::Document::parse(self.text.as_str()).ok()?;
        let mut item = document.as_item();
        let mut span = None;
        for part in keys {
            let found = match part.parse::<usize>() {
                Ok(index) => item.get(index),
                Err(_) => item.get(part),
            };
            let Some(next) = found else { break };
            item = next;
            span = item.span().or(span);
        }
        span
    }
}

/// Reads and parses a scenario file; `overrides` are `key=value` with dotted keys, the value in TOML.
///
/// Returns the spec, where it came from, and the text as it stands in the file.
///
/// # Errors
/// The file can't be read, is not TOML, has an unknown key or a value of a wrong type.
pub fn load(
    path: &Path,
    overrides: &[String],
) -> Result<(ScenarioSpec, Source, String), ScenarioError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        ScenarioError {
        file: file.clone(),
        place: None,
        message: format!("can't read the scenario: {error}"),
        help: beside(path).map_or(
            "the shipped ones are in scenarios/; `singlim new MODEL NOISE` writes one to start from"
                .into(),
            |near| format!("did you mean {}?", near.display()),
        ),
    }
    })?;
    let (spec, source) = parse(&file, &text, overrides)?;
    Ok((spec, source, text))
}

/// The scenario in the same folder whose name is nearest to that of a file that does not exist.
fn beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if path.exists() {
        return None;
    }
    let names = std::fs::read_dir(folder).ok()?.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.ends_with(".toml").then_some(name)
    });
    let names: Vec<String> = names.collect();
    let near = names
        .iter()
        .min_by_key(|other| strsim::damerau_levenshtein(name, other))?;
    // The ending that all have says nothing.
    let stem = |name: &str| name.strip_suffix(".toml").unwrap_or(name).to_owned();
    is_near(&stem(name), &stem(near)).then(|| path.with_file_name(near))
}

/// Parses the text of a scenario, as [`load`].
///
/// # Errors
/// As [`load`], for the text.
pub fn parse(
    file: &str,
    text: &str,
    overrides: &[String],
) -> Result<(ScenarioSpec, Source), ScenarioError> {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let as_given = Source {
        file: file.into(),
        text: text.into(),
        folder: folder.to_owned(),
    };
    let spec = deserialize(&as_given)?;
    if overrides.is_empty() {
        return Ok((spec, as_given));
    }
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        ScenarioError::at(
            &as_given,
            error.span(),
            error.message().into(),
            String::new(),
        )
    })?;
    for setting in overrides {
        apply(&mut document, setting).map_err(|message| ScenarioError {
            file: format!("--set {setting}"),
            place: None,
            message,
            help: "write --set ladder.paths=1000 or --set noise.0.law=uniform".into(),
        })?;
    }
    let overridden = Source {
        file: format!("{file}{OVERRIDDEN}"),
        text: document.to_string(),
        folder: as_given.folder,
    };
    Ok((deserialize(&overridden)?, overridden))
}

fn deserialize(source: &Source) -> Result<ScenarioSpec, ScenarioError> {
    toml::from_str(&source.text).map_err(|error| {
        let (message, help) = explain(error.message());
        ScenarioError::at(source, error.span(), message, help)
    })
}

/// Serde's message in the words of a user, with the nearest valid name or value.
fn explain(message: &str) -> (String, String) {
    if message.starts_with("unknown") {
        return explain_name(message);
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        let help = format!(
            "add {name} to this section; `singlim list` and `singlim schema` say what it can be"
        );
        return (format!("missing key {name}"), help);
    }
    let Some((found, expected)) = message.split_once(", expected ") else {
        return (message.to_owned(), String::new());
    };
    let (expected, numeric) = match expected {
        "f64" => ("a number", true),
        "u64" | "usize" => ("a whole number, at least 0", true),
        "a sequence" => ("a list [ … ]", false),
        "a string" => ("a text in quotes", false),
        "a boolean" => ("true or false", false),
        other => (other, false),
    };
    let whole = numeric && expected.starts_with("a whole");
    // The value as typed: between quotes or backquotes.
    let value = found.split(['"', '`']).nth(1).unwrap_or_default();
    let number = value.parse::<f64>().ok().filter(|x| x.is_finite());
    let help = match number {
        Some(x) if whole => format!("the nearest valid value is {}", x.round().abs()),
        Some(x) if numeric => format!("did you mean {x}, without quotes?"),
        Some(x) if expected.starts_with("a list") => format!("did you mean [{x}]?"),
        _ if expected == "true or false" && !value.is_empty() => {
            format!(
                "did you mean {}?",
                !["0", "false", "no", "off"].contains(&value)
            )
        }
        _ if expected.starts_with("a list") && found.contains("map") => {
            "a list of sections has two brackets: [[noise]]".into()
        }
        _ if expected.starts_with("a list") && found.contains("string") => {
            format!("did you mean [\"{value}\"]?")
        }
        _ if expected.starts_with("a text") && !value.is_empty() => {
            format!("did you mean \"{value}\"?")
        }
        _ => String::new(),
    };
    (format!("{found}, expected {expected}"), help)
}

/// "unknown field `x`, expected one of `a`, `b`" with the nearest of the expected names.
fn explain_name(message: &str) -> (String, String) {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let Some((&wrong, expected)) = names.split_first() else {
        return (message.to_owned(), String::new());
    };
    let what = if message.starts_with("unknown field") {
        "key"
    } else {
        "value"
    };
    (
        format!("unknown {what} `{wrong}`"),
        nearest(wrong, expected),
    )
}

/// Whether a name may be meant by another, mistyped.
fn is_near(wrong: &str, name: &str) -> bool {
    strsim::jaro_winkler(wrong, name) > 0.75
}

/// "did you mean `x`? valid here: …" for a name that is not among `expected`.
pub fn nearest(wrong: &str, expected: &[&str]) -> String {
    let valid = expected.join(", ");
    let distance = |name: &&&str| strsim::damerau_levenshtein(wrong, name);
    match expected.iter().min_by_key(distance) {
        Some(near) if is_near(wrong, near) => {
            format!("did you mean `{near}`? valid here: {valid}")
        }
        _ => format!("valid here: {valid}"),
    }
}

/// Sets one dotted key. Numbers in the key index arrays of tables.
fn apply(document: &mut DocumentMut, setting: &str) -> Result<(), String> {
    let (key, raw) = setting.split_once('=').ok_or("expected key=value")?;
    let raw = raw.trim();
    // A bare word is meant as a string.
    let value: Value = raw
        .parse()
        .or_else(|_| format!("{raw:?}").parse())
        .map_err(|_| format!("can't read the value {raw}"))?;
    if key.split('.').any(|part| part.trim().is_empty()) {
        return Err("expected key=value with a dotted key".into());
    }
    let (path, last) = key.trim().rsplit_once('.').unwrap_or(("", key.trim()));
    let mut table: &mut dyn TableLike = document.as_table_mut();
    let mut parts = path.split('.').filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        let item = table.entry(part).or_insert(toml_edit::table());
        let index = parts.peek().and_then(|next| next.parse::<usize>().ok());
        table = match (item, index) {
            (Item::ArrayOfTables(array), Some(index)) => {
                parts.next();
                let count = array.len();
                array.get_mut(index).ok_or(format!(
                    "{part}.{index}: there are {count} entries, counted from 0"
                ))?
            }
            (Item::ArrayOfTables(_), None) => {
                return Err(format!("`{part}` is a list; say which entry: {part}.0.…"));
            }
            (item, _) => item
                .as_table_like_mut()
                .ok_or(format!("`{part}` is a value, not a section"))?,
        };
    }
    table.insert(last, Item::Value(value));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "observables = [\"u\"]\n[model]\nkind = \"product\"\nstart = [2.0, 0.5]\n[[noise]]\nkind = \"label\"\n[ladder]\nstep_sizes = [0.2, 0.1, 0.05, 0.025]\nsigma = 0.3\nhorizon = 1.0\npaths = 100\n";

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_valid_key() {
        let text = TEXT.replace("sigma = 0.3", "sigmma = 0.3");
        let error = parse("x.toml", &text, &[]).unwrap_err().to_string();
        assert!(
            error.starts_with("x.toml:9:1: unknown key `sigmma`"),
            "{error}"
        );
        assert!(error.contains("did you mean `sigma`?"), "{error}");
    }

    #[test]
    fn a_scenario_has_the_name_of_its_file() {
        for set in [&[][..], &["seed=3".to_owned()]] {
            let (_, source) = parse("some/where.else/x.y.toml", TEXT, set).unwrap();
            assert_eq!(source.name(), "x.y");
        }
    }

    #[test]
    fn an_unknown_value_is_named_with_the_nearest_valid_value() {
        let text = TEXT.replace("\"label\"", "\"labels\"");
        let error = parse("x.toml", &text, &[]).unwrap_err().to_string();
        assert!(
            error.contains("x.toml:6:8: unknown value `labels`"),
            "{error}"
        );
        assert!(error.contains("did you mean `label`?"), "{error}");
    }

    #[test]
    fn any_field_can_be_overridden() {
        let set = [
            "ladder.paths=7",
            "noise.0.law=uniform",
            "limit.drift_scale=1.2",
            "title=hello there",
        ];
        let (spec, _) = parse("x.toml", TEXT, &set.map(String::from)).unwrap();
        assert!(matches!(
            spec.ladder.paths,
            super::super::PathsSpec::Same(7)
        ));
        assert_eq!(spec.noise[0].law, crate::random::Law::Uniform);
        assert_eq!(spec.limit.drift_scale, 1.2);
        assert_eq!(spec.title, "hello there");
    }

    #[test]
    fn a_wrong_override_says_what_is_wrong() {
        let message = |set: &str| {
            parse("x.toml", TEXT, &[set.into()])
                .unwrap_err()
                .to_string()
        };
        assert!(message("ladder.pathss=7").contains("did you mean `paths`?"));
        assert!(message("noise.3.law=uniform").contains("there are 1 entries"));
        assert!(message("noise.law=uniform").contains("say which entry"));
        assert!(message("seed").contains("key=value"));
        assert!(
            message("seed.x=1").contains("valid here")
                || message("seed.x=1").contains("not a section")
                || message("seed.x=1").contains("invalid type")
        );
    }
}
