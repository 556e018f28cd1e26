//! JUnit XML, which CI systems show: a test suite for each scenario, a test case for each check.

use std::collections::BTreeMap;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::Finished;
use super::finished::numbered;
use super::table::{estimate_text, predicted_text};
use crate::statistics::Outcome;

/// What a test case found.
enum Found {
    Good,
    /// Type and message.
    Failure(&'static str, String),
    Error(String),
}

struct Case {
    name: String,
    found: Found,
    detail: String,
}

/// The XML of all scenarios. A rejected check is a failure of type `rejected`, an inconclusive one a failure of type
/// `inconclusive`, as the exit code is not 0 for it either. A step back from the baseline is a failure of type
/// `regression`, a scenario that could not be run an error.
///
/// # Errors
/// None in practice: it is written to memory.
pub fn junit(all: &[Finished]) -> io::Result<String> {
    let suites: Vec<_> = all
        .iter()
        .map(|finished| (finished, cases(finished)))
        .collect();
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let every = || suites.iter().flat_map(|(_, cases)| cases);
    let seconds: f64 = all.iter().map(|finished| finished.seconds).sum();
    let counts_of_all = counts(every(), seconds);
    writer
        .create_element("testsuites")
        .with_attribute(("name", "singlim"))
        .with_attributes(counts_of_all.iter().map(pair))
        .write_inner_content(|writer| {
            for (finished, cases) in &suites {
                suite(writer, finished, cases)?;
            }
            Ok(())
        })?;
    let mut text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    text.push('\n');
    Ok(text)
}

fn pair<'a>((name, value): &'a (&'static str, String)) -> (&'a str, &'a str) {
    (*name, value.as_str())
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case>, seconds: f64) -> [(&'static str, String); 5] {
    let (mut tests, mut failures, mut errors) = (0, 0, 0);
    for case in cases {
        tests += 1;
        match case.found {
            Found::Good => {}
            Found::Failure(..) => failures += 1,
            Found::Error(_) => errors += 1,
        }
    }
    [
        ("tests", tests.to_string()),
        ("failures", failures.to_string()),
        ("errors", errors.to_string()),
        ("skipped", "0".into()),
        ("time", format!("{seconds:.3}")),
    ]
}

fn suite(writer: &mut Writer<Vec<u8>>, finished: &Finished, cases: &[Case]) -> io::Result<()> {
    let name = legal(&finished.name);
    let counts = counts(cases.iter(), finished.seconds);
    writer
        .create_element("testsuite")
        .with_attribute(("name", name.as_str()))
        .with_attributes(counts.iter().map(pair))
        .with_attribute(("timestamp", finished.started.as_str()))
        .write_inner_content(|writer| {
            properties(writer, finished)?;
            for case in cases {
                test_case(writer, &name, case)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn properties(writer: &mut Writer<Vec<u8>>, finished: &Finished) -> io::Result<()> {
    let mut values = vec![("verdict", finished.word())];
    if let Ok(judged) = &finished.result {
        let verdict = &judged.verdict;
        values.push(("regime", verdict.regime.to_string()));
        values.push(("sentence", verdict.sentence.clone()));
        values.push(("false_alarm_rate", verdict.false_alarm_rate.to_string()));
        let seed = verdict.subject.as_ref().map(|subject| subject.seed);
        values.extend(seed.map(|seed| ("seed", seed.to_string())));
        values.push(("run_folder", judged.folder.display().to_string()));
    }
    writer
        .create_element("properties")
        .write_inner_content(|writer| {
            for (name, value) in values {
                writer
                    .create_element("property")
                    .with_attribute(("name", name))
                    .with_attribute(("value", legal(&value).as_str()))
                    .write_empty()?;
            }
            Ok(())
        })?;
    Ok(())
}

fn test_case(writer: &mut Writer<Vec<u8>>, suite: &str, case: &Case) -> io::Result<()> {
    let element = writer
        .create_element("testcase")
        .with_attribute(("name", legal(&case.name).as_str()))
        .with_attribute(("classname", suite))
        .with_attribute(("time", "0"));
    let (tag, kind, message) = match &case.found {
        Found::Good => {
            element.write_empty()?;
            return Ok(());
        }
        Found::Failure(kind, message) => ("failure", *kind, message),
        Found::Error(message) => ("error", "error", message),
    };
    element.write_inner_content(|writer| {
        writer
            .create_element(tag)
            .with_attribute(("type", kind))
            .with_attribute(("message", legal(message).as_str()))
            .write_text_content(BytesText::new(&legal(&case.detail)))?;
        Ok(())
    })?;
    Ok(())
}

/// Names are unique within a suite and the same from run to run: checks of one name on one observable are numbered.
fn cases(finished: &Finished) -> Vec<Case> {
    let judged = match &finished.result {
        Ok(judged) => judged,
        Err(error) => {
            return vec![Case {
                name: "run".into(),
                found: Found::Error(error.lines().next().unwrap_or_default().to_owned()),
                detail: error.clone(),
            }];
        }
    };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut cases = Vec::new();
    for check in &judged.verdict.checks {
        let number = seen.entry(check.title()).or_insert(0);
        *number += 1;
        let message = || {
            let parts = [estimate_text(check), predicted_text(check)];
            match (parts[0].as_str(), parts[1].as_str()) {
                ("", _) => check.verdict.to_string(),
                (estimate, "") => format!("{}: {estimate}", check.verdict),
                (estimate, predicted) => {
                    format!("{}: {estimate}, predicted {predicted}", check.verdict)
                }
            }
        };
        cases.push(Case {
            name: format!("{} ({number})", check.title()),
            found: match check.verdict {
                Outcome::Pass => Found::Good,
                Outcome::Inconclusive => Found::Failure("inconclusive", message()),
                Outcome::Rejected => Found::Failure("rejected", message()),
            },
            detail: check.detail.clone(),
        });
    }
    for change in judged.comparison.iter().flat_map(|c| &c.changes) {
        let sentence = change.sentence();
        cases.push(Case {
            name: format!("baseline: {}", numbered(change)),
            found: if change.finding.is_regression() {
                Found::Failure("regression", format!("{}: {sentence}", change.finding))
            } else {
                Found::Good
            },
            detail: sentence,
        });
    }
    cases
}

/// XML 1.0 has no control characters but tab and line ends, not even escaped ones; they become replacement characters.
fn legal(text: &str) -> String {
    let is_legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars()
        .map(|c| if is_legal(c) { c } else { '\u{fffd}' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quick_xml::Reader;

    /// A parser's view: start tags with their unescaped attributes, and texts.
    fn parsed(xml: &str) -> Vec<(String, BTreeMap<String, String>)> {
        let mut reader = Reader::from_str(xml);
        reader.config_mut().check_end_names = true;
        let mut tags = Vec::new();
        loop {
            match reader.read_event().expect("well-formed") {
                Event::Start(tag) | Event::Empty(tag) => {
                    let attributes = tag.attributes().map(|attribute| {
                        let attribute = attribute.expect("a well-formed attribute");
                        let value = &attribute.value;
                        (
                            attribute.key.as_ref().to_owned(),
                            quick_xml::escape::unescape(value).unwrap().into_owned(),
                        )
                    });
                    tags.push((tag.name().as_ref().to_owned(), attributes.collect()));
                }
                Event::Eof => return tags,
                _ => {}
            }
        }
    }

    #[test]
    fn any_text_comes_back_from_a_parser_but_for_control_characters() {
        let nasty = "a <b> & \"c\" 'd' ]]> \u{1}é½ line\u{7f}";
        let all = [Finished {
            name: nasty.into(),
            started: "2026-01-01T00:00:00Z".into(),
            seconds: 1.5,
            result: Err(format!("{nasty}\nhelp: none")),
        }];
        let xml = junit(&all).unwrap();
        let tags = parsed(&xml);
        let names: Vec<_> = tags.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "testsuites",
                "testsuite",
                "properties",
                "property",
                "testcase",
                "error"
            ]
        );
        let clean = nasty.replace('\u{1}', "\u{fffd}");
        assert_eq!(tags[1].1["name"], clean);
        assert_eq!(tags[5].1["message"], clean);
        for (_, attributes) in &tags[..2] {
            assert_eq!(attributes["tests"], "1");
            assert_eq!(
                (&*attributes["failures"], &*attributes["errors"]),
                ("0", "1")
            );
        }
        assert_eq!(tags[0].1["time"], "1.500");
    }
}
