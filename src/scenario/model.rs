//! From `[model]` and `[data]` to the model: options checked, data generated or read, lengths held against each other.

use std::sync::Arc;

use super::data::{Shape, generate, read};
use super::load::nearest;
use super::stream::stream;
use super::{DataSpec, ScenarioError, ScenarioSpec, Source};
use crate::models::{
    Activation, AnyModel, CARDS, Circle, Data, DeepLinear, DiagonalNetwork, MatrixSensing, Network,
    Perceptron, Product, Profile, Regression, Sphere, TwoProducts, Valley, WideningValley,
};
use rand::RngExt;
use rand_distr::StandardNormal;

/// Models that are no networks take m³ operations a step of the limit.
const LARGEST_DIMENSION: usize = 1000;
/// Networks: J has as many numbers as parameters times residuals.
const MOST_PARAMETERS: usize = 1_000_000;
const DEEPEST: usize = 20;

type Result<T> = std::result::Result<T, ScenarioError>;

/// The model of a scenario, with its data.
///
/// # Errors
/// Unknown names, options of other models, values out of range, data that can't be had or do not fit the model.
pub(super) fn model(spec: &ScenarioSpec, source: &Source) -> Result<AnyModel> {
    let r = Resolver { spec, source };
    r.options()?;
    let name = spec.model.kind.as_str();
    match name {
        "product" => Ok(AnyModel::Product(Product)),
        "two-products" => Ok(AnyModel::TwoProducts(TwoProducts)),
        "circle" => Ok(AnyModel::Circle(Circle)),
        "sphere" => Ok(AnyModel::Sphere(Sphere::new(r.dimension(
            3,
            2,
            LARGEST_DIMENSION,
        )?))),
        "widening-valley" => {
            let dimension = r.dimension(3, 1, LARGEST_DIMENSION)?;
            Ok(AnyModel::WideningValley(WideningValley::new(dimension)))
        }
        "valley" => Ok(AnyModel::Valley(r.valley()?)),
        "formula" => super::formula::model(spec, source).map(AnyModel::Formula),
        "diagonal-network" => {
            let depth = spec.model.depth.unwrap_or(2);
            if !(2..=DEEPEST).contains(&depth) {
                let message = format!("depth must be between 2 and {DEEPEST}, not {depth}");
                let near = depth.clamp(2, DEEPEST);
                let help = format!("the nearest valid value is {near}");
                return r.fail("model.depth", message, help);
            }
            let features = r.features()?;
            let network = DiagonalNetwork::new(features, depth);
            r.regression(network, None).map(AnyModel::DiagonalNetwork)
        }
        "deep-linear" => {
            let network = DeepLinear::new(r.widths()?);
            r.regression(network, None).map(AnyModel::DeepLinear)
        }
        "matrix-sensing" => {
            let widths = r.widths()?;
            let matrix = (widths[widths.len() - 1], widths[0]);
            r.regression(MatrixSensing::new(widths), Some(matrix))
                .map(AnyModel::MatrixSensing)
        }
        _ => {
            let network = Perceptron::new(
                r.widths()?,
                r.activation()?,
                spec.model.biases.unwrap_or(true),
            );
            r.regression(network, None).map(AnyModel::Perceptron)
        }
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

    /// The model exists, and has all the options that are given.
    fn options(&self) -> Result<()> {
        let spec = &self.spec.model;
        let name = spec.kind.as_str();
        let Some(card) = CARDS.iter().find(|card| card.name == name) else {
            let names: Vec<_> = CARDS.iter().map(|card| card.name).collect();
            return self.fail(
                "model.kind",
                format!("unknown model `{name}`"),
                nearest(name, &names),
            );
        };
        for (option, given) in [
            ("dimension", spec.dimension.is_some()),
            ("profile", spec.profile.is_some()),
            ("strength", spec.strength.is_some()),
            ("depth", spec.depth.is_some()),
            ("widths", spec.widths.is_some()),
            ("activation", spec.activation.is_some()),
            ("biases", spec.biases.is_some()),
            ("parameters", spec.parameters.is_some()),
            ("noise", spec.noise.is_some()),
            ("loss", spec.loss.is_some()),
            ("residuals", spec.residuals.is_some()),
            ("constants", spec.constants.is_some()),
            ("tables", spec.tables.is_some()),
            ("let", spec.parts.is_some()),
        ] {
            if given && !card.options.iter().any(|(name, _)| *name == option) {
                let options: Vec<_> = card.options.iter().map(|(name, _)| *name).collect();
                let help = match options.len() {
                    0 => "it has no options beside kind and start".to_owned(),
                    _ => format!("its options: {}", options.join(", ")),
                };
                let message = format!("model `{name}` has no option `{option}`");
                return self.fail(&format!("model.{option}"), message, help);
            }
        }
        match (&self.spec.data, card.takes_data) {
            (None, true) => {
                let message = format!("model `{name}` needs data");
                let help = "add a section [data] with samples and truth, or with file, features and targets";
                self.fail("model.kind", message, help)
            }
            (Some(_), false) => {
                let message = format!("model `{name}` takes no data");
                self.fail("data", message, "remove the section [data]")
            }
            _ => Ok(()),
        }
    }

    fn dimension(&self, default: usize, least: usize, most: usize) -> Result<usize> {
        match self.spec.model.dimension.unwrap_or(default) {
            n if (least..=most).contains(&n) => Ok(n),
            n => self.fail(
                "model.dimension",
                format!("dimension must be between {least} and {most}, not {n}"),
                format!("the nearest valid value is {}", n.clamp(least, most)),
            ),
        }
    }

    fn valley(&self) -> Result<Valley> {
        let spec = &self.spec.model;
        let name = spec.profile.as_deref().unwrap_or("exp-sine");
        let Some((_, profile)) = Profile::ALL.into_iter().find(|(n, _)| *n == name) else {
            let names = Profile::ALL.map(|(n, _)| n);
            return self.fail(
                "model.profile",
                format!("unknown profile `{name}`"),
                nearest(name, &names),
            );
        };
        let strength = spec.strength.unwrap_or(1.0);
        if !strength.is_finite() || (profile == Profile::Quadratic && strength < 0.0) {
            let message = format!(
                "strength must be finite, and at least 0 for the quadratic profile, not {strength}"
            );
            return self.fail("model.strength", message, "1 is the default");
        }
        Ok(Valley::new(profile, strength))
    }

    /// d of a diagonal network: that of the file's features, or `dimension`.
    fn features(&self) -> Result<usize> {
        let from_file = self.spec.data.as_ref().and_then(|d| d.features.as_ref());
        match (from_file, self.spec.model.dimension) {
            (Some(features), None) => Ok(features.len().max(1)),
            (None, None) => self.fail(
                "model.kind",
                "the diagonal network needs model.dimension, the number of its inputs",
                "add dimension = 100, say",
            ),
            _ => self.dimension(1, 1, MOST_PARAMETERS / 2),
        }
    }

    fn widths(&self) -> Result<Vec<usize>> {
        const KEY: &str = "model.widths";
        let help = "from the inputs to the outputs: widths = [3, 16, 1]";
        let Some(widths) = &self.spec.model.widths else {
            let message = format!("model `{}` needs model.widths", self.spec.model.kind);
            return self.fail("model.kind", message, help);
        };
        self.good_widths(KEY, widths)?;
        Ok(widths.clone())
    }

    fn good_widths(&self, key: &str, widths: &[usize]) -> Result<()> {
        let help = "from the inputs to the outputs: widths = [3, 16, 1]";
        if widths.len() < 2 || widths.contains(&0) {
            let message = format!("{key} must be at least two positive numbers, not {widths:?}");
            return self.fail(key, message, help);
        }
        let parameters: f64 = widths
            .windows(2)
            .map(|w| (w[0] as f64 + 1.0) * w[1] as f64)
            .sum();
        if widths.len() > DEEPEST + 1 || parameters > MOST_PARAMETERS as f64 {
            let message = format!(
                "{key} makes {} layers with {parameters:.1e} parameters; at most {DEEPEST} layers and {MOST_PARAMETERS:.0e} parameters are taken",
                widths.len() - 1
            );
            return self.fail(key, message, "");
        }
        Ok(())
    }

    fn activation(&self) -> Result<Activation> {
        let name = self.spec.model.activation.as_deref().unwrap_or("tanh");
        let found = Activation::ALL.into_iter().find(|(n, _)| *n == name);
        found.map_or_else(
            || {
                let names = Activation::ALL.map(|(n, _)| n);
                self.fail(
                    "model.activation",
                    format!("unknown activation `{name}`"),
                    nearest(name, &names),
                )
            },
            |(_, activation)| Ok(activation),
        )
    }

    fn regression<F: Network>(
        &self,
        network: F,
        matrix: Option<(usize, usize)>,
    ) -> Result<Regression<F>> {
        let Some(spec) = &self.spec.data else {
            return self.fail(
                "model.kind",
                "the model needs a section [data]",
                "`singlim new MODEL NOISE` shows one",
            );
        };
        let data = self.data(spec, &network, matrix)?;
        let inputs = (network.inputs(), data.features, "inputs", "data.features");
        let outputs = (network.outputs(), data.targets, "outputs", "data.targets");
        for (of_network, of_data, what, key) in [inputs, outputs] {
            if of_network != of_data {
                let message =
                    format!("the network has {of_network} {what}, but the data have {of_data}");
                return self.fail(key, message, "change the model's widths or the columns");
            }
        }
        Ok(Regression::new(network, Arc::new(data)))
    }

    fn data<F: Network>(
        &self,
        spec: &DataSpec,
        network: &F,
        matrix: Option<(usize, usize)>,
    ) -> Result<Data> {
        let blame = |error: super::data::DataError| error.at(self.source);
        if spec.is_from_file().map_err(blame)? {
            return read(spec, &self.source.folder).map_err(blame);
        }
        let shape = Shape {
            features: network.inputs(),
            targets: network.outputs(),
            matrix,
        };
        match &spec.teacher_widths {
            None => generate(spec, shape, Some(&teacher(network, spec.seed))).map_err(blame),
            Some(widths) => {
                if self.spec.model.kind != "perceptron" {
                    let message = "data.teacher_widths is for perceptrons";
                    return self.fail("data.teacher_widths", message, "remove it");
                }
                self.good_widths("data.teacher_widths", widths)?;
                let ends = (widths[0], widths[widths.len() - 1]);
                if ends != (shape.features, shape.targets) {
                    let message = format!(
                        "the teacher has {} inputs and {} outputs, but the network has {} and {}",
                        ends.0, ends.1, shape.features, shape.targets
                    );
                    return self.fail("data.teacher_widths", message, "");
                }
                let biases = self.spec.model.biases.unwrap_or(true);
                let network = Perceptron::new(widths.clone(), self.activation()?, biases);
                generate(spec, shape, Some(&teacher(&network, spec.seed))).map_err(blame)
            }
        }
    }
}

/// x ↦ f(w, x) with wᵢ ~ N(0, 1/fan-inᵢ), drawn from the seed of the data.
fn teacher<F: Network>(network: &F, seed: u64) -> impl Fn(&[f64]) -> Vec<f64> {
    let mut random = stream(seed, b"teacher", 0);
    let mut draw = |&n: &usize| -> f64 {
        let g: f64 = random.sample(StandardNormal);
        g / (n.max(1) as f64).sqrt()
    };
    let w: Vec<f64> = network.fan_in().iter().map(&mut draw).collect();
    let network = network.clone();
    move |x| {
        let mut scratch = vec![0.0; network.scratch()];
        let mut output = vec![[0.0]; network.outputs()];
        network.begin(&w, &[], &mut scratch);
        network.forward(&w, [x], [&[]], &mut scratch, &mut output);
        output.into_flattened()
    }
}
