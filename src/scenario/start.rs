//! From the start as typed to w₀: a list, by name, by group of names, random or constant.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_distr::StandardNormal;

use super::StartSpec;
use super::load::nearest;
use super::spec::{ConstantStart, RandomStart};
use super::stream::stream;

/// A start that does not fit the model; `model.start` is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct StartError {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

fn fail<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, StartError> {
    Err(StartError {
        message: message.into(),
        help: help.into(),
    })
}

/// w₀ (length m) for parameters with these names and fan-ins (length m each).
///
/// * A list: as it is.
/// * `{ random = s, seed = n }`: w₀ᵢ = s·gᵢ/√fan-inᵢ with standard Gaussian gᵢ in the order of the parameters.
/// * `{ constant = c }`: w₀ᵢ = c.
/// * By name: a name that no parameter has stands for the parameters of that group. The groups of `W1_23` are `W1` and
///   `W`: the name without the digits, and then the underscores, at its end, once or several times. The longest name
///   given counts, so that `{ u = 0.1, u3 = 2.0 }` sets `u3` to 2 and the other u to 0.1.
///
/// # Errors
/// A name that stands for no parameter, a parameter without a value, a wrong number of values, s ≤ 0.
pub fn start(spec: &StartSpec, names: &[String], fan_in: &[usize]) -> Result<Vec<f64>, StartError> {
    debug_assert_eq!(names.len(), fan_in.len());
    match spec {
        StartSpec::List(values) if values.len() == names.len() => Ok(values.clone()),
        StartSpec::List(values) => fail(
            format!(
                "the start has {} numbers, but the model has {} parameters: {}",
                values.len(),
                names.len(),
                abbreviated(names)
            ),
            "give one number for each parameter",
        ),
        StartSpec::Named(named) => by_name(named, names),
        StartSpec::Constant(ConstantStart { constant }) => Ok(vec![*constant; names.len()]),
        StartSpec::Random(RandomStart { random: s, seed }) => {
            if !(s.is_finite() && *s > 0.0) {
                return fail(
                    format!("`random` of the start must be a positive number, not {s}"),
                    "it is s in N(0, s²/fan-in); 1 is usual",
                );
            }
            let mut random = stream(*seed, b"start", 0);
            let scaled = |&n: &usize| {
                let g: f64 = random.sample(StandardNormal);
                s * g / (n.max(1) as f64).sqrt()
            };
            Ok(fan_in.iter().map(scaled).collect())
        }
    }
}

fn by_name(named: &BTreeMap<String, f64>, names: &[String]) -> Result<Vec<f64>, StartError> {
    let stands_for = |key: &str, name: &str| {
        key == name || (groups(name).any(|group| group == key) && !names.iter().any(|n| n == key))
    };
    if let Some(stranger) = named
        .keys()
        .find(|key| !names.iter().any(|name| stands_for(key, name)))
    {
        let help = match stranger.as_str() {
            "random" | "seed" => {
                "a random start is { random = s, seed = n } with a whole n ≥ 0".into()
            }
            "constant" => "a constant start is { constant = c } and nothing else".into(),
            _ => strangers_help(stranger, names),
        };
        return fail(format!("the model has no parameter `{stranger}`"), help);
    }
    let value = |name: &String| {
        let own = std::iter::once(name.as_str());
        let found = own
            .chain(groups(name))
            .filter(|key| stands_for(key, name))
            .find_map(|key| named.get(key));
        found.copied().map_or_else(
            || {
                fail(
                    format!("the start lacks the parameter `{name}`"),
                    format!("give all of: {}", abbreviated(names)),
                )
            },
            Ok,
        )
    };
    names.iter().map(value).collect()
}

/// The groups of a name, the longest first.
fn groups(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(group(name), |name| group(name))
}

/// The longest group of a name.
fn group(name: &str) -> Option<&str> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let group = stem.trim_end_matches('_');
    (group.len() < name.len() && !group.is_empty()).then_some(group)
}

/// What could be meant by a name that stands for nothing.
fn strangers_help(stranger: &str, names: &[String]) -> String {
    if names.len() <= 12 {
        return format!("its parameters: {}", names.join(", "));
    }
    let mut known: Vec<&str> = names.iter().flat_map(|name| groups(name)).collect();
    known.sort_unstable();
    known.dedup();
    if known.is_empty() {
        return format!("its parameters: {}", abbreviated(names));
    }
    let groups = nearest(stranger, &known);
    format!("its parameters: {}; groups: {groups}", abbreviated(names))
}

/// The names in a line.
fn abbreviated(names: &[String]) -> String {
    match names {
        [a, b, c, .., z] if names.len() > 12 => format!("{a}, {b}, {c}, …, {z}"),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Line {
        start: StartSpec,
    }

    fn typed(start: &str) -> Result<StartSpec, String> {
        toml::from_str::<Line>(&format!("start = {start}"))
            .map(|line| line.start)
            .map_err(|error| error.message().to_owned())
    }

    fn names(list: &str) -> Vec<String> {
        list.split(' ').map(String::from).collect()
    }

    fn resolved(text: &str, list: &str) -> Result<Vec<f64>, StartError> {
        let names = names(list);
        start(&typed(text).unwrap(), &names, &vec![1; names.len()])
    }

    #[test]
    fn every_form_gives_the_parameters_in_order() {
        for (text, list, expected) in [
            ("[1, 2.5]", "u v", vec![1.0, 2.5]),
            ("{ v = 2, u = 1.5 }", "u v", vec![1.5, 2.0]),
            ("{ constant = -0.5 }", "u v w", vec![-0.5; 3]),
            (
                "{ u = 0.5, v = 0.1 }",
                "u1 u2 v1 v2",
                vec![0.5, 0.5, 0.1, 0.1],
            ),
            ("{ u = 0.1, u2 = 2 }", "u1 u2 u10", vec![0.1, 2.0, 0.1]),
            ("{ W = 3, b = 0 }", "W_1_1 W_1_2 b_1", vec![3.0, 3.0, 0.0]),
            (
                "{ W1 = 3, W = 4 }",
                "W1_1 W1_12 W2_1 W3_1",
                vec![3.0, 3.0, 4.0, 4.0],
            ),
            // The name of a parameter is no group.
            ("{ u = 1, u1 = 2, u2 = 3 }", "u u1 u2", vec![1.0, 2.0, 3.0]),
        ] {
            assert_eq!(resolved(text, list).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn the_random_start_has_the_stated_variance_and_depends_on_its_seed_alone() {
        let n = 20_000;
        let many: Vec<_> = (0..n).map(|i| format!("w{i}")).collect();
        let fan_in: Vec<_> = (0..n).map(|i| if i % 2 == 0 { 4 } else { 25 }).collect();
        let draw = |text: &str| start(&typed(text).unwrap(), &many, &fan_in).unwrap();
        let w = draw("{ random = 2.0, seed = 3 }");
        for (parity, variance) in [(0, 1.0), (1, 4.0 / 25.0)] {
            let half: Vec<_> = w.iter().skip(parity).step_by(2).collect();
            let m = half.len() as f64;
            let mean = half.iter().copied().sum::<f64>() / m;
            let square = half.iter().map(|x| *x * *x).sum::<f64>() / m;
            // Five standard errors: of a mean √(v/m), of a square v·√(2/m).
            assert!(mean.abs() < 5.0 * (variance / m).sqrt(), "{mean}");
            assert!(
                (square / variance - 1.0).abs() < 5.0 * (2.0 / m).sqrt(),
                "{square}"
            );
        }
        assert_eq!(w, draw("{ random = 2, seed = 3 }"));
        assert_ne!(w, draw("{ random = 2.0, seed = 4 }"));
        assert_eq!(
            draw("{ random = 2.0 }"),
            draw("{ random = 2.0, seed = 1 }"),
            "the seed is 1 unless given"
        );
        let doubled = draw("{ random = 4.0, seed = 3 }");
        assert!(w.iter().zip(doubled).all(|(a, b)| 2.0 * a == b));
    }

    #[test]
    fn a_start_that_does_not_fit_is_refused_with_the_remedy() {
        let many: Vec<_> = (1..=9)
            .map(|i| format!("inner{i}"))
            .chain((1..=9).map(|i| format!("outer{i}")))
            .collect();
        let many = many.join(" ");
        for (text, list, parts) in [
            ("[1.0]", "u v", ["1 numbers", "2 parameters: u, v"]),
            ("{ u = 1 }", "u v", ["lacks the parameter `v`", "u, v"]),
            ("{ u = 1, w = 1 }", "u v", ["no parameter `w`", "u, v"]),
            ("{ u = 1 }", "u1 v1", ["lacks the parameter `v1`", "u1, v1"]),
            (
                "{ iner = 1, outer = 2 }",
                &many,
                ["no parameter `iner`", "did you mean `inner`?"],
            ),
            (
                "{ u = 1 }",
                "u u1",
                ["lacks the parameter `u1`", "give all of: u, u1"],
            ),
            (
                "{ random = 0 }",
                "u v",
                ["positive number, not 0", "N(0, s²"],
            ),
            ("{ random = nan }", "u v", ["positive number, not NaN", ""]),
            (
                "{ random = 1, sed = 2 }",
                "u v",
                ["no parameter `random`", "{ random = s, seed = n }"],
            ),
            (
                "{ random = 1, seed = -2 }",
                "u v",
                ["no parameter `random`", "whole n ≥ 0"],
            ),
            (
                "{ constant = 1, u = 2 }",
                "u v",
                ["no parameter `constant`", "{ constant = c }"],
            ),
        ] {
            let error = resolved(text, list).unwrap_err().to_string();
            for part in parts {
                assert!(error.contains(part), "{text}: no {part:?} in {error}");
            }
        }
    }

    #[test]
    fn a_start_of_a_wrong_type_is_told_all_forms() {
        for text in [
            "\"here\"",
            "3.0",
            "{ random = \"x\" }",
            "[[1.0]]",
            "{ u = {} }",
        ] {
            let message = typed(text).unwrap_err();
            for part in ["a list of numbers", "name = number", "random", "constant"] {
                assert!(message.contains(part), "{text}: {message}");
            }
        }
    }
}
