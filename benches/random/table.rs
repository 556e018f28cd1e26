//! The table of all tests, and the verdict by Holm's procedure.

use comfy_table::{Table, presets};
use singlim::statistics::holm;

/// The declared probability that a perfect generator is rejected, whatever the number of tests.
pub const LEVEL: f64 = 1e-6;

/// One test of one generator.
#[derive(Clone)]
pub struct Row {
    pub generator: String,
    pub test: String,
    /// How many draws it saw.
    pub draws: f64,
    pub found: String,
    pub p: f64,
}

/// Several tests of one generator.
pub struct Rows {
    pub generator: String,
    pub draws: f64,
    pub rows: Vec<Row>,
}

impl Rows {
    pub fn new(generator: &str, draws: f64) -> Self {
        Self {
            generator: generator.into(),
            draws,
            rows: Vec::new(),
        }
    }

    pub fn add(&mut self, test: &str, found: String, p: f64) {
        self.rows.push(Row {
            generator: self.generator.clone(),
            test: test.into(),
            draws: self.draws,
            found,
            // No number at all is the worst that can be found.
            p: if p.is_nan() { 0.0 } else { p },
        });
    }

    /// A sum of squares of independent standard normal numbers.
    pub fn add_squares(&mut self, test: &str, z: &[f64]) {
        let (sum, p) = super::p_values::sum_of_squares(z);
        self.add(test, format!("χ²({}) = {sum:.1}", z.len()), p);
    }
}

/// The p-values adjusted by Holm.
pub fn adjusted(rows: &[Row]) -> Vec<f64> {
    let p: Vec<f64> = rows.iter().map(|row| row.p).collect();
    holm(&p).expect("p-values lie between 0 and 1")
}

pub fn rejects(rows: &[Row]) -> bool {
    adjusted(rows).iter().any(|&p| p <= LEVEL)
}

pub fn print(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    println!("{table}\n");
}

/// Every test, with p-values adjusted over all of them.
pub fn print_tests(rows: &[Row]) {
    let adjusted = adjusted(rows);
    let cells = |(row, adjusted): (&Row, f64)| {
        vec![
            row.generator.clone(),
            row.test.clone(),
            format!("{:.0e}", row.draws),
            row.found.clone(),
            format!("{:.3}", Digits(row.p)),
            format!("{:.1}", Digits(adjusted)),
        ]
    };
    let header = ["generator", "test", "draws", "found", "p", "by Holm"];
    print(&header, rows.iter().zip(adjusted).map(cells));
}

/// A probability: decimals, or a power of ten where it is small.
pub struct Digits(pub f64);

impl std::fmt::Display for Digits {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(3);
        if self.0 < 0.01 {
            write!(f, "{:.1e}", self.0)
        } else {
            write!(f, "{:.digits$}", self.0)
        }
    }
}

/// One line for each generator: how many tests, and the worst of them.
pub fn print_summary(rows: &[Row]) {
    let mut generators: Vec<&str> = rows.iter().map(|row| row.generator.as_str()).collect();
    generators.dedup();
    let line = |generator: &str| {
        let mine: Vec<Row> = rows
            .iter()
            .filter(|row| row.generator == generator)
            .cloned()
            .collect();
        let worst = mine
            .iter()
            .min_by(|a, b| a.p.total_cmp(&b.p))
            .expect("a test");
        vec![
            generator.to_string(),
            format!("{:.0e}", worst.draws),
            mine.len().to_string(),
            format!("{:.3}", Digits(worst.p)),
            worst.test.clone(),
            if rejects(&mine) { "rejected" } else { "pass" }.into(),
        ]
    };
    let header = ["generator", "draws", "tests", "smallest p", "of", "verdict"];
    print(&header, generators.into_iter().map(line));
}
