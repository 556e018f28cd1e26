//! What results depend on, and what they do not.

use super::*;

/// Deterministic limit, stochastic limit, trivial regime.
const NOISES: [&str; 3] = ["label", "sgld", "minibatch"];

#[test]
fn results_are_the_same_bits_for_any_number_of_threads() {
    let home = Home::new();
    for noise in NOISES {
        let set = format!("noise.0.kind={noise}");
        for threads in ["1", "2"] {
            let out = format!("{noise}-{threads}");
            home.run(&[
                "verify",
                "small.toml",
                "--out",
                &out,
                "--threads",
                threads,
                "--set",
                &set,
                "--set",
                "ladder.paths=40",
                "--set",
                "ladder.horizon=0.1",
            ]);
        }
        let files = names(&home.path(&format!("{noise}-1")));
        assert_eq!(files, names(&home.path(&format!("{noise}-2"))));
        // The manifest and the report tell the time; the plots are drawn from the tables.
        let told = |name: &&String| !["manifest.json", "report.html", "plots"].contains(&&***name);
        for file in files.iter().filter(told) {
            let bytes =
                |threads| fs::read(home.path(&format!("{noise}-{threads}")).join(file)).unwrap();
            assert!(bytes("1") == bytes("2"), "{file} with {noise} noise");
        }
    }
}

#[test]
fn another_seed_gives_other_samples() {
    let home = Home::new();
    for noise in NOISES {
        let set = format!("noise.0.kind={noise}");
        let samples = |seed: &str| {
            let out = format!("{noise}-{seed}");
            home.run(&[
                "verify",
                "small.toml",
                "--out",
                &out,
                "--seed",
                seed,
                "--set",
                &set,
            ]);
            home.table(&format!("{out}/samples.csv.gz"))
        };
        let (one, two) = (samples("1"), samples("2"));
        let differ = |process: &str| {
            let of = |table: &Table| {
                let rows = table.rows.iter().filter(|row| row[0] == process);
                rows.map(|row| row[5].clone()).collect::<Vec<_>>()
            };
            of(&one) != of(&two)
        };
        // Minibatch noise does not move iterates that begin on Γ.
        assert_eq!(differ("descent"), noise != "minibatch", "{noise}");
        assert_eq!(differ("limit"), noise == "sgld", "{noise}");
    }
}
