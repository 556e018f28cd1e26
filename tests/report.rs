//! `report.html`, `plots/`, `singlim report` and `singlim plot`: from a small run to what is to be looked at.
//!
//! That a browser shows it is tested by `tests/browser/check_report.py`.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::OnceLock;
use std::time::Duration;

use assert_cmd::{Command, cargo::cargo_bin_cmd};
use predicates::prelude::*;
use quick_xml::events::Event;
use tempfile::{TempDir, tempdir};

const SMALL: &str = r#"title = "small & <sharp>"
seed = 1
observables = ["imbalance", "u"]
[model]
kind = "product"
start = { u = 2.0, v = 0.5 }
[[noise]]
kind = "label"
[ladder]
step_sizes = [0.16, 0.08, 0.04, 0.02]
sigma = 0.3
sigma_factors = [0.5]
horizon = 0.05
records = 2
paths = 16
[expect]
regime = "degenerate"
order = 1.0
"#;

/// All that a small run of a model with two parameters gives.
const FIGURES: [&str; 7] = [
    "collapse",
    "iterations",
    "law",
    "order",
    "plane",
    "slow-time",
    "time-to-share",
];

/// Two runs that all tests read and none changes: `run` of label noise, `other` of Langevin noise.
fn home() -> &'static Path {
    static HOME: OnceLock<TempDir> = OnceLock::new();
    let home = HOME.get_or_init(|| {
        let home = tempdir().unwrap();
        fs::write(home.path().join("small.toml"), SMALL).unwrap();
        let run = |args: &[&str]| {
            let output = singlim(home.path(), args);
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 1 | 3)), "{}", text(&output.stderr));
        };
        run(&["verify", "small.toml", "--out", "run"]);
        let langevin = [
            "--set",
            "noise.0.kind=sgld",
            "--set",
            "limit.time_step=0.001",
        ];
        run(&[&["verify", "small.toml", "--out", "other"], &langevin[..]].concat());
        home
    });
    home.path()
}

fn singlim(folder: &Path, args: &[&str]) -> Output {
    let mut command: Command = cargo_bin_cmd!("singlim");
    command
        .current_dir(folder)
        .timeout(Duration::from_secs(120))
        .args(args)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read(name: &str) -> String {
    fs::read_to_string(home().join(name)).unwrap()
}

/// The texts of all elements of one name in a document, which must be well-formed.
fn texts_of(xml: &str, element: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let (mut inside, mut texts) = (false, Vec::new());
    loop {
        match reader.read_event().expect("well-formed XML") {
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
            Event::Eof => return texts,
            _ => (),
        }
    }
}

mod after_verify {
    use super::*;

    #[test]
    fn every_figure_is_there_as_vectors_and_as_an_image() {
        let mut names: Vec<String> = fs::read_dir(home().join("run/plots"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut expected: Vec<String> = FIGURES
            .iter()
            .flat_map(|name| ["png", "svg"].map(|ending| format!("{name}.{ending}")))
            .collect();
        expected.sort();
        assert_eq!(names, expected);
        for name in FIGURES {
            let png = fs::read(home().join(format!("run/plots/{name}.png"))).unwrap();
            assert_eq!(&png[1..4], b"PNG", "{name}");
            assert!(png.len() > 10_000, "{name} is not empty");
        }
    }

    #[test]
    fn vectors_are_xml_with_titles_descriptions_and_the_rungs() {
        for name in FIGURES {
            let svg = read(&format!("run/plots/{name}.svg"));
            assert_eq!(texts_of(&svg, "desc").len(), 1, "{name}");
            assert!(texts_of(&svg, "desc")[0].len() > 40, "{name}");
            let titles = texts_of(&svg, "title");
            assert!(!titles[0].is_empty(), "{name}");
            assert!(
                !texts_of(&svg, "text").is_empty(),
                "{name}: text stays text"
            );
            let rungs: &[&str] = if name == "plane" {
                &["iterates, α = 0.16", "iterates, α = 0.02"]
            } else {
                &["α = 0.16", "α = 0.08", "α = 0.04", "α = 0.02"]
            };
            for rung in rungs {
                assert!(titles.iter().any(|title| title == rung), "{name}: {rung}");
            }
            assert!(!svg.contains("NaN"), "{name}");
        }
    }

    #[test]
    fn a_rung_has_one_colour_in_all_figures() {
        for name in FIGURES.into_iter().filter(|name| *name != "plane") {
            let svg = read(&format!("run/plots/{name}.svg"));
            let from = svg.find("<title>α = 0.16</title>").unwrap();
            let group = &svg[from..];
            let group = &group[..group.find("</g>").unwrap()];
            assert!(group.contains("#0072B2"), "{name}: {group}");
        }
    }

    #[test]
    fn the_report_opens_with_the_verdict_and_what_it_rests_on() {
        let html = read("run/report.html");
        let verdict: serde_json::Value = serde_json::from_str(&read("run/verdict.json")).unwrap();
        let sentence = verdict["sentence"].as_str().unwrap();
        let at = |needle: &str| html.find(needle).unwrap_or_else(|| panic!("{needle}"));
        assert!(at(&sentence[1..60].replace('\'', "&apos;")) < at("This rests on"));
        assert!(at("This rests on") < at("<h2 id=\"figures\">"));
        for heading in ["checks", "budget", "power", "run"] {
            at(&format!("<h2 id=\"{heading}\">"));
        }
        for name in FIGURES {
            at(&format!("<figure id=\"figure-{name}\">"));
        }
        at("<td>loss</td><td>product: L = ½(uv − 1)², Γ = {uv = 1}</td>");
    }

    #[test]
    fn the_report_is_one_file_that_asks_for_nothing() {
        let html = read("run/report.html");
        let before_plotly = &html[..html.find("id=\"plotly\"").unwrap()];
        for needle in [
            "src=\"http",
            "@import",
            "url(http",
            "<link rel=\"stylesheet\"",
        ] {
            assert!(!before_plotly.contains(needle), "{needle}");
        }
        assert!(html.len() < 4_000_000, "{} bytes", html.len());
    }

    #[test]
    fn titles_are_text_and_not_markup() {
        let html = read("run/report.html");
        assert!(html.contains("<h1>small &amp; &lt;sharp&gt;</h1>"));
        assert!(!html.contains("<sharp>"));
    }

    #[test]
    fn every_figure_has_an_alternative_text_twice() {
        let html = read("run/report.html");
        assert_eq!(
            html.matches("role=\"img\" aria-label=\"").count(),
            FIGURES.len()
        );
        assert_eq!(
            html.matches("role=\"img\" aria-labelledby=\"").count(),
            FIGURES.len()
        );
        assert!(!html.contains("aria-label=\"\""));
    }
}

mod report {
    use super::*;

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
            }
        }
    }

    #[test]
    fn it_is_rebuilt_from_the_run_folder_alone() {
        let place = tempdir().unwrap();
        let run = place.path().join("run");
        copy(&home().join("run"), &run);
        let before = fs::read(run.join("report.html")).unwrap();
        fs::remove_file(run.join("report.html")).unwrap();
        // Nothing of the paths is needed.
        fs::remove_file(run.join("samples.csv.gz")).unwrap();
        let output = singlim(place.path(), &["report", "run"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("report.html"));
        assert_eq!(fs::read(run.join("report.html")).unwrap(), before);
        assert!(run.join("plots/order.svg").exists());
    }

    #[test]
    fn a_run_without_evidence_for_a_figure_goes_without_it() {
        let place = tempdir().unwrap();
        let run = place.path().join("run");
        copy(&home().join("run"), &run);
        fs::create_dir_all(run.join("plots")).unwrap();
        fs::write(run.join("plots/plane.svg"), "of an earlier run").unwrap();
        for table in ["plane", "density", "quantiles", "rungs", "curve", "bands"] {
            fs::remove_file(run.join(format!("{table}.csv"))).unwrap();
        }
        let output = singlim(place.path(), &["report", "run"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(!run.join("plots/plane.svg").exists());
        assert!(run.join("plots/slow-time.svg").exists());
        let html = fs::read_to_string(run.join("report.html")).unwrap();
        assert!(!html.contains("figure-plane") && html.contains("figure-slow-time"));
    }

    #[test]
    fn several_runs_make_one_page_with_their_noises_side_by_side() {
        let place = tempdir().unwrap();
        let [run, other] = ["run", "other"].map(|name| home().join(name).display().to_string());
        let args = ["report", &run, &other, "--out", "page.html"];
        let output = singlim(place.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let html = fs::read_to_string(place.path().join("page.html")).unwrap();
        for needle in [
            "2 runs side by side",
            "label, α = 0.02",
            "sgld, α = 0.02",
            "Noises side by side: imbalance",
        ] {
            assert!(html.contains(needle), "{needle}");
        }
        let output = singlim(place.path(), &args);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("--force"));
        let output = singlim(place.path(), &[&args[..], &["--force"]].concat());
        assert_eq!(output.status.code(), Some(0));
    }

    #[test]
    fn p_values_are_drawn_where_a_calibration_is() {
        let place = tempdir().unwrap();
        let run = place.path().join("run");
        copy(&home().join("run"), &run);
        let mut table = String::from("test,p_value\n");
        for i in 0..100 {
            table += &format!("mean,{}\n", f64::from(i) / 100.0 + 0.005);
        }
        fs::write(run.join("calibration.csv"), table).unwrap();
        let output = singlim(place.path(), &["report", "run"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(run.join("plots/p-values.png").exists());
    }

    #[test]
    fn a_folder_that_is_no_run_is_refused() {
        let place = tempdir().unwrap();
        let output = singlim(place.path(), &["report", "."]);
        assert_eq!(output.status.code(), Some(2));
        let says =
            predicate::str::contains("manifest.json").and(predicate::str::contains("run folder"));
        assert!(says.eval(&text(&output.stderr)), "{}", text(&output.stderr));
    }
}

mod plot {
    use super::*;

    #[test]
    fn one_figure_with_a_font_size() {
        let place = tempdir().unwrap();
        let run = home().join("run").display().to_string();
        let args = [
            "plot",
            &run,
            "--figure",
            "order",
            "--format",
            "svg",
            "--font-size",
            "13",
            "--out",
            "order.svg",
        ];
        let output = singlim(place.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let svg = fs::read_to_string(place.path().join("order.svg")).unwrap();
        assert!(svg.contains("font-size=\"13\""));
        assert!(!texts_of(&svg, "text").is_empty());
        let args = [
            "plot", &run, "--figure", "law", "--format", "png", "--out", "law.png",
        ];
        assert_eq!(singlim(place.path(), &args).status.code(), Some(0));
        let png = fs::read(place.path().join("law.png")).unwrap();
        assert_eq!(&png[1..4], b"PNG");
    }

    #[test]
    fn mistakes_say_what_would_do() {
        let run = home().join("run").display().to_string();
        for (args, needle) in [
            (
                vec!["plot", &run, "--figure", "ordr"],
                "did you mean `order`?",
            ),
            (
                vec!["plot", &run, "--figure", "p-values"],
                "calibration.csv",
            ),
            (
                vec!["plot", "nowhere", "--figure", "order"],
                "manifest.json",
            ),
            (
                vec!["plot", &run, "--figure", "order", "--font-size", "0"],
                "between 4 and 40",
            ),
            (
                vec!["plot", &run, "--figure", "order", "--format", "pdf"],
                "svg",
            ),
        ] {
            let output = singlim(home(), &args);
            assert_eq!(output.status.code(), Some(2), "{args:?}");
            assert!(
                text(&output.stderr).contains(needle),
                "{args:?}: {}",
                text(&output.stderr)
            );
        }
    }
}
