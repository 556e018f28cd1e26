//! Losses as formulas against the built-in models: the same gradient, limit and verdict; and what is refused.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use nalgebra::DVector;
use proptest::prelude::*;
use singlim::models::{Injection, Model};
use singlim::predict::{Prediction, predict};
use singlim::scenario::{ScenarioError, Study, load, parse};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A shipped scenario, and the same with a formula: file, `parameters`, `noise`, `loss` and the observables' formulas.
struct Twin {
    file: &'static str,
    parameters: &'static str,
    noise: &'static str,
    loss: &'static str,
    observables: &'static [(&'static str, &'static str)],
}

const IMBALANCE: &[(&str, &str)] = &[("imbalance", "u^2 - v^2"), ("u", "u")];
const IMBALANCE_ALONE: &[(&str, &str)] = &[("imbalance", "u^2 - v^2")];
const PRODUCT: &str = r#"["u", "v"]"#;
const PAIRS: &str = r#"["a1", "b1", "a2", "b2"]"#;
const SHARE: &[(&str, &str)] = &[("mixing", "4*a1*b1*(1 - a1*b1)"), ("share", "a1*b1")];
const ANGLE: &[(&str, &str)] = &[("angle", "2*atan(u2/u1)")];
const RADIUS: &[(&str, &str)] = &[("radius_squared", "dot(u, u)"), ("u1", "u[1]")];

/// The twin of a scenario with label noise on the product.
const fn label_noise(
    file: &'static str,
    observables: &'static [(&'static str, &'static str)],
) -> Twin {
    Twin {
        file,
        parameters: PRODUCT,
        noise: r#"["e"]"#,
        loss: "0.5*(u*v - 1 - e)^2",
        observables,
    }
}

const TWINS: &[Twin] = &[
    label_noise("product-label-noise", IMBALANCE),
    // A schedule, and a limit that is corrected for the step size.
    label_noise("label-noise-freezing", IMBALANCE_ALONE),
    label_noise("label-noise-corrected", IMBALANCE_ALONE),
    Twin {
        file: "product-anti-pgd",
        parameters: PRODUCT,
        noise: r#"["e[1..2]"]"#,
        loss: "0.5*((u + e[1])*(v + e[2]) - 1)^2",
        observables: IMBALANCE,
    },
    Twin {
        file: "product-sgld",
        parameters: PRODUCT,
        noise: r#"["e", "f"]"#,
        loss: "0.5*(u*v - 1)^2 + u*e + v*f",
        observables: IMBALANCE,
    },
    Twin {
        file: "product-minibatch",
        parameters: PRODUCT,
        noise: r#"["e"]"#,
        loss: "0.5*(1 + e)*(u*v - 1)^2",
        observables: IMBALANCE,
    },
    Twin {
        file: "product-dropconnect",
        parameters: PRODUCT,
        noise: r#"["e[1..2]"]"#,
        loss: "0.5*(u*(1 + e[1])*v*(1 + e[2]) - 1)^2",
        observables: IMBALANCE,
    },
    Twin {
        file: "product-dropout",
        parameters: PRODUCT,
        noise: r#"["e"]"#,
        loss: "0.5*(u*v*(1 + e) - 1)^2",
        observables: IMBALANCE,
    },
    Twin {
        file: "two-products-dropconnect",
        parameters: PAIRS,
        noise: r#"["e[1..4]"]"#,
        loss: "0.5*(a1*b1*(1 + e[1])*(1 + e[2]) + a2*b2*(1 + e[3])*(1 + e[4]) - 1)^2",
        observables: SHARE,
    },
    Twin {
        file: "two-products-dropout",
        parameters: PAIRS,
        noise: r#"["e[1..2]"]"#,
        loss: "0.5*(a1*b1*(1 + e[1]) + a2*b2*(1 + e[2]) - 1)^2",
        observables: SHARE,
    },
    Twin {
        file: "circle-dropconnect",
        parameters: r#"["u1", "u2"]"#,
        noise: r#"["e[1..2]"]"#,
        loss: "0.5*((u1*(1 + e[1]))^2 + (u2*(1 + e[2]))^2 - 1)^2",
        observables: ANGLE,
    },
    Twin {
        file: "circle-bernoulli-dropconnect",
        parameters: r#"["u1", "u2"]"#,
        noise: r#"["e[1..2]"]"#,
        loss: "0.5*((u1*(1 + e[1]))^2 + (u2*(1 + e[2]))^2 - 1)^2",
        observables: ANGLE,
    },
    Twin {
        file: "sphere-sgld",
        parameters: r#"["w[1..3]"]"#,
        noise: r#"["e[1..3]"]"#,
        loss: "(dot(w, w) - 1)^2/8 + dot(w, e)",
        observables: &[("w1", "w[1]"), ("w2", "w[2]")],
    },
    Twin {
        file: "valley-sgld",
        parameters: r#"["x", "y"]"#,
        noise: r#"["e", "f"]"#,
        loss: "0.5*exp(sin(x))*y^2 + x*e + y*f",
        observables: &[("sin_x", "sin(x)"), ("x", "x")],
    },
    Twin {
        file: "widening-valley-anti-pgd",
        parameters: r#"["u[1..3]", "v"]"#,
        noise: r#"["e[1..3]", "f"]"#,
        loss: "0.5*(v + f)^2*sum(i=1..3, (u[i] + e[i])^2)",
        observables: RADIUS,
    },
    Twin {
        file: "widening-valley-sgld",
        parameters: r#"["u[1..3]", "v"]"#,
        noise: r#"["e[1..3]", "f"]"#,
        loss: "0.5*v^2*dot(u, u) + dot(u, e) + v*f",
        observables: RADIUS,
    },
    Twin {
        file: "widening-valley-20-sgld",
        parameters: r#"["u[1..20]", "v"]"#,
        noise: r#"["e[1..20]", "f"]"#,
        loss: "0.5*v^2*dot(u, u) + dot(u, e) + v*f",
        observables: RADIUS,
    },
];

impl Twin {
    fn original(&self) -> Study {
        let path = root().join("scenarios").join(format!("{}.toml", self.file));
        let (spec, source, _) = load(&path, &[]).unwrap();
        Study::resolve(spec, source).unwrap()
    }

    /// The text of the twin: another model, and its noise.
    fn text(&self, original: &Study) -> String {
        let path = root().join("scenarios").join(format!("{}.toml", self.file));
        let text = std::fs::read_to_string(path).unwrap();
        let mut kept = String::new();
        let mut section = "";
        for line in text.lines() {
            if line.starts_with('[') {
                section = line.trim();
            }
            if section == "[model]" || line.starts_with("observables =") {
                continue;
            }
            if section == "[[noise]]" && line.starts_with("kind") {
                kept += "kind = \"formula\"\n";
                continue;
            }
            kept += line;
            kept.push('\n');
        }
        let observables: String = self
            .observables
            .iter()
            .map(|(name, formula)| format!("{name} = \"{formula}\"\n"))
            .collect();
        format!(
            "{kept}\n[model]\nkind = \"formula\"\nparameters = {}\nnoise = {}\nloss = \"{}\"\nstart = {:?}\n\n[observables]\n{observables}",
            self.parameters, self.noise, self.loss, original.start
        )
    }

    fn study(&self, original: &Study) -> Study {
        let (spec, source) = parse("twin.toml", &self.text(original), &[]).unwrap();
        Study::resolve(spec, source).unwrap()
    }
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + a.abs())
}

#[test]
fn twins_have_the_gradient_and_the_limit_of_the_built_in_models() {
    for twin in TWINS {
        let original = twin.original();
        let study = twin.study(&original);
        let (m, d) = (original.noisy.dimension(), original.noisy.noise_dimension());
        assert_eq!(
            (study.noisy.dimension(), study.noisy.noise_dimension()),
            (m, d),
            "{}",
            twin.file
        );
        for k in 0..20 {
            let point = |n: usize, shift: f64| -> Vec<f64> {
                (0..n)
                    .map(|i| libm::sin(1.0 + 2.3 * i as f64 + 0.7 * f64::from(k) + shift))
                    .collect()
            };
            let (w, eta) = (point(m, 0.0), point(d, 0.4));
            let (mut one, mut two) = (vec![0.0; m], vec![0.0; m]);
            original.noisy.gradient(&w, &eta, &mut one);
            study.noisy.gradient(&w, &eta, &mut two);
            for (a, b) in one.iter().zip(&two) {
                assert!(close(*a, *b, 1e-12), "{}: {a} {b}", twin.file);
            }
            let losses = [original.noisy.loss(&w, &eta), study.noisy.loss(&w, &eta)];
            assert!(
                close(losses[0], losses[1], 1e-12),
                "{}: {losses:?}",
                twin.file
            );
        }
        let same = |a: &DVector<f64>, b: &DVector<f64>, what: &str| {
            let distance = (a - b).norm();
            assert!(
                distance <= 1e-8 * (1.0 + a.norm()),
                "{} {what}: {a} {b}",
                twin.file
            );
        };
        let (a, b) = (predict(&original).unwrap(), predict(&study).unwrap());
        same(&a.landing, &b.landing, "landing");
        same(&a.coefficients.drift, &b.coefficients.drift, "drift");
        assert_eq!(
            (a.rank, a.regime(), a.clock),
            (b.rank, b.regime(), b.clock),
            "{}",
            twin.file
        );
        assert_eq!(a.is_deterministic(), b.is_deterministic(), "{}", twin.file);
        assert!(close(a.regularizer, b.regularizer, 1e-10), "{}", twin.file);
        let covariance = |p: &Prediction| {
            let c = &p.coefficients;
            let mut square = &c.diffusion * c.diffusion.transpose();
            // The isotropic noise along Γ.
            let normal = &p.frame.normal;
            let tangent = nalgebra::DMatrix::identity(m, m) - normal * normal.transpose();
            square += &tangent * c.isotropic.powi(2);
            square
        };
        let difference = (covariance(&a) - covariance(&b)).norm();
        assert!(difference <= 1e-8, "{}: diffusion {difference}", twin.file);
        for ((name, of_original), (other_name, of_twin)) in
            original.observables.iter().zip(&study.observables)
        {
            assert_eq!(name, other_name);
            let value = |study: &Study, observable: &singlim::scenario::Observable| {
                observable.value(&study.noisy, &study.start, a.rank, study.faults.masks)
            };
            let values = [value(&original, of_original), value(&study, of_twin)];
            assert!(
                close(values[0], values[1], 1e-12),
                "{} {name}: {values:?}",
                twin.file
            );
        }
    }
}

/// Few paths: what counts is that all checks of the two runs end alike. They have the same random numbers throughout, those of a
/// Brownian limit too.
#[test]
fn twins_get_the_verdict_of_the_built_in_models() {
    let small: &[&str] = &[
        "ladder.paths=64",
        "ladder.step_sizes=[0.16, 0.08, 0.04, 0.02]",
        "ladder.sigma=0.5",
        "ladder.sigma_factors=[]",
        "ladder.horizon=0.6",
    ];
    let verdict = |scenario: &Path, set: &[&str]| {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("run");
        let mut command = Command::new(env!("CARGO_BIN_EXE_singlim"));
        command
            .current_dir(root())
            .arg("verify")
            .arg(scenario)
            .arg("--out")
            .arg(&out);
        for setting in set {
            command.args(["--set", setting]);
        }
        let output = command.output().unwrap();
        let text = std::fs::read_to_string(out.join("verdict.json"));
        let text = text.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let verdict: serde_json::Value = serde_json::from_str(&text).unwrap();
        let checks = verdict["checks"].as_array().unwrap().iter();
        let checks: Vec<_> = checks
            .map(|check| (check["name"].clone(), check["verdict"].clone()))
            .collect();
        assert!(!checks.is_empty());
        let page = std::fs::read_to_string(out.join("report.html")).unwrap();
        ((output.status.code(), checks), page)
    };
    let home = tempfile::tempdir().unwrap();
    for twin in TWINS {
        let label = twin.file == "product-label-noise";
        if cfg!(debug_assertions) && !label {
            continue;
        }
        let set = if label { small } else { &small[..1] };
        let path = root().join("scenarios").join(format!("{}.toml", twin.file));
        let copy = home.path().join("twin.toml");
        std::fs::write(&copy, twin.text(&twin.original())).unwrap();
        let (built_in, _) = verdict(&path, set);
        let (formula, page) = verdict(&copy, set);
        assert_eq!(built_in, formula, "{}", twin.file);
        let row = format!("<td>loss</td><td>L̂ = {}</td>", twin.loss);
        assert!(page.contains(&row), "{}", twin.file);
    }
}

const LADDER: &str =
    "\n[ladder]\nstep_sizes = [0.04, 0.02, 0.01, 0.005]\nsigma = 0.3\nhorizon = 1.0\npaths = 100\n";

fn study(text: &str) -> Result<Study, ScenarioError> {
    let (spec, source) = parse("f.toml", &format!("{text}{LADDER}"), &[])?;
    Study::resolve(spec, source)
}

fn refusal(text: &str) -> String {
    let refused = study(text).and_then(|study| predict(&study).map(|_| ()));
    refused.unwrap_err().to_string()
}

fn model(lines: &str) -> String {
    format!(
        "observables = [\"u\"]\n[model]\nkind = \"formula\"\nparameters = [\"u\", \"v\"]\nnoise = [\"e\"]\n{lines}\n"
    )
}

#[test]
fn bad_formulas_are_shown_with_a_caret_at_the_column() {
    let loss = |loss: &str| {
        model(&format!(
            "start = {{ u = 2.0, v = 0.5 }}\nloss = \"{loss}\""
        ))
    };
    let message = refusal(&loss("0.5*(u*w - 1 - e)^2"));
    assert!(
        message.starts_with("f.toml:7:16: unknown name `w`"),
        "{message}"
    );
    let caret = message.lines().nth(3).unwrap();
    assert_eq!(caret.find('^').unwrap(), "7 | ".len() + 15, "{message}");
    for (text, part) in [
        ("0.5*(u*vv - 1)^2", "did you mean `v`?"),
        ("lgo(u)^2", "did you mean `log`?"),
        (
            "0.5*log(v - 1)^2",
            "f.toml:7:13: not defined at the start: the logarithm of a number that is not positive, -0.5",
        ),
        ("0.5*(u*v - 1", "but found the end"),
        ("exp(u, v)", "`exp` takes one argument, not 2"),
        ("sum(i=1..3, u)*", "expected a number"),
        ("u > 1", "no comparisons"),
    ] {
        let message = refusal(&loss(text));
        assert!(message.contains(part), "{text}: {message}");
    }
    let index = refusal(&model(
        "start = [2.0, 0.5]\nloss = \"0.5*(u*v - a[3])^2\"\n[model.constants]\na = [1.0, 2.0]",
    ));
    assert!(
        index.contains("the index 3 of `a` is out of range: it goes from 1 to 2"),
        "{index}"
    );
    let part = refusal(&model(
        "start = [2.0, 0.5]\nloss = \"0.5*f^2\"\n[model.let]\nf = \"u*v - 1 + nothing\"",
    ));
    assert!(
        part.starts_with("f.toml:9:16: unknown name `nothing`"),
        "{part}"
    );
    let table = refusal(&model(
        "start = [2.0, 0.5]\nloss = \"0.5*(u*v - y[1])^2\"\n[model.tables]\ny = { file = \"none.csv\", column = \"y\" }",
    ));
    assert!(table.contains("can't read none.csv"), "{table}");
    let none = refusal(&model("start = [2.0, 0.5]"));
    assert!(
        none.contains("needs model.loss or model.residuals"),
        "{none}"
    );
}

#[test]
fn a_table_from_a_file_is_the_numbers_in_it() {
    let home = tempfile::tempdir().unwrap();
    let table = home.path().join("table.csv");
    std::fs::write(&table, "x,y\n7.0,1.5\n8.0,2.5\n").unwrap();
    let start = "start = [2.0, 0.5]";
    let noise = "\n[[noise]]\nkind = \"formula\"\nlaw = \"gaussian\"";
    let from_file = model(&format!(
        "{start}\nloss = \"0.5*(u*v - y[1] - e)^2\"\n[model.tables]\ny = {{ file = {table:?}, column = \"y\" }}{noise}"
    ));
    let written = model(&format!("{start}\nloss = \"0.5*(u*v - 1.5 - e)^2\"{noise}"));
    let [a, b] = [from_file, written].map(|text| predict(&study(&text).unwrap()).unwrap());
    assert_eq!(a.landing, b.landing);
    assert!((a.landing[0] * a.landing[1] - 1.5).abs() < 1e-9);
    assert_eq!(a.coefficients.drift, b.coefficients.drift);
}

fn run(arguments: &[&std::ffi::OsStr]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_singlim"));
    let output = command
        .current_dir(root())
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_loss_with_a_kink_is_warned_of_and_one_without_is_not() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("kink.toml");
    for (v, kink) in [("abs(v)", true), ("v", false)] {
        let text = model(&format!(
            "start = [2.0, 0.5]\nloss = \"0.5*(u*{v} - 1 - e)^2\"\n[[noise]]\nkind = \"formula\"\nlaw = \"gaussian\""
        ));
        std::fs::write(&path, format!("{text}{LADDER}")).unwrap();
        let told = run(&["predict".as_ref(), path.as_os_str()]);
        assert_eq!(told.contains("singlim explain piecewise-smooth"), kink);
    }
}

/// −ln(1 − ½(1 − e⁻¹))/(α²σ²) = 0.380/(0.005·0.3)² = 1.69e5, as with the built-in model.
#[test]
fn a_plan_of_a_formula_needs_the_iterations_of_its_closed_form() {
    let scenario = "scenarios/formulas/label-noise.toml";
    let text = run(&["plan", scenario, "--iterations", "5000"].map(AsRef::as_ref));
    let headline = format!(
        "{scenario}: At α = 0.005 the effect of formula noise on imbalance needs 1.7e5 iterations to show 50 %"
    );
    assert!(text.starts_with(&headline), "{text}");
}

#[test]
fn losses_that_are_no_losses_are_refused_with_the_numbers() {
    let loss = |loss: &str| refusal(&model(&format!("start = [2.0, 0.5]\nloss = \"{loss}\"")));
    // A minimum above zero.
    let above = loss("0.5*(u*v - 1 - e)^2 + 0.1");
    assert!(
        above.contains("does not reach zero") && above.contains("L = 1.000e-1"),
        "{above}"
    );
    // One below zero, from a start where the loss is positive, and one on the minimum.
    for text in ["0.5*(u*v - 3 - e)^2 - 0.1", "0.5*(u*v - 1 - e)^2 - 0.1"] {
        let below = loss(text);
        assert!(below.contains("the loss is negative"), "{text}: {below}");
    }
    // Zero where it starts, but not a minimum.
    for text in ["-(u*v - 1 - e)^2", "0.5*(u*v - 1 - e)^2 - (u - 4*v)^2"] {
        let saddle = loss(text);
        assert!(
            saddle.contains("H has the negative eigenvalue -"),
            "{text}: {saddle}"
        );
    }
    // No residuals at all.
    let none = refusal(&model(
        "start = [2.0, 0.5]\nresiduals = [\"u*v - 1 - e for i=2..1\"]",
    ));
    assert!(none.contains("there are no residuals"), "{none}");
    // Two losses that are not the same.
    let two = refusal(&model(
        "start = [2.0, 0.6]\nloss = \"(u*v - 1 - e)^2\"\nresiduals = [\"u*v - 1 - e\"]",
    ));
    assert!(
        two.contains("`loss` is 4.000000e-2") && two.contains("is 2.000000e-2"),
        "{two}"
    );
    // Another start value at zero noise.
    let noise = loss("0.5*(u*v - 1)^2 + sin(e)/e");
    assert!(
        noise.contains("not defined at the start: a division by zero"),
        "{noise}"
    );
}

/// The same regression by a loss and by residuals: the row space and the dense algebra agree.
#[test]
fn residuals_give_the_limit_of_the_loss() {
    let both = |how: &str| {
        let text = format!(
            "[observables]\nnorm = \"norm\"\n[model]\nkind = \"formula\"\nparameters = [\"u[1..4]\", \"v[1..4]\"]\n\
             noise = [\"e[1..2]\"]\nstart = {{ u = 0.9, v = 0.3 }}\n{how}\n[model.constants]\nX = [[1.0, 2.0, -1.0, 0.5], [0.3, -1.0, 1.0, 2.0]]\n\
             y = [1.5, 0.5]\n[model.let]\n\"b[j=1..4]\" = \"u[j]^2 - v[j]^2\"\n"
        );
        study(&text).unwrap()
    };
    for noise in ["formula", "anti-pgd", "dropconnect", "sgld"] {
        for law in ["gaussian", "bernoulli"] {
            if law == "bernoulli" && !matches!(noise, "formula" | "dropconnect") {
                continue;
            }
            let put = |text: &str| {
                let study = both(text);
                let mut spec = study.spec.clone();
                spec.noise[0].kind = singlim::noise::Mechanism::EVERY
                    .into_iter()
                    .find(|m| m.name() == noise)
                    .unwrap();
                spec.noise[0].law = if law == "gaussian" {
                    singlim::random::Law::Gaussian
                } else {
                    singlim::random::Law::Bernoulli
                };
                spec.noise[0].scale = 1.5;
                let study = Study::resolve(spec, study.source.clone()).unwrap();
                let prediction = predict(&study).unwrap();
                (study, prediction)
            };
            let (dense_study, dense) =
                put("loss = \"sum(i=1..2, (dot(X[i], b)*(1 + e[i]) - y[i])^2)/4\"");
            let (rows_study, rows) =
                put("residuals = [\"dot(X[i], b)*(1 + e[i]) - y[i] for i=1..2\"]");
            assert!(dense_study.noisy.model().least_squares().is_none());
            assert!(rows_study.noisy.model().least_squares().is_some());
            assert_eq!(
                (dense.rank, dense.regime()),
                (rows.rank, rows.regime()),
                "{noise} {law}"
            );
            let pairs = [
                (&dense.landing, &rows.landing),
                (&dense.coefficients.drift, &rows.coefficients.drift),
            ];
            for (a, b) in pairs {
                assert!(
                    (a - b).norm() <= 1e-7 * (1.0 + a.norm()),
                    "{noise} {law}: {a} {b}"
                );
            }
            assert!(
                close(dense.regularizer, rows.regularizer, 1e-8),
                "{noise} {law}"
            );
        }
    }
}

#[test]
fn predict_prints_gradient_and_regulariser_as_on_paper() {
    let text = model("start = [2.0, 0.5]\nloss = \"0.5*((u + e)*v - 1)^2\"");
    let study = study(&text).unwrap();
    let prediction = predict(&study).unwrap();
    let printed = singlim::report::prediction_text(&study, &prediction);
    for line in [
        "L = 0.5·(u·v − 1)^2",
        "∂L/∂u = u·v^2 − v",
        "∂L/∂v = u^2·v − u",
        "Reg/σ² = 0.5·v^2",
        "\\mathrm{Reg} = \\tfrac{1}{2} v^{2}",
    ] {
        assert!(printed.contains(line), "no {line} in\n{printed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Weights and labels of residuals: the gradient is the derivative of the loss.
    #[test]
    fn the_sockets_of_residuals_are_those_of_a_regression(values in prop::collection::vec(-1.0..1.0f64, 12)) {
        let study = study(&model("start = [2.0, 0.5]\nresiduals = [\"u*v - 1 - e\", \"u*v^2*(1 + e) - 0.5\"]")).unwrap();
        let model = study.noisy.model();
        let (w, rest) = values.split_at(2);
        let noise = Injection { weights: &rest[..2], labels: &rest[2..4], formula: &rest[4..5], ..Injection::NONE };
        let mut gradient = vec![0.0; 2];
        model.gradient(w, &noise, &mut vec![0.0; model.scratch()], &mut gradient);
        let r = |w: &[f64]| {
            let (u, v, e) = (w[0], w[1], rest[4]);
            let r = [u * v - 1.0 - e - rest[2], u * v * v * (1.0 + e) - 0.5 - rest[3]];
            0.25 * ((1.0 + rest[0]) * r[0] * r[0] + (1.0 + rest[1]) * r[1] * r[1])
        };
        prop_assert!((model.loss(w, &noise) - r(w)).abs() < 1e-12);
        for i in 0..2 {
            let (mut up, mut down) = (w.to_vec(), w.to_vec());
            up[i] += 1e-5;
            down[i] -= 1e-5;
            let difference = (r(&up) - r(&down)) / 2e-5;
            prop_assert!((gradient[i] - difference).abs() < 1e-8, "{} {}", gradient[i], difference);
        }
    }
}

#[test]
fn an_observable_is_of_the_parameters_alone() {
    let text = "[model]\nkind = \"formula\"\nparameters = [\"u\", \"v\"]\nnoise = [\"e\"]\nstart = [2.0, 0.5]\n\
                loss = \"0.5*f^2\"\n[model.let]\nf = \"u*v - 1 - e\"\n[observables]\n";
    for (observable, line) in [("u + e", "f.toml:10:10:"), ("u + f", "f.toml:8:16:")] {
        let message = refusal(&format!("{text}q = \"{observable}\"\n"));
        assert!(
            message.starts_with(line) && message.contains("`e` is a noise"),
            "{message}"
        );
    }
}
