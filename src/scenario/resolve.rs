//! From the scenario as typed to a study: every value checked, every mistake named with its line and the remedy.

mod coupling;
mod ladder;
mod limit;
mod margins;
mod observables;
mod schedule;

use super::model::model;
use super::spec::{MasksSpec, NoiseSpec};
use super::start::start;
use super::{ScenarioError, ScenarioSpec, Source, Study};
use crate::derive::Masks;
use crate::limit::Faults;
use crate::models::{AnyModel, Model};
use crate::noise::{self, Mechanism, NoiseError, NoisyLoss};
use crate::random::{Batch, Law, Sampling};

/// Values kept of one ensemble: 8 bytes each.
const MOST_VALUES: f64 = 1e9;
/// Noise strengths outside are mistakes: their squares leave the range of the arithmetic.
const STRENGTHS: (f64, f64) = (1e-9, 1e9);
/// Starts beyond are mistakes.
const LARGEST_START: f64 = 1e9;
/// The fewest paths whose sample variance is worth a t-interval.
const FEWEST_PATHS: usize = 8;

type Result<T> = std::result::Result<T, ScenarioError>;

impl Study {
    /// Validates a scenario.
    ///
    /// # Errors
    /// Whatever is wrong with it, one mistake at a time, with its line where it has one.
    pub fn resolve(mut spec: ScenarioSpec, source: Source) -> Result<Self> {
        super::formula::default_noise(&mut spec);
        let r = Resolver {
            spec: &spec,
            source: &source,
        };
        let model = model(&spec, &source)?;
        let start = r.start(&model)?;
        if let AnyModel::Formula(formula) = &model {
            super::formula::check_start(formula, &start, &source)?;
        }
        let noisy = r.noise(model)?;
        let observables = r.observables(noisy.model())?;
        let levels = r.levels()?;
        let record_times = r.record_times()?;
        let schedule = r.schedule()?;
        r.limit()?;
        r.coupling(&levels)?;
        r.expectations()?;
        r.margins()?;
        let faults = Faults {
            drift_scale: spec.limit.drift_scale,
            diffusion_scale: spec.limit.diffusion_scale,
            ito_correction: spec.limit.ito_correction,
            projection: spec.limit.projection,
            lyapunov: spec.limit.lyapunov,
            masks: match spec.limit.masks {
                MasksSpec::NonLocal => Masks::NonLocal,
                MasksSpec::Local => Masks::Local,
            },
        };
        let study = Self {
            source,
            noisy,
            start,
            observables,
            levels,
            record_times,
            schedule,
            faults,
            spec,
        };
        study.fits_in_memory()?;
        Ok(study)
    }

    /// Whether the values of all paths can be kept.
    pub(crate) fn fits_in_memory(&self) -> Result<()> {
        // The time scale is measured at some 40 further records.
        let per_path = ((self.record_times.len() + 40) * self.observables.len()) as f64;
        let paths: f64 = self.levels.iter().map(|level| level.paths as f64).sum();
        // Each path of the limit is recorded at the times of all rungs, or of one if the limit is corrected for it.
        let limit_paths = self.limit_paths() as f64 * self.levels.len() as f64;
        let limit_key = match self.spec.limit.paths {
            Some(_) => "limit.paths",
            None => "ladder.paths",
        };
        let coupled = self.spec.coupling.as_ref().map_or(0, |c| c.paths) as f64;
        for (key, values) in [
            ("ladder.paths", paths * per_path),
            (limit_key, limit_paths * per_path),
            (
                "coupling.paths",
                coupled * (self.levels.len() + 2) as f64 * per_path,
            ),
        ] {
            if values > MOST_VALUES {
                let message = format!(
                    "{key}: paths × records × observables are {values:.1e} values, which would take {:.1e} GB of memory",
                    values * 8e-9
                );
                return Err(self
                    .source
                    .error(key, message, "take fewer paths or fewer records"));
            }
        }
        Ok(())
    }
}

struct Resolver<'a> {
    spec: &'a ScenarioSpec,
    source: &'a Source,
}

impl Resolver<'_> {
    fn fail<T>(&self, key: &str, message: impl Into<String>, help: impl Into<String>) -> Result<T> {
        Err(self.source.error(key, message, help))
    }

    fn positive(&self, key: &str, x: f64) -> Result<()> {
        if x.is_finite() && x > 0.0 {
            return Ok(());
        }
        let help = if x.is_finite() && x < 0.0 {
            format!("did you mean {}?", -x)
        } else {
            "any number above 0 is valid".into()
        };
        let message = format!("{} must be a positive number, not {x}", without_index(key));
        self.fail(key, message, help)
    }

    fn within(&self, key: &str, x: f64, (least, most): (f64, f64)) -> Result<()> {
        self.positive(key, x)?;
        if x >= least && x <= most {
            return Ok(());
        }
        let key_shown = without_index(key);
        self.fail(
            key,
            format!("{key_shown} must lie between {least:e} and {most:e}, not {x:e}"),
            format!("the nearest valid value is {:e}", x.clamp(least, most)),
        )
    }

    fn start(&self, model: &AnyModel) -> Result<Vec<f64>> {
        const KEY: &str = "model.start";
        let names = model.parameter_names();
        let start = start(&self.spec.model.start, &names, &model.fan_in())
            .or_else(|error| self.fail(KEY, error.message, error.help))?;
        if let Some(i) = start.iter().position(|x| !x.is_finite()) {
            let message = format!(
                "the start of `{}` is {}, not a finite number",
                names[i], start[i]
            );
            return self.fail(KEY, message, "");
        }
        if let Some(i) = start.iter().position(|x| x.abs() > LARGEST_START) {
            let message = format!(
                "the start of `{}` is {:e}: derivatives of the loss are not finite numbers so far out",
                names[i], start[i]
            );
            return self.fail(KEY, message, "start closer to the manifold");
        }
        Ok(start)
    }

    fn noise(&self, model: AnyModel) -> Result<NoisyLoss<AnyModel>> {
        let mut sources = Vec::new();
        for (i, noise) in self.spec.noise.iter().enumerate() {
            self.within(&format!("noise.{i}.scale"), noise.scale, STRENGTHS)?;
            sources.push(noise::Source {
                mechanism: noise.kind,
                law: noise.law,
                scale: noise.scale,
                batch: self.batch(i, noise)?,
                per_sample: noise.per_sample,
            });
        }
        NoisyLoss::new(model, sources).or_else(|error| {
            let noises = &self.spec.noise;
            let guilty = match &error {
                NoiseError::NoSocket { mechanism, .. }
                | NoiseError::NotPerSample(mechanism)
                | NoiseError::MaskOnAddedNoise(mechanism) => {
                    noises.iter().position(|noise| noise.kind == *mechanism)
                }
                NoiseError::Batch { .. } => {
                    noises.iter().position(|noise| noise.batch_size.is_some())
                }
                NoiseError::SocketTwice(socket) => noises
                    .iter()
                    .rposition(|noise| noise.kind.socket() == *socket),
                NoiseError::NoNoise => None,
            };
            let key = guilty.map_or("noise".to_owned(), |i| format!("noise.{i}.kind"));
            self.fail(&key, error.to_string(), "")
        })
    }

    fn batch(&self, i: usize, noise: &NoiseSpec) -> Result<Option<Batch>> {
        let key = |option: &str| format!("noise.{i}.{option}");
        if let Some(size) = noise.batch_size {
            if noise.kind != Mechanism::Minibatch {
                let message = format!("batch_size is of minibatch noise, not of {}", noise.kind);
                let help = "add a second section [[noise]] with kind = \"minibatch\"";
                return self.fail(&key("batch_size"), message, help);
            }
            if noise.law != Law::Gaussian || noise.scale != 1.0 {
                let message = "with batch_size the weights are those of the chosen samples: law and scale have no effect";
                return self.fail(&key("batch_size"), message, "remove law and scale");
            }
            let sampling = noise.sampling.unwrap_or(Sampling::WithoutReplacement);
            return Ok(Some(Batch { size, sampling }));
        }
        if noise.sampling.is_some() {
            let message = "sampling needs batch_size";
            return self.fail(&key("sampling"), message, "add batch_size = B");
        }
        Ok(None)
    }
}

/// `noise.0.scale` as a reader knows it: `noise.scale`.
fn without_index(key: &str) -> String {
    let parts = key.split('.').filter(|part| part.parse::<usize>().is_err());
    parts.collect::<Vec<_>>().join(".")
}
