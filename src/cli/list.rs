//! `singlim list`: everything that a scenario can name, with formulas.

use std::fmt::Write;

use singlim::models::CARDS;
use singlim::noise::Mechanism;
use singlim::random::Law;
use singlim::scenario::{GENERIC_OBSERVABLES, integrators};

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
    for (name, formula) in [
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
    ] {
        let _ = writeln!(text, "  {name:<16} {formula}");
    }
    text
}
