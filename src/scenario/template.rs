//! A commented scenario to start from: `singlim new MODEL NOISE`.

use nalgebra::DVector;

use super::load::{ScenarioError, nearest, parse};
use super::model::model;
use super::{Observable, start};
use crate::derive::{
    GeometryError, Masks, NoiseOrder, Regime, flow_map, noise_order, project, rank_on_manifold,
    regime_near,
};
use crate::models::{AnyModel, CARDS, Model};
use crate::noise::{Mechanism, NoisyLoss, Source};
use crate::random::Law;

/// The text of a scenario for this model and noise, ready to run and to be edited.
///
/// # Errors
/// Unknown names, or a noise for which the model has no socket.
pub fn template(model_name: &str, noise_name: &str) -> Result<String, ScenarioError> {
    let fail = |message: String, help: String| ScenarioError {
        file: format!("new {model_name} {noise_name}"),
        place: None,
        message,
        help,
    };
    let Some(card) = CARDS.iter().find(|card| card.name == model_name) else {
        let names: Vec<_> = CARDS.iter().map(|card| card.name).collect();
        return Err(fail(
            format!("unknown model `{model_name}`"),
            nearest(model_name, &names),
        ));
    };
    let Some(mechanism) = Mechanism::EVERY
        .into_iter()
        .find(|m| m.name() == noise_name)
    else {
        let names = Mechanism::EVERY.map(Mechanism::name);
        return Err(fail(
            format!("unknown noise `{noise_name}`"),
            nearest(noise_name, &names),
        ));
    };
    let (observables, options, start, data) = beginning(model_name, mechanism);
    let begin = format!(
        "observables = [{observables}]\n\n\
         [model]   # {formula}\n\
         kind = \"{model_name}\"\n\
         {options}start = {start}   # w₀, on Γ or off it\n\n\
         {data}",
        formula = card.formula,
    );
    let ladder = "[ladder]\nstep_sizes = []\nsigma = 1.0\nhorizon = 1.0\npaths = 8\n";
    let (spec, origin) = parse("new", &format!("{begin}{ladder}"), &[])?;
    let model = model(&spec, &origin)?;
    let start = start::start(&spec.model.start, &model.parameter_names(), &model.fan_in())
        .map_err(|error| fail(error.message, error.help))?;
    let source = Source::new(mechanism, Law::Gaussian);
    let mut names = Observable::names(&model);
    if names.len() > 16 {
        names.drain(3..model.dimension() - 1);
        names.insert(3, "…".into());
    }
    let names = names.join(", ");
    let noisy = NoisyLoss::new(model, vec![source])
        .map_err(|error| fail(error.to_string(), String::new()))?;
    let laws = if mechanism.socket().is_multiplied() {
        "\"gaussian\", \"rademacher\", \"uniform\" or \"bernoulli\" (a mask 1 + η = B/p, σ² = (1−p)/p)"
    } else {
        "\"gaussian\", \"rademacher\" or \"uniform\""
    };
    let coupling = if mechanism == Mechanism::Sgld {
        "# [coupling]    # compare path by path, all rungs and the limit driven by one Brownian motion\n\
         # paths = 256\n\n"
    } else {
        ""
    };
    let design =
        Design::of(&noisy, &start).map_err(|error| fail(error.to_string(), String::new()))?;
    let Design {
        step_sizes,
        sigma,
        exponent,
        horizon,
        regime,
        stochastic,
    } = design;
    // Means over a diffusion scatter more; networks take their time.
    let (paths, margins) = match (stochastic, data.is_empty()) {
        (true, true) => (20_000, "mean = 0.1\nsquare = 0.2"),
        (true, false) => (2000, "mean = 0.1\nsquare = 0.2"),
        _ => (2000, "mean = 0.03"),
    };
    Ok(format!(
        "# {model_name} with {mechanism} noise. Validate: singlim check FILE. Theory alone: singlim predict FILE.\n\
         # For completion in editors: singlim schema > schema.json beside it, and #:schema ./schema.json as the first line.\n\
         title = \"{model_name} with {mechanism} noise\"\n\
         seed = 1\n\
         # The first one is also the one whose time scale is measured. Known here: {names}\n\
         {begin}\
         [[noise]]   # {noise_formula}\n\
         kind = \"{mechanism}\"\n\
         law = \"gaussian\"   # {laws}\n\
         scale = 1.0        # standard deviation in units of σ\n\n\
         [ladder]\n\
         step_sizes = [{step_sizes}]   # at least four, geometric; α·λ_max < 2\n\
         sigma = {sigma:?}            # σ at the largest step size\n\
         sigma_exponent = {exponent:?}   # q in σ ∝ α^q; 0 keeps σ fixed\n\
         sigma_factors = [0.5, 0.7]   # further rungs at another σ, to measure its exponent\n\
         sigma_grid = false   # true: at every step size, to measure both exponents jointly\n\
         horizon = {horizon:.3}        # T in slow time\n\
         records = 5\n\
         paths = {paths}\n\n\
         # [schedule]\n\
         # kind = \"polynomial\"   # α_k = α (1 + k/k₀)^−γ; or \"piecewise\", \"cosine\"\n\
         # gamma = 0.75\n\
         # decay_time = 0.2      # k₀ as a slow time\n\n\
         [limit]\n\
         corrected = false   # true: correct the limit for each finite step size\n\n\
         {coupling}\
         [expect]\n\
         regime = \"{regime}\"   # as derived; a disagreement is a rejected check\n\n\
         [margins]   # shares of the total displacement, declared before the run\n\
         {margins}\n",
        noise_formula = mechanism.formula(),
    ))
}

/// Observables, options, start and data from which to begin with a model.
fn beginning(
    model: &str,
    mechanism: Mechanism,
) -> (&'static str, &'static str, &'static str, &'static str) {
    const TEACHER: &str = "[data]   # generated; or file = \"data/NAME.csv\", features, targets, standardise, train\n\
        samples = 5\n\
        test_samples = 100\n\
        truth = \"teacher\"   # or \"sparse\", \"dense\", \"low-rank\"\n\n";
    match model {
        "product" => ("\"imbalance\", \"u\"", "", "[1.6, 0.625]", ""),
        "two-products" => {
            // What moves by a good part of itself, so that 2000 paths can tell.
            let flattens = matches!(mechanism, Mechanism::Label | Mechanism::AntiPgd);
            let observables = if flattens { "\"norm\"" } else { "\"share\"" };
            (observables, "", "[1.0, 0.2, 1.6, 0.5]", "")
        }
        "formula" => (
            "\"u\"",
            "parameters = [\"u\", \"v\"]   # or \"x[1..20]\"\n\
             noise = [\"e\"]             # the η of `formula` noise\n\
             loss = \"0.5*(u*v - 1 - e)^2\"\n",
            "{ u = 1.6, v = 0.625 }",
            "",
        ),
        "circle" => ("\"u2\"", "", "[0.96, 0.28]", ""),
        "sphere" => ("\"w1\"", "dimension = 3\n", "[0.6, 0.0, 0.8]", ""),
        "widening-valley" => (
            "\"radius_squared\"",
            "dimension = 3\n",
            "[1.5, 0.0, 0.0, 0.0]",
            "",
        ),
        "diagonal-network" => (
            "\"norm\", \"l1\"",
            "dimension = 20   # inputs\ndepth = 2\n",
            "{ u = 0.7, v = 0.5 }",
            "[data]   # generated; or file = \"data/NAME.csv\", features, targets, standardise, train\n\
             samples = 8\n\
             test_samples = 100\n\
             truth = \"sparse\"   # or \"dense\"\n\
             sparsity = 2\n\n",
        ),
        "deep-linear" => (
            "\"norm\", \"nuclear_norm\"",
            "widths = [8, 4, 1]\n",
            "{ random = 1.0, seed = 1 }",
            TEACHER,
        ),
        "matrix-sensing" => (
            "\"norm\", \"nuclear_norm\"",
            "widths = [4, 4, 4]\n",
            "{ random = 1.0, seed = 1 }",
            "[data]\n\
             samples = 8\n\
             test_samples = 100\n\
             truth = \"low-rank\"\n\
             rank = 1\n\n",
        ),
        "perceptron" => (
            "\"norm\", \"sharpness\"",
            "widths = [8, 6, 1]   # inputs, hidden units, outputs\nactivation = \"tanh\"   # or \"gelu\", \"softplus\", \"relu\"\nbiases = true\n",
            "{ random = 1.0, seed = 1 }",
            TEACHER,
        ),
        _ => (
            "\"x\", \"sin_x\"",
            "profile = \"exp-sine\"   # or \"quadratic\", \"cosh\"\nstrength = 1.0\n",
            "[0.3, 0.0]",
            "",
        ),
    }
}

/// A ladder that suits the noise: stable, and such that all predicted error terms vanish along it.
struct Design {
    step_sizes: String,
    sigma: f64,
    exponent: f64,
    horizon: f64,
    regime: Regime,
    stochastic: bool,
}

impl Design {
    fn of(noisy: &NoisyLoss<AnyModel>, start: &[f64]) -> Result<Self, GeometryError> {
        let start = DVector::from_column_slice(start);
        let w = flow_map(noisy, &start)?;
        let rank = rank_on_manifold(noisy, &w)?;
        let (w, frame) = project(noisy, &w, rank)?;
        let evidence = regime_near(noisy, &w, rank, Masks::NonLocal)?;
        let regime = evidence.regime;
        let (exponent, ratio, sigma) = match (regime, noise_order(noisy, &w)) {
            (Regime::Degenerate, NoiseOrder::Curved) => (1.0, std::f64::consts::SQRT_2, 0.1),
            (Regime::NonDegenerate, _) => (0.5, 2.0, 0.2),
            _ => (0.0, 2.0, 0.3),
        };
        let largest = 0.25 / frame.largest_eigenvalue();
        // A Brownian motion on Γ should not go far from where the step sizes suit.
        let free = (w.len() - rank) as f64;
        let horizon = if evidence.is_stochastic() {
            0.5f64.min(0.25 * w.norm_squared().max(1.0) / free)
        } else {
            0.5
        };
        let rung = |i: i32| format!("{:.4}", largest / f64::powi(ratio, i));
        Ok(Self {
            step_sizes: (0..4).map(rung).collect::<Vec<_>>().join(", "),
            sigma,
            exponent,
            horizon,
            regime,
            stochastic: evidence.is_stochastic(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Study, parse};

    #[test]
    fn every_template_is_a_valid_scenario() {
        let mut written = 0;
        for card in CARDS {
            for mechanism in Mechanism::EVERY {
                match template(card.name, mechanism.name()) {
                    Ok(text) => {
                        let (spec, source) = parse("new.toml", &text, &[]).unwrap();
                        Study::resolve(spec, source).unwrap();
                        written += 1;
                    }
                    Err(error) => assert!(error.to_string().contains("has no"), "{error}"),
                }
            }
        }
        assert!(written >= 28, "{written}");
    }

    #[test]
    fn mistyped_names_get_the_nearest_one() {
        assert!(
            template("prodct", "label")
                .unwrap_err()
                .to_string()
                .contains("did you mean `product`?")
        );
        assert!(
            template("product", "lable")
                .unwrap_err()
                .to_string()
                .contains("did you mean `label`?")
        );
    }
}
