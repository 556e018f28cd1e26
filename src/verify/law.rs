//! Laws of the iterates against those of a stochastic limit: at the horizon one observable at a time and all together, and
//! of whole paths.
//!
//! Checked on the finest rung: the Wasserstein-1 and the Kolmogorov–Smirnov distance of each observable, and the sliced
//! Wasserstein-1 distance of all that spread in the limit, each against its margin. `laws.csv` has these and further
//! distances on every rung, with intervals, floors and the permutation p-values of exactly equal laws. Those are evidence
//! and no check: at a step size > 0 the laws do differ, and enough paths show it.

use super::{Check, Evidence, Table};
use crate::simulate::{LevelRun, Samples};
use crate::statistics::{
    Distance, DistanceEstimate, Effort, Outcome, Points, StatisticsError, distances_to_reference,
    standard_deviation_with_error,
};

/// Permutations, of which the p-values are multiples of 1/200.
const PERMUTATIONS: usize = 199;
/// Resamples of each interval, more where the level asks for it.
const RESAMPLES: usize = 200;
/// Splits of the limit's paths into halves, which gives floors to some percent.
const SPLITS: usize = 20;
/// Resamples of a distance that seems to exceed its margin: p-values down to 1/5001 stand against a hundred others.
const TAIL_RESAMPLES: usize = 5_000;
/// Paths for the sliced distance, at most: the first ones of either side.
const SLICED_PATHS: usize = 10_000;
/// The same for sums over all pairs of paths, which cost their square.
const PAIRED_PATHS: usize = 1_000;
/// What varies less than this in the limit does not spread.
const NO_SPREAD: f64 = 1e-9;

/// An observable that spreads in the limit.
struct Spread<'a> {
    observable: usize,
    name: &'a str,
    /// Its standard deviation at the horizon in the limit of the finest rung: the unit of its values.
    unit: f64,
}

/// The distances on one rung.
struct Rung<'a> {
    run: &'a LevelRun,
    /// What is compared: an observable, or all.
    of: &'a str,
    law: &'static str,
    /// Paths of the iterates and of the limit that were compared.
    sizes: (usize, usize),
    /// Whether there are more.
    is_part: bool,
    distances: Vec<DistanceEstimate>,
}

/// All checks and the table `laws`.
pub(super) fn compare(evidence: &Evidence) -> (Vec<Check>, Table) {
    let spread = spread(evidence);
    let (mut checks, mut table) = (Vec::new(), Vec::new());
    for one in &spread {
        let rungs = ladder(evidence, |run| {
            let distances = [
                Distance::Wasserstein1,
                Distance::KolmogorovSmirnov,
                Distance::Energy,
                Distance::MeanDiscrepancy,
            ];
            let sides = at_the_horizon(evidence, run, std::slice::from_ref(one), usize::MAX);
            sides.measure(evidence, run, one.name, "horizon", &distances)
        });
        let margins = evidence.margins();
        for (name, distance, margin) in [
            ("law W1", Distance::Wasserstein1, margins.law),
            ("law KS", Distance::KolmogorovSmirnov, margins.ks),
        ] {
            let check = match &rungs {
                Ok(rungs) => check(
                    evidence,
                    std::slice::from_ref(one),
                    rungs,
                    name,
                    distance,
                    margin,
                ),
                Err(error) => Check::impossible(name, error),
            };
            checks.push(check.on(one.name));
        }
        table.extend(rungs.iter().flatten().flat_map(Rung::rows));
    }
    if spread.len() > 1 {
        let rungs = ladder(evidence, |run| {
            let sides = at_the_horizon(evidence, run, &spread, SLICED_PATHS);
            sides.measure(
                evidence,
                run,
                "joint",
                "horizon",
                &[Distance::SlicedWasserstein1],
            )
        });
        checks.push(match &rungs {
            Ok(rungs) => check(
                evidence,
                &spread,
                rungs,
                "joint law",
                Distance::SlicedWasserstein1,
                evidence.margins().law,
            ),
            Err(error) => Check::impossible("joint law", error),
        });
        let pairs = ladder(evidence, |run| {
            let sides = at_the_horizon(evidence, run, &spread, PAIRED_PATHS);
            let distances = [Distance::Energy, Distance::MeanDiscrepancy];
            sides.measure(evidence, run, "joint", "horizon", &distances)
        });
        for rungs in [&rungs, &pairs] {
            table.extend(rungs.iter().flatten().flat_map(Rung::rows));
        }
    }
    let finest = evidence.finest();
    for one in &spread {
        let Some(sides) = along_the_path(evidence, finest, one) else {
            continue;
        };
        if let Ok(rung) = sides.measure(evidence, finest, one.name, "path", &[Distance::Energy]) {
            table.extend(rung.rows());
        }
    }
    let header = vec![
        "level",
        "step_size",
        "law",
        "observable",
        "distance",
        "estimate",
        "lower",
        "upper",
        "floor",
        "p_same",
        "n",
        "m",
        "paths",
    ];
    let table = Table {
        name: "laws",
        header,
        rows: table,
    };
    (checks, table)
}

/// The observables whose laws at the horizon are no points.
fn spread<'a>(evidence: &Evidence<'a>) -> Vec<Spread<'a>> {
    let limit = evidence.limit_for(evidence.finest());
    let record = evidence.last_limit_record(evidence.finest());
    evidence
        .observables()
        .filter_map(|(observable, name)| {
            let reference = limit.samples.column(record, observable);
            let (unit, _) = standard_deviation_with_error(&reference).ok()?;
            (unit >= NO_SPREAD).then_some(Spread {
                observable,
                name,
                unit,
            })
        })
        .collect()
}

/// The same measurement on every rung, coarsest first.
fn ladder<'a>(
    evidence: &Evidence<'a>,
    measure: impl Fn(&'a LevelRun) -> Result<Rung<'a>, StatisticsError>,
) -> Result<Vec<Rung<'a>>, StatisticsError> {
    evidence.ladder.iter().map(|&run| measure(run)).collect()
}

/// What is compared of either side: rows of coordinates, one row a path.
struct Sides {
    iterates: Vec<f64>,
    limit: Vec<f64>,
    dimension: usize,
    /// Whether either side has more paths.
    is_part: bool,
}

impl Sides {
    /// The first `most` paths that are finite at all of the coordinates (record, observable, unit).
    fn new(
        iterates: (&Samples, &[(usize, usize, f64)]),
        limit: (&Samples, &[(usize, usize, f64)]),
        most: usize,
    ) -> Self {
        let mut is_part = false;
        let mut take = |(samples, coordinates): (&Samples, &[(usize, usize, f64)])| {
            let mut values = Vec::new();
            let mut paths = 0;
            for path in 0..samples.paths {
                let row = coordinates
                    .iter()
                    .map(|&(record, o, unit)| samples.value(path, record, o) / unit);
                if !row.clone().all(f64::is_finite) {
                    continue;
                }
                if paths == most {
                    is_part = true;
                    break;
                }
                paths += 1;
                values.extend(row);
            }
            values
        };
        Self {
            iterates: take(iterates),
            limit: take(limit),
            dimension: iterates.1.len(),
            is_part,
        }
    }

    fn distances(
        &self,
        distances: &[Distance],
        effort: Effort,
        seed: u64,
    ) -> Result<Vec<DistanceEstimate>, StatisticsError> {
        let iterates = Points::new(&self.iterates, self.dimension)?;
        let limit = Points::new(&self.limit, self.dimension)?;
        distances_to_reference(iterates, limit, distances, effort, seed)
    }

    fn measure<'a>(
        &self,
        evidence: &Evidence,
        run: &'a LevelRun,
        of: &'a str,
        law: &'static str,
        distances: &[Distance],
    ) -> Result<Rung<'a>, StatisticsError> {
        let level = evidence.margins().level;
        let effort = Effort {
            level,
            resamples: RESAMPLES.max((1.0 / level).ceil() as usize),
            permutations: PERMUTATIONS,
            splits: SPLITS,
        };
        Ok(Rung {
            run,
            of,
            law,
            sizes: (
                self.iterates.len() / self.dimension,
                self.limit.len() / self.dimension,
            ),
            is_part: self.is_part,
            distances: self.distances(distances, effort, evidence.study.spec.seed)?,
        })
    }
}

/// The values at the horizon in their units.
fn at_the_horizon(evidence: &Evidence, run: &LevelRun, of: &[Spread], most: usize) -> Sides {
    let limit = evidence.limit_for(run);
    let last = run.compared[run.compared.len() - 1];
    let at = |record| -> Vec<(usize, usize, f64)> {
        of.iter()
            .map(|one| (record, one.observable, one.unit))
            .collect()
    };
    let there = limit.record_at(run.slow_times[last]);
    Sides::new(
        (&run.samples, &at(last)),
        (&limit.samples, &at(there)),
        most,
    )
}

/// The values at all compared records at which the limit spreads, each in units of its standard deviation there; nothing
/// for fewer than two.
fn along_the_path(evidence: &Evidence, run: &LevelRun, one: &Spread) -> Option<Sides> {
    let limit = evidence.limit_for(run);
    let (here, there): (Vec<_>, Vec<_>) = run
        .compared
        .iter()
        .zip(evidence.limit_records(run))
        .filter_map(|(&here, there)| {
            let o = one.observable;
            let unit = limit.samples.moments(there, o, |x| x).variance().sqrt();
            (unit >= NO_SPREAD).then_some(((here, o, unit), (there, o, unit)))
        })
        .unzip();
    (here.len() > 1).then(|| {
        Sides::new(
            (&run.samples, &here),
            (&limit.samples, &there),
            PAIRED_PATHS,
        )
    })
}

/// The distance on the finest rung is below the margin.
fn check(
    evidence: &Evidence,
    of: &[Spread],
    rungs: &[Rung],
    name: &str,
    distance: Distance,
    margin: f64,
) -> Check {
    let found: Vec<_> = rungs.iter().filter_map(|rung| rung.get(distance)).collect();
    let finest = found[found.len() - 1];
    let (outcome, p_difference) = if finest.interval.upper < margin {
        (Outcome::Pass, finest.p_within(margin))
    } else if finest.interval.lower >= margin {
        match far_out(evidence, of, distance) {
            Ok(again) => (Outcome::Rejected, again.p_within(margin)),
            Err(error) => return Check::impossible(name, &error),
        }
    } else {
        (Outcome::Inconclusive, finest.p_within(margin))
    };
    let along: Vec<_> = rungs
        .iter()
        .zip(&found)
        .map(|(rung, found)| {
            let floor = found.floor.unwrap_or(f64::NAN);
            let alpha = rung.run.level.step_size;
            format!("α={alpha}: {:.4} (noise floor {floor:.4})", found.estimate)
        })
        .collect();
    let unit = match distance {
        Distance::KolmogorovSmirnov => "",
        _ => ", in standard deviations of the limit",
    };
    let finest_rung = &rungs[rungs.len() - 1];
    let part = if finest_rung.is_part {
        format!("; of the first {SLICED_PATHS} paths")
    } else {
        String::new()
    };
    let names: Vec<_> = of.iter().map(|one| one.name).collect();
    let of = if of.len() > 1 {
        format!(" of {}", names.join(", "))
    } else {
        String::new()
    };
    let equal = finest.p_same.unwrap_or(f64::NAN);
    let mut check = Check::of(
        name,
        outcome,
        format!(
            "distance of the laws{of} at the horizon{unit}: {}; permutation p of equal laws on the finest rung {equal:.3}{part}",
            along.join(", ")
        ),
    )
    .with(finest.estimate, finest.interval, 0.0, margin);
    check.p_value = Some(finest.p_beyond(margin));
    check.p_difference = Some(p_difference);
    check
}

/// The distance on the finest rung once more, with resamples enough for small p-values.
fn far_out(
    evidence: &Evidence,
    of: &[Spread],
    distance: Distance,
) -> Result<DistanceEstimate, StatisticsError> {
    let most = match distance {
        Distance::SlicedWasserstein1 => SLICED_PATHS,
        _ => usize::MAX,
    };
    let level = evidence.margins().level;
    let effort = Effort {
        level,
        resamples: TAIL_RESAMPLES.max((1.0 / level).ceil() as usize),
        permutations: 0,
        splits: 0,
    };
    let sides = at_the_horizon(evidence, evidence.finest(), of, most);
    let found = sides.distances(&[distance], effort, evidence.study.spec.seed)?;
    Ok(found[0].clone())
}

impl Rung<'_> {
    fn get(&self, distance: Distance) -> Option<&DistanceEstimate> {
        self.distances
            .iter()
            .find(|found| found.distance == distance)
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let paths = if self.is_part {
            format!("first {}", self.sizes.0.max(self.sizes.1))
        } else {
            "all".to_owned()
        };
        let optional = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
        let row = |found: &DistanceEstimate| {
            vec![
                self.run.level.number.to_string(),
                self.run.level.step_size.to_string(),
                self.law.to_owned(),
                self.of.to_owned(),
                name(found.distance).to_owned(),
                found.estimate.to_string(),
                found.interval.lower.to_string(),
                found.interval.upper.to_string(),
                optional(found.floor),
                optional(found.p_same),
                self.sizes.0.to_string(),
                self.sizes.1.to_string(),
                paths.clone(),
            ]
        };
        self.distances.iter().map(row).collect()
    }
}

fn name(distance: Distance) -> &'static str {
    match distance {
        Distance::Wasserstein1 => "W1",
        Distance::KolmogorovSmirnov => "KS",
        Distance::Energy => "energy",
        Distance::MeanDiscrepancy => "MMD",
        Distance::SlicedWasserstein1 => "sliced W1",
    }
}
