//! Formulas against what they mean: values, derivatives, errors at their place, and texts that no one would write.

use proptest::prelude::*;

use super::*;
use crate::scalar::{Dual64, Lanes, Scalar};

/// Parameters u, v, x[1..3] are the inputs 0 to 4, the noise e is input 5.
fn names() -> Names {
    let mut names = Names::new();
    let parameters = ["u", "v", "x[1..3]"].map(String::from);
    declarations(&mut names, &parameters, 0, &["parameters"]).unwrap();
    declarations(&mut names, &["e".into()], 5, &["noise"]).unwrap();
    let data = |values: &[f64], lengths: &[usize]| Symbol::Data {
        values: values.to_vec(),
        lengths: lengths.to_vec(),
    };
    names.add("n", data(&[3.0], &[])).unwrap();
    names.add("a", data(&[1.0, 2.0, 3.0], &[3])).unwrap();
    names
        .add("A", data(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]))
        .unwrap();
    names
        .add_part("f[i=1..n]", "x[i]^2 - 1", &["let", "f"])
        .unwrap();
    names.add_part("g", "u*v - 1", &["let", "g"]).unwrap();
    names.add_part("h", "h + 1", &["let", "h"]).unwrap();
    names
}

const AT: [f64; 6] = [1.5, 0.7, 0.3, -0.4, 1.2, 0.1];

fn graph_of(text: &str) -> Result<(Graph, Id), FormulaError> {
    let names = names();
    let formula = Formula::parse(text, &["loss"])?;
    let mut graph = Graph::new();
    let id = Elaborator::new(&names, &mut graph).single(&formula)?;
    Ok((graph, id))
}

fn value(text: &str) -> f64 {
    let (graph, id) = graph_of(text).unwrap();
    Tape::compile(&graph, 6, &[id]).evaluate(&AT)[0]
}

#[test]
fn formulas_have_the_values_that_they_have_on_paper() {
    let [u, v, x1, x2, x3, e] = AT;
    for (text, expected) in [
        ("2+3*4", 14.0),
        ("-2^2", -4.0),
        ("2^3^2", 512.0),
        ("2^-1", 0.5),
        ("8/2/2", 2.0),
        ("1 - 2 - 3", -4.0),
        ("--1", 1.0),
        ("1e3 + .5 + 2.5e-1", 1000.75),
        ("pi", std::f64::consts::PI),
        ("0.5*(u*v - 1 - e)^2", 0.5 * (u * v - 1.0 - e).powi(2)),
        ("u^2.5", u.powf(2.5)),
        ("u^v", u.powf(v)),
        ("u^-2 + sqrt(u)", u.powi(-2) + u.sqrt()),
        ("x[1] + x[n-1]*x[2+1]", x1 + x2 * x3),
        ("sum(i=1..n, i*x[i])", x1 + 2.0 * x2 + 3.0 * x3),
        ("prod(i=1..3, x[i])", x1 * x2 * x3),
        ("sum(i=2..1, x[i]) + prod(i=2..1, x[i])", 1.0),
        ("dot(a, x)", x1 + 2.0 * x2 + 3.0 * x3),
        ("dot(A[2], x)", 4.0 * x1 + 5.0 * x2 + 6.0 * x3),
        ("dot(x, x)", x1 * x1 + x2 * x2 + x3 * x3),
        (
            "sum(i=1..2, (sum(j=1..3, A[i,j]*x[j]) - i)^2)",
            (x1 + 2.0 * x2 + 3.0 * x3 - 1.0).powi(2)
                + (4.0 * x1 + 5.0 * x2 + 6.0 * x3 - 2.0).powi(2),
        ),
        (
            "f[2] + sum(i=1..3, f[i]) + g",
            x2 * x2 - 1.0 + x1 * x1 + x2 * x2 + x3 * x3 - 3.0 + u * v - 1.0,
        ),
        ("dot(f, a)", x1 * x1 + 2.0 * x2 * x2 + 3.0 * x3 * x3 - 6.0),
        (
            "exp(u) + log(u) + sin(u) + cos(u) + tan(u)",
            u.exp() + u.ln() + u.sin() + u.cos() + u.tan(),
        ),
        (
            "tanh(u) + sinh(u) + cosh(u) + atan(u) + abs(-u)",
            u.tanh() + u.sinh() + u.cosh() + u.atan() + u,
        ),
        (
            "erf(u) + softplus(u) + sigmoid(u)",
            libm::erf(u) + u.exp().ln_1p() + 1.0 / (1.0 + (-u).exp()),
        ),
        ("u·v − v × u", 0.0),
    ] {
        let found = value(text);
        assert!(
            (found - expected).abs() <= 1e-12 * (1.0 + expected.abs()),
            "{text}: {found} {expected}"
        );
    }
}

#[test]
fn errors_point_at_their_place() {
    for (text, at, part) in [
        ("u + w", "w", "unknown name `w`"),
        ("u + vv", "vv", "unknown name `vv`"),
        ("u + sinn(u)", "sinn", "unknown function `sinn`"),
        ("exp(u, v)", "exp", "`exp` takes one argument, not 2"),
        ("u + exp()", "exp", "`exp` takes one argument, not 0"),
        ("dot(a)", "dot", "`dot` takes two vectors, not 1"),
        (
            "u + x[4]",
            "x[4]",
            "the index 4 of `x` is out of range: it goes from 1 to 3",
        ),
        ("sum(i=1..4, x[i])", "x[i]", "the index 4 of `x`"),
        ("x + 1", "x", "`x` takes 1 indices, not 0"),
        ("A[1]*u", "A[1]", "`A` takes 2 indices, not 1"),
        ("x[1.5]", "1.5", "whole number, not 1.5"),
        ("x[u]", "u", "constants and indices only"),
        (
            "u v",
            "v",
            "expected an operator or the end (write * for products), but found `v`",
        ),
        ("2u", "u", "expected an operator"),
        ("(u + v", "", "but found the end"),
        ("u + * v", "*", "expected a number, a name or `(`"),
        ("u < v", "<", "no comparisons"),
        ("u $ v", "$", "`$` has no meaning"),
        ("u ± v", "±", "`±` has no meaning"),
        ("sum(i=1, u)", ",", "`..` between"),
        ("sum(u)", ")", "`=` after the name of the index"),
        ("dot(a, A[1,1])", "A[1,1]", "takes 1 indices, not 2"),
        ("dot(u + v, a)", "u + v", "the name of a vector"),
        ("u + log(-1)", "log(-1)", "this constant is NaN"),
        ("u/(1-1)", "u/(1-1)", "this constant is"),
        ("1e999", "1e999", "is not a number"),
        ("sum(i=1..100000000, u)", "100000000", "too large"),
        ("sum(i=1..5000, sum(j=1..5000, i*j*u))", "i", "too large"),
    ] {
        let error = graph_of(text).map(|_| ()).unwrap_err();
        let found = &text[error.span.clone()];
        let nearby = error.to_string().contains("too large") || found == at;
        assert!(nearby, "{text}: at {found:?}: {error}");
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert_eq!(*error.path, ["loss".to_owned()]);
    }
    let error = graph_of("u + h").map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "`h` is defined by itself");
    assert_eq!(*error.path, ["let".to_owned(), "h".to_owned()]);
    let help = |text: &str| graph_of(text).map(|_| ()).unwrap_err().problem.help();
    assert!(help("lgo(u)").starts_with("did you mean `log`?"));
    assert!(help("u + gg").contains('g'));
}

#[test]
fn domains_are_checked_with_numbers_at_their_place() {
    let names = names();
    for (text, at, part) in [
        (
            "u + log(v - 1)",
            "log(v - 1)",
            "the logarithm of a number that is not positive, -0.3",
        ),
        (
            "sqrt(x[2])*2",
            "sqrt(x[2])",
            "the square root of a negative number, -0.4",
        ),
        ("1 + u/(v - 0.7)", "u/(v - 0.7)", "a division by zero"),
        ("x[2]^0.5", "x[2]^0.5", "a negative number, -0.4"),
        ("x[2]^u", "x[2]^u", "logarithm"),
        ("exp(1000*u)", "exp(1000*u)", "not a finite number, inf"),
    ] {
        let formula = Formula::parse(text, &["loss"]).unwrap();
        let mut numbers = Numbers::at(&AT, "at the start");
        let error = Elaborator::new(&names, &mut numbers)
            .single(&formula)
            .unwrap_err();
        assert_eq!(&text[error.span.clone()], at);
        assert!(
            error.to_string().starts_with("not defined at the start"),
            "{error}"
        );
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn what_is_common_is_computed_once_and_sums_become_matrices() {
    // A linear regression of 40 outputs on 100 squares.
    let mut names = Names::new();
    declarations(
        &mut names,
        &["u[1..100]".into(), "v[1..100]".into()],
        0,
        &[],
    )
    .unwrap();
    declarations(&mut names, &["e[1..40]".into()], 200, &[]).unwrap();
    let values: Vec<f64> = (0..4000).map(|i| libm::sin(f64::from(i))).collect();
    let table = Symbol::Data {
        values: values.clone(),
        lengths: vec![40, 100],
    };
    names.add("X", table).unwrap();
    let text = "sum(i=1..40, (sum(j=1..100, X[i,j]*(u[j]^2 - v[j]^2)) - 1 - e[i])^2)/80";
    let formula = Formula::parse(text, &[]).unwrap();
    let mut graph = Graph::new();
    let loss = Elaborator::new(&names, &mut graph)
        .single(&formula)
        .unwrap();
    let slopes = gradient(&mut graph, loss, 200).unwrap();
    let tape = Tape::compile(&graph, 240, &slopes);
    assert!(
        tape.instructions() <= 16,
        "{} instructions",
        tape.instructions()
    );
    let at: Vec<f64> = (0..240).map(|i| 0.3 * libm::cos(f64::from(i))).collect();
    let found = tape.evaluate(&at);
    let beta: Vec<f64> = (0..100)
        .map(|j| at[j] * at[j] - at[100 + j] * at[100 + j])
        .collect();
    let mut expected = vec![0.0; 200];
    for i in 0..40 {
        let row = &values[100 * i..100 * (i + 1)];
        let f: f64 = row.iter().zip(&beta).map(|(x, b)| x * b).sum();
        let r = f - 1.0 - at[200 + i];
        for j in 0..100 {
            expected[j] += r * row[j] * 2.0 * at[j] / 40.0;
            expected[100 + j] -= r * row[j] * 2.0 * at[100 + j] / 40.0;
        }
    }
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-13, "{found} {expected}");
    }
}

#[test]
fn printed_formulas_read_as_on_paper() {
    let input_names = ["u", "v", "x[1]", "x[2]", "x[3]", "e"].map(String::from);
    for (text, plain, latex) in [
        (
            "0.5*(u*v - 1)^2",
            "0.5·(u·v − 1)^2",
            "\\tfrac{1}{2} \\left(u v - 1\\right)^{2}",
        ),
        ("(u*v - 1)*v", "u·v^2 − v", "u v^{2} - v"),
        (
            "u^2/2 + v^2/2",
            "0.5·u^2 + 0.5·v^2",
            "\\tfrac{1}{2} u^{2} + \\tfrac{1}{2} v^{2}",
        ),
        ("-u", "−u", "-u"),
        ("u - u", "0", "0"),
        (
            "exp(-x[2])*u/v",
            "u·exp(−x[2])/v",
            "\\frac{u e^{-x_{2}}}{v}",
        ),
        ("u/(1 + v)", "u/(v + 1)", "\\frac{u}{\\left(v + 1\\right)}"),
        ("u/3", "u/3", "\\tfrac{1}{3} u"),
        (
            "tanh(u)^2",
            "tanh(u)^2",
            "\\left(\\tanh\\left(u\\right)\\right)^{2}",
        ),
        ("1/u^2", "1/u^2", "\\frac{1}{u^{2}}"),
    ] {
        let (graph, id) = graph_of(text).unwrap();
        let show = |style| Printer::new(&graph, &input_names, style).text(id).unwrap();
        assert_eq!(show(Style::Plain), plain, "{text}");
        assert_eq!(show(Style::Latex), latex, "{text}");
    }
}

/// Random formulas that are defined everywhere.
fn formula() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("u".to_owned()),
        Just("v".to_owned()),
        Just("e".to_owned()),
        (1..4).prop_map(|i| format!("x[{i}]")),
        (-30..30).prop_map(|i| format!("{}", f64::from(i) / 10.0)),
        Just("dot(a, x)".to_owned()),
        Just("g".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let functions = prop::sample::select(vec![
            "sin", "cos", "tanh", "atan", "erf", "softplus", "sigmoid",
        ]);
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} - {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}*{b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}/(1 + ({b})^2)")),
            (inner.clone(), 1..4).prop_map(|(a, n)| format!("({a})^{n}")),
            (functions, inner.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            inner.clone().prop_map(|a| format!("exp(-({a})^2)")),
            inner.clone().prop_map(|a| format!("log(1 + ({a})^2)")),
            inner.clone().prop_map(|a| format!("sqrt(1 + ({a})^2)")),
            inner.clone().prop_map(|a| format!("(1 + ({a})^2)^-0.3")),
            inner
                .clone()
                .prop_map(|a| format!("cosh(sin({a})) + sinh(sin({a})) + tan(0.3*sin({a}))")),
            inner
                .clone()
                .prop_map(|a| format!("sum(i=1..3, x[i]*({a}))")),
            inner.prop_map(|a| format!("prod(i=1..2, x[i] + ({a}))")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Values against the plain evaluation, gradients against dual numbers and central differences.
    #[test]
    fn derivatives_of_random_formulas_are_those_of_finite_differences(
        text in formula(),
        w in prop::collection::vec(-1.5..1.5f64, 6),
    ) {
        let names = names();
        let parsed = Formula::parse(&text, &[]).unwrap();
        let mut graph = Graph::new();
        let id = Elaborator::new(&names, &mut graph).single(&parsed).unwrap();
        let slopes = gradient(&mut graph, id, 6).unwrap();
        let value = Tape::compile(&graph, 6, &[id]);
        let tape = Tape::compile(&graph, 6, &slopes);
        let at = |w: &[f64]| value.evaluate(w)[0];
        let mut numbers = Numbers::at(&w, "here");
        if let Ok((plain, _)) = Elaborator::new(&names, &mut numbers).single(&parsed) {
            prop_assert!((plain - at(&w)).abs() <= 1e-9 * (1.0 + plain.abs()), "{} {}", plain, at(&w));
        }
        let found = tape.evaluate(&w);
        for i in 0..6 {
            let mut dual: Vec<_> = w.iter().map(|&x| Dual64::from(x)).collect();
            dual[i].eps = 1.0;
            let exact = value.evaluate(&dual)[0].eps;
            prop_assert!((found[i] - exact).abs() <= 1e-8 * (1.0 + exact.abs()), "{} ∂{}: {} {}", text, i, found[i], exact);
            let mut differences = [0.0; 2];
            for (n, h) in [1e-4, 2e-4].into_iter().enumerate() {
                let (mut up, mut down) = (w.clone(), w.clone());
                up[i] += h;
                down[i] -= h;
                differences[n] = (at(&up) - at(&down)) / (2.0 * h);
            }
            // Where the two differences agree they are good.
            let [fine, coarse] = differences;
            let tolerance = 1e-5 * (1.0 + exact.abs() + at(&w).abs()) + 4.0 * (fine - coarse).abs();
            prop_assert!((found[i] - fine).abs() <= tolerance, "{} ∂{}: {} {}", text, i, found[i], fine);
        }
        // Lanes compute what single numbers compute but for the rounding of fused operations.
        let lanes: Vec<_> = w.iter().map(|&x| Lanes::constant(x)).collect();
        for (lane, plain) in tape.evaluate(&lanes).iter().zip(&found) {
            prop_assert!((lane.0[3] - plain).abs() <= 1e-8 * (1.0 + plain.abs()));
        }
    }

    /// What is printed can be read again and means the same.
    #[test]
    fn printed_formulas_have_the_value_of_the_original(
        text in formula(),
        w in prop::collection::vec(-1.5..1.5f64, 6),
    ) {
        let input_names = ["u", "v", "x[1]", "x[2]", "x[3]", "e"].map(String::from);
        let (graph, id) = graph_of(&text).unwrap();
        if let Some(printed) = Printer::new(&graph, &input_names, Style::Plain).text(id) {
            let again = graph_of(&printed);
            prop_assert!(again.is_ok(), "{} printed as {}: {:?}", text, printed, again.map(|_| ()));
            let (copy, other) = again.unwrap();
            let before = Tape::compile(&graph, 6, &[id]).evaluate(&w)[0];
            let after = Tape::compile(&copy, 6, &[other]).evaluate(&w)[0];
            prop_assert!((before - after).abs() <= 1e-7 * (1.0 + before.abs()), "{} printed as {}", text, printed);
        }
        prop_assert!(Printer::new(&graph, &input_names, Style::Latex).text(id).is_none_or(|t| !t.is_empty()));
    }

}

#[test]
fn a_formula_that_would_be_written_out_exponentially_often_is_not_printed_and_that_at_once() {
    let names = ["u", "v", "x[1]", "x[2]", "x[3]", "e"].map(String::from);
    let mut doubled = String::from("sin(u)");
    for _ in 0..11 {
        doubled = format!("sin({doubled} + cos({doubled}))");
    }
    assert!(doubled.len() < 65_536);
    let (graph, id) = graph_of(&doubled).unwrap();
    assert_eq!(Printer::new(&graph, &names, Style::Latex).text(id), None);
}

proptest! {
    /// No text makes a panic, hangs or takes much memory: what is written out is counted, and so are the nodes. The environment
    /// variable PROPTEST_CASES says how many texts: 2000 take some minutes.
    #[test]
    fn hostile_texts_are_refused_or_read_within_bounds(text in hostile()) {
        if let Ok((mut graph, id)) = graph_of(&text) {
            prop_assert!(graph.len() <= 500_000);
            if let Ok(slopes) = gradient(&mut graph, id, 6) {
                let tape = Tape::compile(&graph, 6, &slopes);
                tape.evaluate(&AT);
            }
            let input_names = ["u", "v", "x[1]", "x[2]", "x[3]", "e"].map(String::from);
            Printer::new(&graph, &input_names, Style::Latex).text(id);
        }
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "u", "v", "x", "x[", "]", "(", ")", "+", "-", "*", "/", "^", ",", "..", "=", "sum(",
        "prod(", "i=1..", "i", "dot(", "a", "A[1]", "exp(", "log(", "1e308", "0", "99999999",
        "for", "f", "g", "h", "^^", "−", "é", "\u{0}", " ",
    ]);
    let again = (0usize..2000).boxed();
    // A formula with something wrong in its middle, or cut off.
    let broken = (
        formula(),
        any::<prop::sample::Index>(),
        words.clone(),
        any::<bool>(),
    );
    let broken = broken.prop_map(|(text, place, word, cut)| {
        let characters: Vec<_> = text.chars().collect();
        let at = place.index(characters.len());
        let rest = if cut { &[] } else { &characters[at..] };
        let head: String = characters[..at].iter().collect();
        head + word + &rest.iter().collect::<String>()
    });
    prop_oneof![
        broken,
        ".{0,60}",
        prop::collection::vec(words, 0..40).prop_map(|words| words.concat()),
        again.clone().prop_map(|n| "(".repeat(n)),
        again.clone().prop_map(|n| "-".repeat(n) + "u"),
        again.clone().prop_map(|n| format!("u{}", "^2".repeat(n))),
        again
            .clone()
            .prop_map(|n| format!("{}u{}", "exp(".repeat(n), ")".repeat(n))),
        again.clone().prop_map(|n| format!("u{}", "*u".repeat(n))),
        again
            .clone()
            .prop_map(|n| format!("u{}", " + u*v".repeat(n))),
        again
            .clone()
            .prop_map(|n| format!("{}u", "sum(i=1..9, ".repeat(n % 70))),
        again.clone().prop_map(|n| format!(
            "{}u{}",
            "sum(i=1..9, ".repeat(n % 8),
            ")".repeat(n % 8)
        )),
        again.prop_map(|n| format!("{}u+v{}", "(".repeat(n % 60), ")^9".repeat(n % 60))),
    ]
}

#[test]
fn the_largest_formulas_are_refused_in_seconds() {
    let many = |n: usize, s: &str| s.repeat(n);
    for text in [
        many(70_000, "u"),
        many(60_000, "("),
        format!("sum(i=1..1000000, sum(j=1..1000000, {}))", "u"),
        "prod(i=1..3000000, sin(i*u))".to_string(),
        "sum(i=1..2000, prod(j=1..2000, u + i/j))".to_string(),
    ] {
        assert!(graph_of(&text).is_err());
    }
}
