//! `singlim list`: everything that a scenario can name, with formulas.

use std::fmt::Write;

use serde_json::json;
use singlim::models::CARDS;
use singlim::noise::Mechanism;
use singlim::random::Law;
use singlim::report::Sheet;
use singlim::scenario::{GENERIC_OBSERVABLES, integrators};

const SCHEDULES: [(&str, &str); 4] = [
    ("constant", "α_k = α"),
    (
        "polynomial",
        "α_k = α(1 + k/k₀)^−γ; options gamma, decay_time or decay_steps",
    ),
    (
        "piecewise",
        "α_k = α·factor; option pieces = [[from, factor], …]",
    ),
    (
        "cosine",
        "α_k = α(floor + (1 − floor)·½(1 + cos πk/K)); option floor",
    ),
];

/// All names as a table: what it is, of which model, name, meaning.
pub fn sheet() -> Sheet {
    let mut sheet = Sheet::new("names", ["kind", "of", "name", "meaning"]);
    let mut add = |kind: &str, of: Option<&str>, name: &str, meaning: &str| {
        let row = [json!(kind), json!(of), json!(name), json!(meaning)];
        sheet.rows.push(row.to_vec());
    };
    for card in CARDS {
        add("model", None, card.name, card.formula);
        for (name, meaning) in card.options {
            add("option", Some(card.name), name, meaning);
        }
        for (name, formula) in card.observables {
            add("observable", Some(card.name), name, formula);
        }
    }
    for mechanism in Mechanism::EVERY {
        add("noise", None, mechanism.name(), mechanism.formula());
    }
    for law in Law::ALL {
        add("law", None, law.name(), law.formula());
    }
    for (name, formula) in GENERIC_OBSERVABLES {
        add("observable", None, name, formula);
    }
    for (name, meaning) in integrators() {
        add("integrator", None, name, meaning);
    }
    for (name, formula) in SCHEDULES {
        add("schedule", None, name, formula);
    }
    sheet
}

/// All names for people.
pub fn text() -> String {
    let mut text = String::from("models (model.kind)\n");
    for card in CARDS {
        let _ = writeln!(text, "  {:<16} {}", card.name, card.formula);
        for (name, meaning) in card.options {
            let _ = writeln!(text, "  {:<16}   option {name}: {meaning}", "");
        }
        for (name, formula) in card.observables {
            let _ = writeln!(text, "  {:<16}   observable {name}: {formula}", "");
        }
    }
    text.push_str("\nnoises (noise.kind)\n");
    for mechanism in Mechanism::EVERY {
        let _ = writeln!(
            text,
            "  {:<16} {}; socket: {}",
            mechanism.name(),
            mechanism.formula(),
            mechanism.socket()
        );
    }
    text.push_str("\nlaws (noise.law)\n");
    for law in Law::ALL {
        let _ = writeln!(text, "  {:<16} {}", law.name(), law.formula());
    }
    text.push_str("\nobservables of every model (observables), beside the parameters by name\n");
    for (name, formula) in GENERIC_OBSERVABLES {
        let _ = writeln!(text, "  {name:<16} {formula}");
    }
    text.push_str("\nintegrators (limit.integrator)\n");
    for (name, meaning) in integrators() {
        let _ = writeln!(text, "  {name:<16} {meaning}");
    }
    text.push_str("\nschedules (schedule.kind)\n");
    for (name, formula) in SCHEDULES {
        let _ = writeln!(text, "  {name:<16} {formula}");
    }
    text
}
