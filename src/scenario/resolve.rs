//! From the scenario as typed to a study: every value checked, every mistake named with its line and the remedy.

use std::collections::BTreeMap;

use super::load::nearest;
use super::model::model;
use super::spec::{
    IntegratorKind, LadderSpec, MasksSpec, NoiseSpec, ObservablesSpec, PathsSpec, RecordsSpec,
    ScheduleKind,
};
use super::start::start;
use super::{Arm, Level, Observable, ScenarioError, ScenarioSpec, Schedule, Source, Study};
use crate::derive::Masks;
use crate::limit::Faults;
use crate::models::{AnyModel, Model};
use crate::noise::{self, Mechanism, NoiseError, NoisyLoss};
use crate::random::{Batch, Law, Sampling};

/// Values kept of one ensemble: 8 bytes each.
const MOST_VALUES: f64 = 1e9;
const MOST_RECORDS: usize = 10_000;
/// Noise strengths outside are mistakes: their squares leave the range of the arithmetic.
const STRENGTHS: (f64, f64) = (1e-9, 1e9);
/// Starts beyond are mistakes.
const LARGEST_START: f64 = 1e9;
/// The fewest paths whose sample variance is worth a t-interval.
const FEWEST_PATHS: usize = 8;
/// Neighbouring step sizes must differ by this factor to tell a rate.
const SMALLEST_RATIO: f64 = 1.05;
/// Ratios of typed numbers that differ by less are the same.
const SAME_RATIO: f64 = 1e-9;

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

    fn observables(&self, model: &AnyModel) -> Result<Vec<(String, Observable)>> {
        let names = Observable::names(model);
        let mut known: Vec<_> = names.iter().map(String::as_str).collect();
        // Nobody reads hundreds of parameters' names.
        if known.len() > 40 {
            known.drain(2..model.dimension() - 1);
        }
        let listed = match &self.spec.observables {
            ObservablesSpec::Names(listed) => listed,
            ObservablesSpec::Formulas(formulas) => return self.formulas(model, formulas, &known),
        };
        if listed.is_empty() {
            let help = format!("name at least one of: {}", known.join(", "));
            return self.fail("observables", "there are no observables", help);
        }
        let mut found: Vec<(String, Observable)> = Vec::new();
        for (i, name) in listed.iter().enumerate() {
            let key = format!("observables.{i}");
            let Some(observable) = Observable::find(name, model) else {
                return self.fail(
                    &key,
                    format!("unknown observable `{name}`"),
                    nearest(name, &known),
                );
            };
            if found.iter().any(|(n, _)| n == name) {
                return self.fail(&key, format!("observable `{name}` is named twice"), "");
            }
            found.push((name.clone(), observable));
        }
        Ok(found)
    }

    /// Observables with formulas, in their order in the file.
    fn formulas(
        &self,
        model: &AnyModel,
        formulas: &BTreeMap<String, String>,
        known: &[&str],
    ) -> Result<Vec<(String, Observable)>> {
        if !matches!(model, AnyModel::Formula(_)) {
            let message = "formulas for observables are of the model \"formula\"";
            let help = format!("name them in a list: observables = [\"{}\"]", known[0]);
            return self.fail("observables", message, help);
        }
        let own = model.own_observables();
        let mut found = Vec::new();
        for name in self.source.keys("observables") {
            let general = || Observable::find(formulas.get(&name)?, model);
            let own = own.iter().position(|n| *n == name).map(Observable::OfModel);
            if let Some(observable) = own.or_else(general) {
                found.push((name, observable));
            }
        }
        if found.is_empty() {
            let help = "add the formula of one: norm_squared = \"u^2 + v^2\"";
            return self.fail("observables", "there are no observables", help);
        }
        Ok(found)
    }

    fn levels(&self) -> Result<Vec<Level>> {
        let spec = &self.spec.ladder;
        let rungs = self.rungs(spec)?;
        let largest = rungs[0].0;
        self.within("ladder.sigma", spec.sigma, STRENGTHS)?;
        let q = spec.sigma_exponent;
        if !(q.is_finite() && q >= 0.0) {
            let message = format!("ladder.sigma_exponent must be at least 0, not {q}");
            return self.fail(
                "ladder.sigma_exponent",
                message,
                "usual exponents are 0, 0.5 and 1",
            );
        }
        let mut levels = Vec::new();
        for (step_size, paths) in rungs {
            let sigma = spec.sigma * (step_size / largest).powf(q);
            if sigma < STRENGTHS.0 {
                let message = format!(
                    "ladder.sigma_exponent {q} makes σ = {sigma:e} at step size {step_size}"
                );
                return self.fail(
                    "ladder.sigma_exponent",
                    message,
                    "usual exponents are 0, 0.5 and 1",
                );
            }
            levels.push(Level {
                number: levels.len() as u32,
                step_size,
                sigma,
                paths,
                arm: Arm::StepSizes,
            });
        }
        let ladder = levels.clone();
        for base in self.sigma_bases(&ladder)? {
            for &factor in &spec.sigma_factors {
                levels.push(Level {
                    number: levels.len() as u32,
                    sigma: base.sigma * factor,
                    arm: Arm::Sigmas,
                    ..base
                });
            }
        }
        Ok(levels)
    }

    /// The rungs of the ladder at which σ is varied: one, or all of a grid.
    fn sigma_bases(&self, ladder: &[Level]) -> Result<Vec<Level>> {
        let spec = &self.spec.ladder;
        let at = spec.sigma_step_size.unwrap_or(ladder[1].step_size);
        let Some(base) = ladder.iter().find(|level| level.step_size == at) else {
            let message = format!("ladder.sigma_step_size {at} is not one of ladder.step_sizes");
            let away = |level: &&Level| (level.step_size / at).ln().abs();
            let near = ladder.iter().min_by(|a, b| away(a).total_cmp(&away(b)));
            let help = near.map_or(String::new(), |near| {
                format!("the nearest of them is {}", near.step_size)
            });
            return self.fail("ladder.sigma_step_size", message, help);
        };
        for (i, &factor) in spec.sigma_factors.iter().enumerate() {
            let key = format!("ladder.sigma_factors.{i}");
            if !(factor.is_finite() && factor > 0.0 && (factor - 1.0).abs() > 0.01) {
                let message = format!(
                    "ladder.sigma_factors must be positive and differ from 1, not {factor}"
                );
                return self.fail(&key, message, "0.5 and 0.7 are good choices");
            }
            if spec.sigma_factors[..i].contains(&factor) {
                return self.fail(&key, format!("ladder.sigma_factors has {factor} twice"), "");
            }
            self.within(&key, factor, (1e-3, 1e3))?;
        }
        if !spec.sigma_grid {
            return Ok(vec![*base]);
        }
        const KEY: &str = "ladder.sigma_grid";
        if spec.sigma_factors.is_empty() {
            let message = "ladder.sigma_grid needs ladder.sigma_factors";
            return self.fail(KEY, message, "add sigma_factors = [0.5, 0.7]");
        }
        if spec.sigma_step_size.is_some() {
            let message = "ladder.sigma_grid varies σ at every step size, not at ladder.sigma_step_size alone";
            return self.fail(KEY, message, "remove one of the two");
        }
        Ok(ladder.to_vec())
    }

    /// Step sizes in descending order with their numbers of paths.
    fn rungs(&self, spec: &LadderSpec) -> Result<Vec<(f64, usize)>> {
        let fail = |message: String, help: &str| self.fail("ladder.step_sizes", message, help);
        let sizes = &spec.step_sizes;
        if sizes.len() < 4 {
            return fail(
                format!("{} step sizes are too few to tell a rate", sizes.len()),
                "give at least four, each a fixed factor smaller than the last: [0.2, 0.1, 0.05, 0.025]",
            );
        }
        if let Some(bad) = sizes.iter().find(|x| !(x.is_finite() && **x > 0.0)) {
            return fail(
                format!("step sizes must be positive numbers, not {bad}"),
                "each is a fixed factor smaller than the last: [0.2, 0.1, 0.05, 0.025]",
            );
        }
        let mut rungs: Vec<_> = sizes.iter().copied().zip(self.paths(spec)?).collect();
        rungs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let ratio = rungs[0].0 / rungs[1].0;
        for pair in rungs.windows(2) {
            let (a, b) = (pair[0].0, pair[1].0);
            if a == b {
                return fail(
                    format!("the step size {a} stands twice"),
                    "remove one of them",
                );
            }
            if (a / b / ratio - 1.0).abs() > 0.05 {
                return fail(
                    format!("the step sizes are not geometric: {a} / {b} is not {ratio:.3}"),
                    "make each a fixed factor smaller than the last (5 % rounding is allowed)",
                );
            }
            if a / b < SMALLEST_RATIO {
                return fail(
                    format!("the step sizes {a} and {b} are too close to tell a rate"),
                    "make each smaller than the last by a factor of 1.4 or 2",
                );
            }
        }
        Ok(rungs)
    }

    fn paths(&self, spec: &LadderSpec) -> Result<Vec<usize>> {
        let rungs = spec.step_sizes.len();
        let paths = match &spec.paths {
            PathsSpec::Same(n) => vec![*n; rungs],
            PathsSpec::Each(each) => each.clone(),
        };
        if paths.len() != rungs {
            let message = format!("{} numbers of paths for {rungs} step sizes", paths.len());
            return self.fail(
                "ladder.paths",
                message,
                "give one number, or one for each step size",
            );
        }
        match paths.iter().find(|&&n| n < FEWEST_PATHS) {
            None => Ok(paths),
            Some(n) => {
                let message = format!(
                    "{n} paths are too few to estimate a standard error; give at least {FEWEST_PATHS}"
                );
                let help = format!("the nearest valid value is {FEWEST_PATHS}");
                self.fail("ladder.paths", message, help)
            }
        }
    }

    fn record_times(&self) -> Result<Vec<f64>> {
        let spec = &self.spec.ladder;
        self.positive("ladder.horizon", spec.horizon)?;
        let horizon = spec.horizon;
        let fail = |message: String| {
            self.fail(
                "ladder.records",
                message,
                "8 equally spaced ones are the default",
            )
        };
        match &spec.records {
            RecordsSpec::Count(0) => fail("at least one record is needed".into()),
            RecordsSpec::Count(n) if *n > MOST_RECORDS => {
                fail(format!("{n} records are too many; at most {MOST_RECORDS}"))
            }
            RecordsSpec::Count(n) => Ok((1..=*n).map(|i| horizon * i as f64 / *n as f64).collect()),
            RecordsSpec::Times(times) => {
                let increasing = times.windows(2).all(|t| t[0] < t[1]);
                match (times.first(), times.last()) {
                    (Some(&first), Some(&last)) if increasing && first > 0.0 && last <= horizon => {
                        let mut times = times.clone();
                        if last < horizon {
                            times.push(horizon);
                        }
                        Ok(times)
                    }
                    _ => fail(format!(
                        "record times must increase and lie between 0 and the horizon {horizon}"
                    )),
                }
            }
        }
    }

    fn schedule(&self) -> Result<Schedule> {
        let spec = &self.spec.schedule;
        let kind = spec.kind;
        for (option, given, of, name) in [
            (
                "gamma",
                spec.gamma.is_some(),
                ScheduleKind::Polynomial,
                "polynomial",
            ),
            (
                "decay_time",
                spec.decay_time.is_some(),
                ScheduleKind::Polynomial,
                "polynomial",
            ),
            (
                "decay_steps",
                spec.decay_steps.is_some(),
                ScheduleKind::Polynomial,
                "polynomial",
            ),
            (
                "pieces",
                spec.pieces.is_some(),
                ScheduleKind::Piecewise,
                "piecewise",
            ),
            (
                "floor",
                spec.floor.is_some(),
                ScheduleKind::Cosine,
                "cosine",
            ),
        ] {
            if given && of != kind {
                let message = format!("`{option}` belongs to the {name} schedule");
                let help = format!("set schedule.kind = \"{name}\" or remove it");
                return self.fail(&format!("schedule.{option}"), message, help);
            }
        }
        match kind {
            ScheduleKind::Constant => Ok(Schedule::Constant),
            ScheduleKind::Polynomial => self.polynomial(),
            ScheduleKind::Piecewise => self.piecewise(),
            ScheduleKind::Cosine => {
                let floor = spec.floor.unwrap_or(0.0);
                if (0.0..1.0).contains(&floor) {
                    let horizon = self.spec.ladder.horizon;
                    return Ok(Schedule::Cosine { floor, horizon });
                }
                self.fail(
                    "schedule.floor",
                    format!("schedule.floor must lie in [0, 1), not {floor}"),
                    "0 is the default",
                )
            }
        }
    }

    fn polynomial(&self) -> Result<Schedule> {
        let spec = &self.spec.schedule;
        let Some(gamma) = spec.gamma else {
            return self.fail(
                "schedule",
                "the polynomial schedule needs schedule.gamma",
                "add gamma = 0.75, say: α_k = α (1 + k/k₀)^−γ",
            );
        };
        self.positive("schedule.gamma", gamma)?;
        match (spec.decay_time, spec.decay_steps) {
            (Some(decay_time), None) => {
                self.positive("schedule.decay_time", decay_time)?;
                Ok(Schedule::Polynomial { gamma, decay_time })
            }
            (None, Some(decay_steps)) => {
                self.positive("schedule.decay_steps", decay_steps)?;
                Ok(Schedule::PolynomialInSteps { gamma, decay_steps })
            }
            _ => self.fail(
                "schedule",
                "the polynomial schedule needs one of schedule.decay_time and schedule.decay_steps",
                "k₀ is given as a slow time or as a number of steps",
            ),
        }
    }

    fn piecewise(&self) -> Result<Schedule> {
        let Some(given) = &self.spec.schedule.pieces else {
            let message = "the piecewise schedule needs schedule.pieces = [[from, factor], …]";
            return self.fail("schedule", message, "example: [[0.0, 1.0], [0.5, 0.1]]");
        };
        let pieces: Vec<[f64; 2]> = given
            .iter()
            .filter_map(|p| p.as_slice().try_into().ok())
            .collect();
        let good = pieces.len() == given.len()
            && pieces.first().is_some_and(|piece| piece[0] == 0.0)
            && pieces.windows(2).all(|p| p[0][0] < p[1][0])
            && pieces
                .iter()
                .all(|p| p[0].is_finite() && p[1] > 0.0 && p[1] <= 1.0);
        if good {
            return Ok(Schedule::Piecewise(pieces));
        }
        self.fail(
            "schedule.pieces",
            "pieces are pairs [from, factor] that begin at 0, increase in time and have factors in (0, 1]",
            "example: [[0.0, 1.0], [0.5, 0.1]]",
        )
    }

    fn limit(&self) -> Result<()> {
        let limit = &self.spec.limit;
        self.within("limit.tolerance", limit.tolerance, (1e-13, 1e-2))?;
        for (key, scale) in [
            ("limit.drift_scale", limit.drift_scale),
            ("limit.diffusion_scale", limit.diffusion_scale),
        ] {
            if !scale.is_finite() || scale.abs() > 1e3 {
                return self.fail(
                    key,
                    format!("{key} must be finite and at most 1000, not {scale}"),
                    "1 is the theory",
                );
            }
        }
        if limit.paths.is_some_and(|paths| paths < FEWEST_PATHS) {
            return self.fail(
                "limit.paths",
                format!("limit.paths must be at least {FEWEST_PATHS}"),
                format!("the nearest valid value is {FEWEST_PATHS}"),
            );
        }
        if limit.integrator == Some(IntegratorKind::RungeKutta) {
            let message = |key| {
                format!(
                    "{key} is of the euler-maruyama integrator; runge-kutta has limit.tolerance"
                )
            };
            if limit.time_step.is_some() {
                return self.fail(
                    "limit.integrator",
                    message("limit.time_step"),
                    "remove one of them",
                );
            }
            if limit.paths.is_some() {
                return self.fail("limit.paths", message("limit.paths"), "remove one of them");
            }
        }
        if let Some(step) = limit.time_step {
            self.positive("limit.time_step", step)?;
            let steps = self.spec.ladder.horizon / step;
            if !(50.0..=1e7).contains(&steps) {
                let message =
                    format!("limit.time_step {step:e} makes {steps:.1e} steps to the horizon");
                return self.fail(
                    "limit.time_step",
                    message,
                    "between 50 and 10⁷ steps are sensible; 200 is the default",
                );
            }
        }
        let masks = self
            .spec
            .noise
            .iter()
            .any(|noise| noise.law == Law::Bernoulli);
        if limit.masks == MasksSpec::Local && !masks {
            let message = "limit.masks = \"local\" needs a noise with law = \"bernoulli\"";
            return self.fail("limit.masks", message, "remove it");
        }
        Ok(())
    }

    /// One noise can drive all rungs and the limit only where sums of it have the law of each rung's own.
    fn coupling(&self, levels: &[Level]) -> Result<()> {
        let Some(coupling) = &self.spec.coupling else {
            return Ok(());
        };
        if coupling.paths < FEWEST_PATHS {
            let message = format!("coupling.paths must be at least {FEWEST_PATHS}");
            return self.fail("coupling.paths", message, "256 is the default");
        }
        self.positive("coupling.margin", coupling.margin)?;
        const REMOVE: &str = "or remove [coupling]";
        for (i, noise) in self.spec.noise.iter().enumerate() {
            if noise.batch_size.is_some() {
                let message = "with [coupling] coarse steps take sums of the fine steps' noise, and sums of minibatches are no minibatches";
                let key = format!("noise.{i}.batch_size");
                return self.fail(&key, message, format!("remove batch_size, {REMOVE}"));
            }
            if noise.law != Law::Gaussian {
                let message = format!(
                    "with [coupling] coarse steps take sums of the fine steps' noise, whose law is {} again only for gaussian noise",
                    noise.law.name()
                );
                let help = format!("set law = \"gaussian\", {REMOVE}");
                return self.fail(&format!("noise.{i}.law"), message, help);
            }
        }
        if !self.spec.noise.iter().any(|n| n.kind == Mechanism::Sgld) {
            let message =
                "[coupling] needs a Brownian part in the limit, and only sgld noise has one";
            let help = format!("add a section [[noise]] with kind = \"sgld\", {REMOVE}");
            return self.fail("coupling", message, help);
        }
        if self.spec.ladder.sigma_exponent != 0.0 {
            let message = "with [coupling] σ must be the same on all rungs, or sums of fine noise have another σ than coarse noise";
            let help = format!("remove ladder.sigma_exponent, {REMOVE}");
            return self.fail("ladder.sigma_exponent", message, help);
        }
        if self.spec.schedule.kind != ScheduleKind::Constant {
            let message = "with [coupling] the step size of each rung must be constant, so that its steps fall together with those of the finer rungs";
            let help = format!("remove [schedule], {REMOVE}");
            return self.fail("schedule.kind", message, help);
        }
        if self.spec.limit.corrected {
            let message = "[coupling] compares with the plain limit, one for all rungs, not with a limit corrected for each";
            let help = format!("remove limit.corrected, {REMOVE}");
            return self.fail("limit.corrected", message, help);
        }
        let ladder: Vec<_> = levels.iter().filter(|l| l.arm == Arm::StepSizes).collect();
        for pair in ladder.windows(2) {
            let (coarse, fine) = (pair[0].step_size, pair[1].step_size);
            let ratio = coarse / fine;
            if ratio.round() < 2.0 || (ratio / ratio.round() - 1.0).abs() > SAME_RATIO {
                let message = format!(
                    "with [coupling] each step size must be a whole multiple of the next, but {coarse} / {fine} = {ratio:.4}"
                );
                let help = format!("halve the step size from rung to rung, {REMOVE}");
                return self.fail("ladder.step_sizes", message, help);
            }
        }
        let finest = ladder[ladder.len() - 1];
        if let Some(step) = coupling.time_step {
            self.positive("coupling.time_step", step)?;
            let least = (finest.step_size * finest.sigma).powi(2);
            let most = self.spec.ladder.horizon / 50.0;
            if step < least * (1.0 - SAME_RATIO) || step > most {
                let message = format!(
                    "coupling.time_step must lie between the slow time {least:.3e} of a step of the finest rung, where the common Brownian path is known, and a fiftieth {most:.3e} of the horizon, not be {step:e}"
                );
                return self.fail("coupling.time_step", message, "leave it out for a default");
            }
        }
        Ok(())
    }

    fn expectations(&self) -> Result<()> {
        let expect = &self.spec.expect;
        if let Some(order) = expect.strong_order {
            self.positive("expect.strong_order", order)?;
            if self.spec.coupling.is_none() {
                let message = "expect.strong_order is about coupled paths, and there is no section [coupling]";
                return self.fail("expect.strong_order", message, "add [coupling]");
            }
        }
        if let Some(exponents) = &expect.exponents
            && !(exponents.len() == 2 && exponents.iter().all(|x| x.is_finite()))
        {
            let message =
                format!("expect.exponents must be two finite numbers [a, b], not {exponents:?}");
            return self.fail("expect.exponents", message, "iterations ∝ α^−a σ^−b");
        }
        match expect.order {
            Some(order) => self.positive("expect.order", order),
            None => Ok(()),
        }
    }

    fn margins(&self) -> Result<()> {
        let margins = &self.spec.margins;
        for (key, x) in [
            ("margins.mean", margins.mean),
            ("margins.square", margins.square),
            ("margins.law", margins.law),
            ("margins.ks", margins.ks),
            ("margins.exponent", margins.exponent),
            ("margins.spread", margins.spread),
            ("margins.order", margins.order),
            ("margins.freezing", margins.freezing),
        ] {
            self.positive(key, x)?;
        }
        for (key, x, below) in [
            ("margins.level", margins.level, 0.5),
            ("margins.share", margins.share, 1.0),
        ] {
            if !(x > 0.0 && x < below) {
                let usual = if key == "margins.level" { 0.01 } else { 0.5 };
                return self.fail(
                    key,
                    format!("{key} must lie between 0 and {below}, not {x}"),
                    format!("{usual} is the default"),
                );
            }
        }
        self.within("margins.level", margins.level, (1e-3, 0.5))?;
        if margins.exponent >= 0.5 {
            let message =
                "margins.exponent must be below 0.5, or the two time scales can't be told apart";
            return self.fail("margins.exponent", message, "0.25 is the default");
        }
        Ok(())
    }
}

/// `noise.0.scale` as a reader knows it: `noise.scale`.
fn without_index(key: &str) -> String {
    let parts = key.split('.').filter(|part| part.parse::<usize>().is_err());
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    fn levels(ladder: &str) -> Vec<(u32, f64, f64, usize, Arm)> {
        let text = format!(
            "observables = [\"u\"]\n[model]\nkind = \"product\"\nstart = [2.0, 0.5]\n[[noise]]\nkind = \"label\"\n\
             [ladder]\nstep_sizes = [0.1, 0.4, 0.2, 0.05]\nsigma = 0.5\nsigma_exponent = 1.0\nhorizon = 1.0\n\
             paths = [11, 14, 12, 10]\nsigma_factors = [0.5, 2.0]\n{ladder}"
        );
        let (spec, source) = parse("s.toml", &text, &[]).unwrap();
        let study = Study::resolve(spec, source).unwrap();
        let levels = study.levels.into_iter();
        levels
            .map(|l| (l.number, l.step_size, l.sigma, l.paths, l.arm))
            .collect()
    }

    /// The numbers name the random streams: a grid adds rungs after those of the ladder, largest step size first.
    #[test]
    fn a_grid_in_sigma_has_every_factor_at_every_step_size_and_leaves_the_ladder_as_it_is() {
        let (line, grid) = (levels(""), levels("sigma_grid = true"));
        assert_eq!(line[..4], grid[..4]);
        assert_eq!((line.len(), grid.len()), (6, 12));
        assert_eq!(line[4], (4, 0.2, 0.125, 12, Arm::Sigmas));
        for (i, step_size) in [0.4, 0.2, 0.1, 0.05].into_iter().enumerate() {
            let (_, _, sigma, paths, _) = grid[i];
            for (j, factor) in [0.5, 2.0].into_iter().enumerate() {
                let number = 4 + 2 * i + j;
                let expected = (number as u32, step_size, sigma * factor, paths, Arm::Sigmas);
                assert_eq!(grid[number], expected);
            }
        }
    }
}
