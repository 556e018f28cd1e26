//! The full calibration: how often each planted fault is rejected in each kind of study, as a Markdown table.
//!
//! `cargo bench --bench calibration` takes some minutes; `-- --seeds 5` makes it shorter.

#[path = "../tests/common/mod.rs"]
mod common;

use common::faults::{FAULTS, STUDIES};
use common::verdict;
use rayon::prelude::*;
use singlim::statistics::Outcome;

fn main() {
    let seeds = seeds();
    let names: Vec<_> = STUDIES.iter().map(|(name, ..)| *name).collect();
    println!("Rejected + inconclusive of {seeds} seeds each; the rest pass.\n");
    println!("| fault | {} |", names.join(" | "));
    println!("|---|{}", "---|".repeat(names.len()));
    let none = ("none", "", &[0, 1, 2, 3, 4, 5][..]);
    for (fault, key, studies) in std::iter::once(&none).chain(&FAULTS) {
        let cells: Vec<String> = (0..STUDIES.len())
            .map(|study| {
                if studies.contains(&study) {
                    share(study, key, seeds)
                } else {
                    "—".into()
                }
            })
            .collect();
        println!("| {fault} | {} |", cells.join(" | "));
    }
    let drift: Vec<String> = STUDIES
        .iter()
        .map(|(_, scenario, set)| {
            let power = verdict(scenario, set, 1)
                .power
                .and_then(|power| power.drift);
            power.map_or("—".into(), |error| format!("× {:.2}", 1.0 + error))
        })
        .collect();
    println!(
        "| *drift that is rejected with probability 0.95, as stated* | {} |",
        drift.join(" | ")
    );
}

fn share(study: usize, key: &str, seeds: u64) -> String {
    let (_, scenario, set) = STUDIES[study];
    let fault = if key.is_empty() { vec![] } else { vec![key] };
    let outcomes: Vec<Outcome> = (0..seeds)
        .into_par_iter()
        .map(|seed| verdict(scenario, &[set, &fault].concat(), 100 + seed).verdict)
        .collect();
    let count = |wanted| {
        outcomes
            .iter()
            .filter(|&&outcome| outcome == wanted)
            .count()
    };
    let (rejected, open) = (count(Outcome::Rejected), count(Outcome::Inconclusive));
    format!("{rejected} + {open}")
}

fn seeds() -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--seeds");
    arguments.nth(1).and_then(|n| n.parse().ok()).unwrap_or(20)
}
