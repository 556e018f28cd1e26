//! A scenario resolved: model, noise, levels and limits as values that are known to be valid.

use std::ops::Range;

use toml::Spanned;

use super::load::{ScenarioError, nearest};
use super::spec::{
    IntegratorKind, LadderSpec, MarginsSpec, MasksSpec, ModelSpec, PathsSpec, RecordsSpec,
    ScenarioSpec, ScheduleKind, ScheduleSpec, StartSpec,
};
use super::{Observable, Schedule};
use crate::derive::Masks;
use crate::limit::Faults;
use crate::models::{
    AnyModel, CARDS, Circle, Model, Product, Profile, Sphere, TwoProducts, Valley, WideningValley,
};
use crate::noise::{NoisyLoss, Source};

/// Which exponent a level serves to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// A rung of the ladder of step sizes, on which everything is compared.
    StepSizes,
    /// A further rung with another σ, for the exponent of σ alone.
    Sigmas,
}

/// One ensemble of iterates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Number, from 0 in the order of the step sizes; it names the random streams.
    pub number: u32,
    /// α.
    pub step_size: f64,
    /// σ.
    pub sigma: f64,
    /// Number of paths.
    pub paths: usize,
    /// What it is for.
    pub arm: Arm,
}

/// A resolved scenario.
#[derive(Clone, Debug)]
pub struct Study {
    /// The scenario as typed, after `--set`.
    pub spec: ScenarioSpec,
    /// Model and noise.
    pub noisy: NoisyLoss<AnyModel>,
    /// w₀.
    pub start: Vec<f64>,
    /// Names and functions looked at.
    pub observables: Vec<(String, Observable)>,
    /// The rungs: step sizes in descending order, then the further values of σ.
    pub levels: Vec<Level>,
    /// Record times in slow time at constant step size, increasing, the last one the horizon.
    pub record_times: Vec<f64>,
    /// Step-size schedule.
    pub schedule: Schedule,
    /// Faults planted in the limit.
    pub faults: Faults,
}

/// Names of the integrators with one line each, for `singlim list`.
pub fn integrators() -> [(&'static str, &'static str); 2] {
    [
        (
            "runge-kutta",
            "Dormand–Prince 5(4) with projection on Γ; deterministic limits (default there)",
        ),
        (
            "euler-maruyama",
            "Euler–Maruyama with projection on Γ; any limit (default for stochastic ones)",
        ),
    ]
}

struct Resolver<'a> {
    file: &'a str,
    text: &'a str,
}

type Result<T> = std::result::Result<T, ScenarioError>;

impl Study {
    /// Validates `spec`; `text` is the text it was read from, for the lines in error messages.
    ///
    /// # Errors
    /// Whatever is wrong with the scenario, one mistake at a time, with its line where it has one.
    pub fn resolve(spec: ScenarioSpec, file: &str, text: &str) -> Result<Self> {
        let r = Resolver { file, text };
        let model = r.model(&spec.model)?;
        let start = r.start(&spec.model.start, &model)?;
        let sources = spec
            .noise
            .iter()
            .map(|noise| {
                r.positive(&noise.scale, "noise.scale")?;
                Ok(Source {
                    mechanism: *noise.kind.get_ref(),
                    law: *noise.law.get_ref(),
                    scale: *noise.scale.get_ref(),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let noise_span = spec.noise.last().map_or(0..0, |noise| noise.kind.span());
        let noisy = NoisyLoss::new(model, sources)
            .map_err(|error| r.error(noise_span, error.to_string(), ""))?;
        let observables = r.observables(&spec, noisy.model())?;
        let levels = r.levels(&spec.ladder)?;
        let record_times = r.record_times(&spec.ladder)?;
        let schedule = r.schedule(&spec.schedule, *spec.ladder.horizon.get_ref())?;
        r.limit(&spec)?;
        r.margins(&spec.margins)?;
        let faults = Faults {
            drift_scale: spec.limit.drift_scale,
            diffusion_scale: spec.limit.diffusion_scale,
            ito_correction: spec.limit.ito_correction,
            masks: match spec.limit.masks {
                MasksSpec::NonLocal => Masks::NonLocal,
                MasksSpec::Local => Masks::Local,
            },
        };
        Ok(Self {
            spec,
            noisy,
            start,
            observables,
            levels,
            record_times,
            schedule,
            faults,
        })
    }

    /// The rungs of the ladder of step sizes.
    pub fn ladder(&self) -> impl Iterator<Item = &Level> {
        self.levels
            .iter()
            .filter(|level| level.arm == Arm::StepSizes)
    }

    /// T, in slow time at constant step size.
    pub fn horizon(&self) -> f64 {
        *self.spec.ladder.horizon.get_ref()
    }

    /// The values of all observables at w; `rank` is that of H on Γ.
    pub fn observe(&self, w: &[f64], rank: usize, out: &mut [f64]) {
        for (value, (_, observable)) in out.iter_mut().zip(&self.observables) {
            *value = observable.value(&self.noisy, w, rank, self.faults.masks);
        }
    }
}

impl Resolver<'_> {
    fn error(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> ScenarioError {
        ScenarioError::at(self.file, self.text, span, message.into(), help.into())
    }

    fn positive(&self, value: &Spanned<f64>, key: &str) -> Result<()> {
        let x = *value.get_ref();
        if x.is_finite() && x > 0.0 {
            Ok(())
        } else {
            Err(self.error(
                value.span(),
                format!("{key} must be a positive number, not {x}"),
                "",
            ))
        }
    }

    fn model(&self, spec: &ModelSpec) -> Result<AnyModel> {
        let name = spec.kind.get_ref().as_str();
        let Some(card) = CARDS.iter().find(|card| card.name == name) else {
            let names: Vec<_> = CARDS.iter().map(|card| card.name).collect();
            let message = format!("unknown model `{name}`");
            return Err(self.error(spec.kind.span(), message, nearest(name, &names)));
        };
        let given = [
            ("dimension", spec.dimension.as_ref().map(Spanned::span)),
            ("profile", spec.profile.as_ref().map(Spanned::span)),
            ("strength", spec.strength.as_ref().map(Spanned::span)),
        ];
        for (option, span) in given {
            if let Some(span) = span
                && !card.options.iter().any(|(name, _)| *name == option)
            {
                let options: Vec<_> = card.options.iter().map(|(name, _)| *name).collect();
                let help = if options.is_empty() {
                    "it has no options beside kind and start".to_owned()
                } else {
                    format!("its options: {}", options.join(", "))
                };
                return Err(self.error(
                    span,
                    format!("model `{name}` has no option `{option}`"),
                    help,
                ));
            }
        }
        let dimension = |least: usize| match &spec.dimension {
            None => Ok(3),
            Some(n) if (least..=10_000).contains(n.get_ref()) => Ok(*n.get_ref()),
            Some(n) => {
                let message = format!(
                    "dimension must be between {least} and 10000, not {}",
                    n.get_ref()
                );
                Err(self.error(n.span(), message, ""))
            }
        };
        match name {
            "product" => Ok(AnyModel::Product(Product)),
            "two-products" => Ok(AnyModel::TwoProducts(TwoProducts)),
            "circle" => Ok(AnyModel::Circle(Circle)),
            "sphere" => Ok(AnyModel::Sphere(Sphere::new(dimension(2)?))),
            "widening-valley" => Ok(AnyModel::WideningValley(WideningValley::new(dimension(1)?))),
            _ => Ok(AnyModel::Valley(self.valley(spec)?)),
        }
    }

    fn valley(&self, spec: &ModelSpec) -> Result<Valley> {
        let profile = match &spec.profile {
            None => Profile::ExpSine,
            Some(name) => {
                let found = Profile::ALL.iter().find(|(n, _)| n == name.get_ref());
                found.map(|(_, profile)| *profile).ok_or_else(|| {
                    let names = Profile::ALL.map(|(n, _)| n);
                    let message = format!("unknown profile `{}`", name.get_ref());
                    self.error(name.span(), message, nearest(name.get_ref(), &names))
                })?
            }
        };
        let (strength, span) = spec
            .strength
            .as_ref()
            .map_or((1.0, 0..0), |s| (*s.get_ref(), s.span()));
        if !strength.is_finite() || (profile == Profile::Quadratic && strength < 0.0) {
            let message = format!(
                "strength must be finite, and at least 0 for the quadratic profile, not {strength}"
            );
            return Err(self.error(span, message, ""));
        }
        Ok(Valley::new(profile, strength))
    }

    fn start(&self, spec: &Spanned<StartSpec>, model: &AnyModel) -> Result<Vec<f64>> {
        let names = model.parameter_names();
        let start = match spec.get_ref() {
            StartSpec::List(values) => values.clone(),
            StartSpec::Named(named) => {
                if let Some(stranger) = named.keys().find(|name| !names.contains(name)) {
                    let known: Vec<_> = names.iter().map(String::as_str).collect();
                    let message = format!("the model has no parameter `{stranger}`");
                    return Err(self.error(spec.span(), message, nearest(stranger, &known)));
                }
                names
                    .iter()
                    .filter_map(|name| named.get(name).copied())
                    .collect()
            }
        };
        if start.len() != names.len() {
            let message = format!(
                "the start has {} numbers, but the model has {} parameters: {}",
                start.len(),
                names.len(),
                names.join(", ")
            );
            return Err(self.error(spec.span(), message, "give one number for each parameter"));
        }
        if let Some(i) = start.iter().position(|x| !x.is_finite()) {
            let message = format!(
                "the start of `{}` is {}, not a finite number",
                names[i], start[i]
            );
            return Err(self.error(spec.span(), message, ""));
        }
        Ok(start)
    }

    fn observables(
        &self,
        spec: &ScenarioSpec,
        model: &AnyModel,
    ) -> Result<Vec<(String, Observable)>> {
        if spec.observables.is_empty() {
            let names = Observable::names(model).join(", ");
            return Err(self.error(
                0..0,
                "there are no observables",
                format!("name at least one of: {names}"),
            ));
        }
        let mut found = Vec::new();
        for name in &spec.observables {
            let text = name.get_ref();
            let Some(observable) = Observable::find(text, model) else {
                let names = Observable::names(model);
                let known: Vec<_> = names.iter().map(String::as_str).collect();
                let message = format!("unknown observable `{text}`");
                return Err(self.error(name.span(), message, nearest(text, &known)));
            };
            if found.iter().any(|(n, _)| n == text) {
                return Err(self.error(
                    name.span(),
                    format!("observable `{text}` is named twice"),
                    "",
                ));
            }
            found.push((text.clone(), observable));
        }
        Ok(found)
    }

    fn levels(&self, spec: &LadderSpec) -> Result<Vec<Level>> {
        let mut sizes = spec.step_sizes.get_ref().clone();
        let fail =
            |message: String, help: &str| Err(self.error(spec.step_sizes.span(), message, help));
        if sizes.len() < 4 {
            return fail(
                format!("{} step sizes are too few to tell a rate", sizes.len()),
                "give at least four, each a fixed factor smaller than the last: [0.2, 0.1, 0.05, 0.025]",
            );
        }
        if let Some(bad) = sizes.iter().find(|x| !(x.is_finite() && **x > 0.0)) {
            return fail(
                format!("step sizes must be positive numbers, not {bad}"),
                "",
            );
        }
        let paths = self.paths(spec)?;
        let mut rungs: Vec<_> = sizes.iter().copied().zip(paths).collect();
        rungs.sort_by(|a, b| b.0.total_cmp(&a.0));
        sizes = rungs.iter().map(|rung| rung.0).collect();
        let ratio = sizes[0] / sizes[1];
        for pair in sizes.windows(2) {
            if pair[0] == pair[1] {
                return fail(format!("the step size {} stands twice", pair[0]), "");
            }
            if (pair[0] / pair[1] / ratio - 1.0).abs() > 0.05 {
                return fail(
                    format!(
                        "the step sizes are not geometric: {} / {} is not {ratio:.3}",
                        pair[0], pair[1]
                    ),
                    "make each a fixed factor smaller than the last (5 % rounding is allowed)",
                );
            }
        }
        self.positive(&spec.sigma, "ladder.sigma")?;
        let q = spec.sigma_exponent;
        if !(q.is_finite() && q >= 0.0) {
            return Err(self.error(
                0..0,
                format!("ladder.sigma_exponent must be at least 0, not {q}"),
                "",
            ));
        }
        let sigma = |step_size: f64| spec.sigma.get_ref() * (step_size / sizes[0]).powf(q);
        let mut levels = Vec::new();
        for &(step_size, paths) in &rungs {
            levels.push(Level {
                number: levels.len() as u32,
                step_size,
                sigma: sigma(step_size),
                paths,
                arm: Arm::StepSizes,
            });
        }
        let (at, span) = spec
            .sigma_step_size
            .as_ref()
            .map_or((sizes[1], 0..0), |s| (*s.get_ref(), s.span()));
        let Some(base) = levels.iter().find(|level| level.step_size == at).copied() else {
            let message = format!("ladder.sigma_step_size {at} is not one of ladder.step_sizes");
            return Err(self.error(span, message, ""));
        };
        for &factor in &spec.sigma_factors {
            if !(factor.is_finite() && factor > 0.0 && factor != 1.0) {
                let message = format!(
                    "ladder.sigma_factors must be positive and differ from 1, not {factor}"
                );
                return Err(self.error(0..0, message, ""));
            }
            levels.push(Level {
                number: levels.len() as u32,
                sigma: base.sigma * factor,
                arm: Arm::Sigmas,
                ..base
            });
        }
        Ok(levels)
    }

    fn paths(&self, spec: &LadderSpec) -> Result<Vec<usize>> {
        let rungs = spec.step_sizes.get_ref().len();
        let paths = match spec.paths.get_ref() {
            PathsSpec::Same(n) => vec![*n; rungs],
            PathsSpec::Each(each) => each.clone(),
        };
        let fail = |message| Err(self.error(spec.paths.span(), message, ""));
        if paths.len() != rungs {
            return fail(format!(
                "{} numbers of paths for {rungs} step sizes",
                paths.len()
            ));
        }
        match paths.iter().find(|&&n| n < 8) {
            Some(n) => fail(format!(
                "{n} paths are too few to estimate a standard error; give at least 8"
            )),
            None => Ok(paths),
        }
    }

    fn record_times(&self, spec: &LadderSpec) -> Result<Vec<f64>> {
        self.positive(&spec.horizon, "ladder.horizon")?;
        let horizon = *spec.horizon.get_ref();
        let fail = |message: String| Err(self.error(spec.records.span(), message, ""));
        match spec.records.get_ref() {
            RecordsSpec::Count(0) => fail("at least one record is needed".into()),
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

    fn schedule(&self, spec: &ScheduleSpec, horizon: f64) -> Result<Schedule> {
        let kind = spec.kind;
        let options = [
            (
                "gamma",
                spec.gamma.as_ref().map(Spanned::span),
                ScheduleKind::Polynomial,
            ),
            (
                "decay_time",
                spec.decay_time.as_ref().map(Spanned::span),
                ScheduleKind::Polynomial,
            ),
            (
                "decay_steps",
                spec.decay_steps.as_ref().map(Spanned::span),
                ScheduleKind::Polynomial,
            ),
            (
                "pieces",
                spec.pieces.as_ref().map(Spanned::span),
                ScheduleKind::Piecewise,
            ),
            (
                "floor",
                spec.floor.as_ref().map(Spanned::span),
                ScheduleKind::Cosine,
            ),
        ];
        for (option, span, of) in options {
            if let Some(span) = span
                && of != kind
            {
                let of = format!("{of:?}").to_lowercase();
                return Err(self.error(
                    span,
                    format!("`{option}` belongs to the {of} schedule"),
                    format!("set schedule.kind = \"{of}\" or remove it"),
                ));
            }
        }
        match kind {
            ScheduleKind::Constant => Ok(Schedule::Constant),
            ScheduleKind::Polynomial => {
                let Some(gamma) = &spec.gamma else {
                    return Err(self.error(
                        0..0,
                        "the polynomial schedule needs schedule.gamma",
                        "",
                    ));
                };
                self.positive(gamma, "schedule.gamma")?;
                let gamma = *gamma.get_ref();
                match (&spec.decay_time, &spec.decay_steps) {
                    (Some(time), None) => {
                        self.positive(time, "schedule.decay_time")?;
                        Ok(Schedule::Polynomial { gamma, decay_time: *time.get_ref() })
                    }
                    (None, Some(steps)) => {
                        self.positive(steps, "schedule.decay_steps")?;
                        Ok(Schedule::PolynomialInSteps { gamma, decay_steps: *steps.get_ref() })
                    }
                    _ => Err(self.error(0..0, "the polynomial schedule needs one of schedule.decay_time and schedule.decay_steps", "")),
                }
            }
            ScheduleKind::Piecewise => {
                let Some(pieces) = &spec.pieces else {
                    return Err(self.error(
                        0..0,
                        "the piecewise schedule needs schedule.pieces = [[from, factor], …]",
                        "",
                    ));
                };
                let list = pieces.get_ref();
                let good = list.first().is_some_and(|piece| piece[0] == 0.0)
                    && list.windows(2).all(|p| p[0][0] < p[1][0])
                    && list
                        .iter()
                        .all(|p| p[1].is_finite() && p[1] > 0.0 && p[1] <= 1.0);
                if good {
                    Ok(Schedule::Piecewise(list.clone()))
                } else {
                    Err(self.error(
                        pieces.span(),
                        "pieces must begin at 0, increase in time and have factors in (0, 1]",
                        "example: [[0.0, 1.0], [0.5, 0.1]]",
                    ))
                }
            }
            ScheduleKind::Cosine => {
                let floor = spec.floor.as_ref().map_or(0.0, |f| *f.get_ref());
                if (0.0..1.0).contains(&floor) {
                    Ok(Schedule::Cosine { floor, horizon })
                } else {
                    let span = spec.floor.as_ref().map_or(0..0, Spanned::span);
                    Err(self.error(
                        span,
                        format!("schedule.floor must lie in [0, 1), not {floor}"),
                        "",
                    ))
                }
            }
        }
    }

    fn limit(&self, spec: &ScenarioSpec) -> Result<()> {
        let limit = &spec.limit;
        self.positive(&limit.tolerance, "limit.tolerance")?;
        if let Some(step) = &limit.time_step {
            self.positive(step, "limit.time_step")?;
        }
        if let Some(paths) = &limit.paths
            && *paths.get_ref() < 8
        {
            return Err(self.error(paths.span(), "limit.paths must be at least 8", ""));
        }
        for (key, x) in [
            ("drift_scale", limit.drift_scale),
            ("diffusion_scale", limit.diffusion_scale),
        ] {
            if !x.is_finite() {
                return Err(self.error(0..0, format!("limit.{key} must be finite, not {x}"), ""));
            }
        }
        if limit.masks == MasksSpec::Local
            && !spec
                .noise
                .iter()
                .any(|n| *n.law.get_ref() == crate::random::Law::Bernoulli)
        {
            return Err(self.error(
                0..0,
                "limit.masks = \"local\" needs a noise with law = \"bernoulli\"",
                "",
            ));
        }
        match (&limit.integrator, limit.corrected) {
            (Some(kind), _) if *kind.get_ref() == IntegratorKind::RungeKutta && limit.time_step.is_some() => {
                Err(self.error(kind.span(), "limit.time_step is of the euler-maruyama integrator; runge-kutta has limit.tolerance", ""))
            }
            _ => Ok(()),
        }
    }

    fn margins(&self, margins: &MarginsSpec) -> Result<()> {
        let named = [
            ("mean", margins.mean),
            ("law", margins.law),
            ("ks", margins.ks),
            ("exponent", margins.exponent),
            ("spread", margins.spread),
            ("order", margins.order),
            ("freezing", margins.freezing),
        ];
        for (key, x) in named {
            if !(x.is_finite() && x > 0.0) {
                return Err(self.error(
                    0..0,
                    format!("margins.{key} must be a positive number, not {x}"),
                    "",
                ));
            }
        }
        for (key, x, below) in [("level", margins.level, 0.5), ("share", margins.share, 1.0)] {
            if !(x > 0.0 && x < below) {
                return Err(self.error(
                    0..0,
                    format!("margins.{key} must lie between 0 and {below}, not {x}"),
                    "",
                ));
            }
        }
        if margins.exponent >= 0.5 {
            return Err(self.error(
                0..0,
                "margins.exponent must be below 0.5, or the two time scales can't be told apart",
                "",
            ));
        }
        Ok(())
    }
}
