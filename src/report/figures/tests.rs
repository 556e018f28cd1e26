//! The figures of a small made-up run: what is in them, in which role, and what they do without some of the data.

use super::*;
use crate::report::stored::{StoredRun, StoredTable};

/// Every name that a figure's legend shows.
pub fn legend(figure: &Figure) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for series in figure.panels.iter().flat_map(|panel| &panel.series) {
        if !series.name.is_empty() && !names.contains(&series.name.as_str()) {
            names.push(&series.name);
        }
    }
    names
}

const RUNGS: &str = "level,arm,step_size,sigma,paths
0,step size,0.2,0.3,10
1,step size,0.1,0.3,10
2,sigma,0.1,0.15,10
";
const SUMMARY: &str = "process,level,step_size,sigma,iteration,slow_time,alpha_sigma2,alpha2_sigma2,observable,mean,std_error
descent,0,0.2,0.3,10,0.5,1,0.5,x,2.5,0.1
descent,0,0.2,0.3,20,1.0,2,1.0,x,2.1,0.1
descent,1,0.1,0.3,40,0.5,2,0.5,x,2.4,0.1
descent,1,0.1,0.3,80,1.0,4,1.0,x,2.05,0.1
descent,2,0.1,0.15,160,0.5,2,0.5,x,2.4,0.1
limit,,,,,0,,,x,3,
limit,,,,,0.5,,,x,2.3,
limit,,,,,1.0,,,x,2.0,
";
const ERRORS: &str = "observable,moment,level,step_size,sigma,slow_time,error,std_error,above_floor
x,mean,0,0.2,0.3,0.5,-0.2,0.01,true
x,mean,0,0.2,0.3,1.0,0.1,0.01,true
x,mean,1,0.1,0.3,1.0,-0.02,0.01,false
";
const ORDERS: &str = "observable,slow_time,order,resampled_lower,resampled_upper,joint_coefficient
x,0.5,1.1,0.9,1.3,0.5
x,1.0,,0.2,8,0.5
joint,,1.05,1.0,1.2,
";
const EXPONENTS: &str = "step_size,sigma,iterations,std_error,fitted
0.2,0.3,20,1,21
0.1,0.3,80,2,79
0.1,0.15,320,4,321
";
const LAWS: &str = "process,level,step_size,sigma,observable,probability,value,lower,upper
descent,0,0.2,0.3,x,0.5,2.1,2.0,2.2
descent,1,0.1,0.3,x,0.5,2.05,2.0,2.1
limit,,,,x,0.5,2,LOWER,UPPER
";
const DENSITY: &str = "process,level,step_size,sigma,observable,from,to,density,std_error
descent,0,0.2,0.3,x,1,2,0.5,0.1
descent,0,0.2,0.3,x,2,3,0.5,0.1
";

fn run(tables: &[(&'static str, &str)]) -> StoredRun {
    let parse = |text: &str| StoredTable::parse(text.as_bytes()).unwrap();
    let tables = tables.iter().map(|(name, text)| (*name, parse(text)));
    StoredRun::made_up(tables.collect())
}

fn roles(panel: &Panel) -> Vec<Role> {
    panel.series.iter().map(|series| series.role).collect()
}

#[test]
fn words_are_listed() {
    let words = ["a", "b", "c"].map(String::from);
    assert_eq!(listed(&words), "a, b and c");
    assert_eq!(listed(&words[..1]), "a");
    assert_eq!(listed(&[]), "");
}

#[test]
fn what_is_empty_is_not_added() {
    let mut panel = Panel::new("", Axis::linear("x"), Axis::log("y"));
    panel.add("none", Role::Limit, Shape::Line(Vec::new()));
    panel.add("some", Role::Limit, Shape::Horizontal(1.0));
    assert_eq!(panel.series.len(), 1);
}

#[test]
fn a_run_without_tables_has_no_figures_and_says_so() {
    let run = run(&[]);
    assert!(all(&run).is_empty());
    for name in names() {
        let error = one(&run, name).unwrap_err().to_string();
        assert!(error.contains("has no data"), "{error}");
    }
    let error = one(&run, "colapse").unwrap_err().to_string();
    assert!(error.contains("did you mean `collapse`?"), "{error}");
}

#[test]
fn the_limit_is_in_front_of_the_ladder() {
    let run = run(&[("rungs", RUNGS), ("summary", SUMMARY)]);
    let figure = one(&run, "slow-time").unwrap();
    let roles = roles(&figure.panels[0]);
    assert_eq!(
        roles,
        [Role::Rung(0), Role::Rung(1), Role::Limit],
        "the further σ is left out"
    );
    assert!(figure.alt.contains("from 3.000 to 2.000"), "{}", figure.alt);
}

#[test]
fn against_iterations_each_rung_has_its_own_limit() {
    let run = run(&[("rungs", RUNGS), ("summary", SUMMARY)]);
    let figure = one(&run, "iterations").unwrap();
    assert!(figure.panels[0].x.log);
    let limit = figure.panels[0]
        .series
        .iter()
        .find(|series| series.role == Role::LimitOf(1));
    let Shape::Line(points) = &limit.unwrap().shape else {
        panic!("a line")
    };
    assert_eq!(points, &[(40.0, 2.3), (80.0, 2.0)]);
}

#[test]
fn censored_rungs_are_hollow_and_the_fit_has_its_interval() {
    let run = run(&[("rungs", RUNGS), ("errors", ERRORS), ("orders", ORDERS)]);
    let figure = one(&run, "order").unwrap();
    let panel = &figure.panels[0];
    let point = |role| {
        let mut own = panel.series.iter().filter(|series| series.role == role);
        match &own.next().unwrap().shape {
            Shape::Points { points, .. } => points[0].clone(),
            other => panic!("{other:?}"),
        }
    };
    let (first, second) = (point(Role::Rung(0)), point(Role::Rung(1)));
    assert_eq!(
        (first.x, first.y, first.hollow),
        (0.2, 0.1, false),
        "at the horizon"
    );
    assert_eq!((second.y, second.hollow), (0.02, true));
    assert!(second.y_ends.unwrap().0 > 0.0, "on a logarithmic axis");
    assert!(legend(&figure).contains(&"noise floor"));
    assert!(legend(&figure).contains(&"joint order p = 1.050 [1.000, 1.200]"));
    assert_eq!(
        figure.panels[1].y.names.len(),
        2,
        "a series without an order has no row"
    );
}

#[test]
fn laws_are_compared_by_quantiles_with_a_random_limit_or_with_a_value() {
    let random = LAWS.replace("LOWER", "1.9").replace("UPPER", "2.1");
    let figure = one(
        &run(&[
            ("rungs", RUNGS),
            ("summary", SUMMARY),
            ("quantiles", &random),
            ("density", DENSITY),
        ]),
        "law",
    );
    let figure = figure.unwrap();
    assert_eq!(figure.panels.len(), 2);
    assert!(figure.panels[1].x.label.contains("quantile of the limit"));
    let value = LAWS.replace("LOWER", "").replace("UPPER", "");
    let figure = one(
        &run(&[
            ("rungs", RUNGS),
            ("summary", SUMMARY),
            ("quantiles", &value),
            ("density", DENSITY),
        ]),
        "law",
    );
    let figure = figure.unwrap();
    assert_eq!(figure.panels[1].x.label, "probability");
    let front = figure.panels[0].series.last().unwrap();
    assert!(matches!(front.shape, Shape::Vertical(x) if x == 2.0));
}

#[test]
fn times_are_shown_against_both_steps_and_noise() {
    let run = run(&[("rungs", RUNGS), ("exponents", EXPONENTS)]);
    let figure = one(&run, "time-to-share").unwrap();
    assert_eq!(figure.panels.len(), 2);
    let rungs = |panel: &Panel| {
        let roles = roles(panel).into_iter();
        roles
            .filter(|role| matches!(role, Role::Rung(_)))
            .collect::<Vec<_>>()
    };
    assert_eq!(rungs(&figure.panels[0]), [Role::Rung(0), Role::Rung(1)]);
    assert_eq!(rungs(&figure.panels[1]), [Role::Rung(1), Role::Rung(2)]);
}

#[test]
fn p_values_follow_the_diagonal() {
    let run = run(&[("calibration", "test,p_value\nmean,0.25\nmean,0.75\nmean,\n")]);
    let figure = one(&run, "p-values").unwrap();
    let Shape::Line(steps) = &figure.panels[0].series.last().unwrap().shape else {
        panic!("a line")
    };
    assert_eq!(
        steps,
        &[
            (0.0, 0.0),
            (0.25, 0.0),
            (0.25, 0.5),
            (0.75, 0.5),
            (0.75, 1.0),
            (1.0, 1.0)
        ]
    );
    assert!(figure.alt.contains("0.2500 away"), "{}", figure.alt);
}

#[test]
fn runs_are_compared_on_three_clocks() {
    let one = || run(&[("rungs", RUNGS), ("summary", SUMMARY)]);
    let runs = [one(), one()];
    let figures = noises(&runs);
    assert_eq!(figures.len(), 1);
    assert_eq!(figures[0].panels.len(), 3);
    let ends = settled(&runs);
    assert_eq!(
        (ends.len(), ends[0].mean, ends[0].iterations),
        (2, 2.05, 80.0)
    );
}

#[test]
fn every_figure_of_the_run_can_be_drawn() {
    let value = LAWS.replace("LOWER", "").replace("UPPER", "");
    let run = run(&[
        ("rungs", RUNGS),
        ("summary", SUMMARY),
        ("errors", ERRORS),
        ("orders", ORDERS),
        ("exponents", EXPONENTS),
        ("quantiles", &value),
        ("density", DENSITY),
    ]);
    let figures = all(&run);
    let names: Vec<&str> = figures.iter().map(|figure| figure.name).collect();
    assert_eq!(
        names,
        ["slow-time", "iterations", "order", "law", "time-to-share"]
    );
    for figure in figures {
        assert!(figure.alt.len() > 40 && !figure.caption.is_empty() && !figure.files.is_empty());
        assert!(!figure.panels.is_empty() && figure.columns > 0);
    }
}
