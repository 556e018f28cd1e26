//! A commented scenario to start from: `singlim new MODEL NOISE`.

use super::Observable;
use super::load::{ScenarioError, nearest};
use crate::models::{
    AnyModel, CARDS, Circle, Model, Product, Profile, Sphere, TwoProducts, Valley, WideningValley,
};
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
    let Some(mechanism) = Mechanism::ALL.into_iter().find(|m| m.name() == noise_name) else {
        let names = Mechanism::ALL.map(Mechanism::name);
        return Err(fail(
            format!("unknown noise `{noise_name}`"),
            nearest(noise_name, &names),
        ));
    };
    let (model, start, observables, extra) = match model_name {
        "product" => (
            AnyModel::Product(Product),
            "{ u = 2.0, v = 0.5 }",
            "\"imbalance\", \"u\"",
            String::new(),
        ),
        "two-products" => (
            AnyModel::TwoProducts(TwoProducts),
            "[0.5, 0.5, 0.8660254037844386, 0.8660254037844386]",
            "\"mixing\", \"share\"",
            String::new(),
        ),
        "circle" => (
            AnyModel::Circle(Circle),
            "[0.9, 0.43588989435406733]",
            "\"angle\"",
            String::new(),
        ),
        "sphere" => (
            AnyModel::Sphere(Sphere::new(3)),
            "[1.0, 0.0, 0.0]",
            "\"w1\"",
            "dimension = 3\n".into(),
        ),
        "widening-valley" => (
            AnyModel::WideningValley(WideningValley::new(3)),
            "[1.2, 0.0, 0.0, 0.0]",
            "\"radius_squared\"",
            "dimension = 3\n".into(),
        ),
        _ => (
            AnyModel::Valley(Valley::new(Profile::ExpSine, 1.0)),
            "[0.3, 0.0]",
            "\"x\", \"sin_x\"",
            "profile = \"exp-sine\"   # or \"quadratic\", \"cosh\"\nstrength = 1.0\n".into(),
        ),
    };
    let source = Source {
        mechanism,
        law: Law::Gaussian,
        scale: 1.0,
    };
    let names = Observable::names(&model).join(", ");
    let noisy = NoisyLoss::new(model, vec![source])
        .map_err(|error| fail(error.to_string(), String::new()))?;
    let laws = if mechanism.socket().is_multiplied() {
        "\"gaussian\", \"rademacher\", \"uniform\" or \"bernoulli\" (a mask 1 + η = B/p, σ² = (1−p)/p)"
    } else {
        "\"gaussian\", \"rademacher\" or \"uniform\""
    };
    let (exponent, sigma) = if crate::derive::is_affine_in_noise(&noisy, &nalgebra_start(&noisy)) {
        ("0.0", "0.3")
    } else {
        ("1.0", "0.2")
    };
    Ok(format!(
        "# {model_name} with {mechanism} noise. Validate: singlim check FILE. Theory alone: singlim predict FILE.\n\
         title = \"{model_name} with {mechanism} noise\"\n\
         seed = 1\n\
         # The first one is also the one whose time scale is measured. Known here: {names}\n\
         observables = [{observables}]\n\n\
         [model]   # {formula}\n\
         kind = \"{model_name}\"\n\
         {extra}start = {start}   # w₀, on Γ or off it\n\n\
         [[noise]]   # {noise_formula}\n\
         kind = \"{mechanism}\"\n\
         law = \"gaussian\"   # {laws}\n\
         scale = 1.0        # standard deviation in units of σ\n\n\
         [ladder]\n\
         step_sizes = [0.2, 0.1414, 0.1, 0.0707, 0.05]   # at least four, geometric; α·λ_max < 2\n\
         sigma = {sigma}            # σ at the largest step size\n\
         sigma_exponent = {exponent}   # q in σ ∝ α^q; 0 keeps σ fixed\n\
         sigma_factors = [0.5, 0.7]   # further rungs at another σ, to measure its exponent\n\
         horizon = 0.5          # T in slow time\n\
         records = 5\n\
         paths = 2000\n\n\
         # [schedule]\n\
         # kind = \"polynomial\"   # α_k = α (1 + k/k₀)^−γ; or \"piecewise\", \"cosine\"\n\
         # gamma = 0.75\n\
         # decay_time = 0.2      # k₀ as a slow time\n\n\
         [limit]\n\
         corrected = false   # true: correct the limit for each finite step size\n\n\
         [expect]\n\
         # regime = \"degenerate\"   # or \"non-degenerate\", \"trivial\"; `singlim predict` tells\n\n\
         [margins]   # shares of the total displacement, declared before the run\n\
         mean = 0.03\n",
        formula = card.formula,
        noise_formula = mechanism.formula(),
    ))
}

fn nalgebra_start<M: Model>(noisy: &NoisyLoss<M>) -> nalgebra::DVector<f64> {
    nalgebra::DVector::from_fn(noisy.dimension(), |i, _| 0.5 + 0.1 * i as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Study, parse};

    #[test]
    fn every_template_is_a_valid_scenario() {
        let mut written = 0;
        for card in CARDS {
            for mechanism in Mechanism::ALL {
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
