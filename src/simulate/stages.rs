//! A study with more paths, of which those simulated before are the first.

use crate::scenario::{PathsSpec, Study};

/// The study with `factor` times the paths on every rung, in a stochastic limit and on coupled ones.
///
/// Streams are keyed by (seed, level, path), so ensembles of the smaller study are the first paths of the larger one's:
/// `run_levels` and `extend_limits` add what is missing.
pub fn enlarged(study: &Study, factor: usize) -> Study {
    let mut study = study.clone();
    let times = |paths: usize| paths.saturating_mul(factor);
    for level in &mut study.levels {
        level.paths = times(level.paths);
    }
    match &mut study.spec.ladder.paths {
        PathsSpec::Same(paths) => *paths = times(*paths),
        PathsSpec::Each(each) => each.iter_mut().for_each(|paths| *paths = times(*paths)),
    }
    study.spec.limit.paths = study.spec.limit.paths.map(times);
    if let Some(coupling) = &mut study.spec.coupling {
        coupling.paths = times(coupling.paths);
    }
    study
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::predict;
    use crate::scenario::parse;
    use crate::simulate::{Silent, extend_limits, plan_levels, run_levels, run_limits};

    fn study(noise: &str, more: &str) -> Study {
        let text = format!(
            "observables = [\"imbalance\", \"u\"]\n[model]\nkind = \"product\"\nstart = {{ u = 2.0, v = 0.5 }}\n\
             [[noise]]\nkind = \"{noise}\"\n[ladder]\nstep_sizes = [0.16, 0.08, 0.04, 0.02]\nsigma = 0.3\n\
             sigma_factors = [0.5]\nhorizon = 0.05\nrecords = 2\npaths = 11\n{more}"
        );
        let (spec, source) = parse("s.toml", &text, &[]).unwrap();
        Study::resolve(spec, source).unwrap()
    }

    /// For a deterministic limit, a stochastic one, one corrected for each rung, and one with its own number of paths. The
    /// numbers of paths are no multiples of the block size.
    #[test]
    fn an_ensemble_extended_twice_is_bit_by_bit_the_ensemble_of_one_run() {
        for (noise, more) in [
            ("label", ""),
            ("sgld", ""),
            ("sgld", "[limit]\ncorrected = true\npaths = 9\n"),
        ] {
            let small = study(noise, more);
            let prediction = predict(&small).unwrap();
            let planned = plan_levels(&small, &prediction);
            let mut limits = run_limits(&small, &prediction, &planned, &Silent).unwrap();
            let mut levels = run_levels(&small, &prediction, planned, &Silent);
            for factor in [2, 4] {
                let larger = enlarged(&small, factor);
                for (run, level) in levels.iter_mut().zip(&larger.levels) {
                    run.level = *level;
                }
                extend_limits(&larger, &prediction, &levels, &mut limits, &Silent).unwrap();
                levels = run_levels(&larger, &prediction, levels, &Silent);
            }
            let at_once = enlarged(&small, 4);
            let planned = plan_levels(&at_once, &prediction);
            let limits_at_once = run_limits(&at_once, &prediction, &planned, &Silent).unwrap();
            let levels_at_once = run_levels(&at_once, &prediction, planned, &Silent);
            // NaN is equal to itself in this form.
            assert_eq!(format!("{levels:?}"), format!("{levels_at_once:?}"));
            assert_eq!(format!("{limits:?}"), format!("{limits_at_once:?}"));
            assert_eq!(levels[0].samples.paths, 44);
        }
    }
}
