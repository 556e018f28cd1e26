//! From `[model]` with `kind = "formula"` to the model: constants, tables, names and formulas, errors at their column.

use super::data::rows;
use super::{
    ConstantSpec, GENERIC_OBSERVABLES, NoiseSpec, ObservablesSpec, ScenarioError, ScenarioSpec,
    Source,
};
use crate::formula::{Declaration, Formula, FormulaError, Names, Problem, Symbol, declarations};
use crate::models::{FormulaModel, Formulas};
use crate::noise::Mechanism;
use crate::random::Law;

/// Formulas have no structure that spares m³ operations a step of the limit, unless they are residuals.
const LARGEST_DIMENSION: usize = 1000;

type Result<T> = std::result::Result<T, ScenarioError>;

/// Without a section `[[noise]]` a formula with noises has them Gaussian.
pub(super) fn default_noise(spec: &mut ScenarioSpec) {
    let named = spec
        .model
        .noise
        .as_ref()
        .is_some_and(|noise| !noise.is_empty());
    if spec.model.kind == "formula" && named && spec.noise.is_empty() {
        spec.noise.push(NoiseSpec {
            kind: Mechanism::Formula,
            law: Law::Gaussian,
            scale: 1.0,
            batch_size: None,
            sampling: None,
            per_sample: false,
        });
    }
}

/// The model of a scenario whose loss is a formula.
///
/// # Errors
/// Anything wrong with its formulas, at its column; files that can't be read.
pub(super) fn model(spec: &ScenarioSpec, source: &Source) -> Result<FormulaModel> {
    let fail = |key: &str, message: &str, help: &str| Err(source.error(key, message, help));
    let options = &spec.model;
    let mut names = Names::new();
    constants(spec, source, &mut names)?;
    tables(spec, source, &mut names)?;
    let Some(listed) = options.parameters.as_ref().filter(|list| !list.is_empty()) else {
        let help = "add parameters = [\"u\", \"v\"], or [\"x[1..20]\"]";
        return fail("model.kind", "a formula needs model.parameters", help);
    };
    let at = |error: FormulaError| blame(error, source);
    let parameters = declarations(&mut names, listed, 0, &["model", "parameters"]).map_err(at)?;
    let m = parameters.iter().map(Declaration::count).sum();
    if m > LARGEST_DIMENSION && options.residuals.is_none() {
        let message = format!(
            "a loss with {m} parameters; at most {LARGEST_DIMENSION} are taken unless it is given by residuals"
        );
        return fail(
            "model.parameters",
            &message,
            "give residuals = […] in place of the loss",
        );
    }
    let noises = options.noise.clone().unwrap_or_default();
    let noise = declarations(&mut names, &noises, m, &["model", "noise"]).map_err(at)?;
    for (key, text) in options.parts.iter().flatten() {
        names
            .add_part(key, text, &["model", "let", key])
            .map_err(at)?;
    }
    let loss = options
        .loss
        .as_ref()
        .map(|text| Formula::parse(text, &["model", "loss"]));
    let loss = loss.transpose().map_err(at)?;
    let mut residuals = Vec::new();
    for (i, text) in options.residuals.iter().flatten().enumerate() {
        let number = i.to_string();
        residuals.push(Formula::parse(text, &["model", "residuals", &number]).map_err(at)?);
    }
    if loss.is_none() && residuals.is_empty() {
        let help = "add loss = \"0.5*(u*v - 1)^2\", say";
        return fail(
            "model.kind",
            "a formula needs model.loss or model.residuals",
            help,
        );
    }
    let mut observables = Vec::new();
    if let ObservablesSpec::Formulas(formulas) = &spec.observables {
        for (name, text) in formulas {
            if GENERIC_OBSERVABLES
                .iter()
                .any(|(general, _)| general == text)
            {
                continue;
            }
            let formula = Formula::parse(text, &["observables", name]).map_err(at)?;
            observables.push((name.clone(), formula));
        }
    }
    FormulaModel::new(Formulas {
        names,
        parameters,
        noise,
        loss,
        residuals,
        observables,
    })
    .map_err(at)
}

/// Refuses formulas that are not defined at the start, or that say different things there.
///
/// # Errors
/// With the numbers, at the column.
pub(super) fn check_start(model: &FormulaModel, start: &[f64], source: &Source) -> Result<()> {
    let checked = model
        .check_start(start)
        .map_err(|error| blame(error, source))?;
    checked.map_err(|message| {
        let help = "give only one of loss and residuals, or make them the same";
        source.error("model.loss", message, help)
    })
}

fn blame(error: FormulaError, source: &Source) -> ScenarioError {
    let help = error.problem.help();
    source.error_within(&error.path, error.span, error.problem.to_string(), help)
}

fn put(names: &mut Names, source: &Source, key: &[&str], symbol: Symbol) -> Result<()> {
    let name = key[key.len() - 1];
    names.add(name, symbol).map_err(|problem: Problem| {
        let keys: Vec<String> = key.iter().map(|key| (*key).to_owned()).collect();
        source.error_within(&keys, 0..0, problem.to_string(), "take another name")
    })
}

fn constants(spec: &ScenarioSpec, source: &Source, names: &mut Names) -> Result<()> {
    for (name, constant) in spec.model.constants.iter().flatten() {
        let (values, lengths) = match constant {
            ConstantSpec::Number(x) => (vec![*x], Vec::new()),
            ConstantSpec::Vector(values) => (values.clone(), vec![values.len()]),
            ConstantSpec::Matrix(rows) => {
                let width = rows.first().map_or(0, Vec::len);
                if let Some(i) = rows.iter().position(|row| row.len() != width) {
                    let message = format!(
                        "row {} of the matrix `{name}` has {} numbers, but the first has {width}",
                        i + 1,
                        rows[i].len()
                    );
                    return Err(source.error(&format!("model.constants.{name}"), message, ""));
                }
                (rows.concat(), vec![rows.len(), width])
            }
        };
        if let Some(x) = values.iter().find(|x| !x.is_finite()) {
            let message = format!("the constant `{name}` has the value {x}, which is not finite");
            return Err(source.error(&format!("model.constants.{name}"), message, ""));
        }
        put(
            names,
            source,
            &["model", "constants", name],
            Symbol::Data { values, lengths },
        )?;
    }
    Ok(())
}

fn tables(spec: &ScenarioSpec, source: &Source, names: &mut Names) -> Result<()> {
    for (name, table) in spec.model.tables.iter().flatten() {
        let key = format!("model.tables.{name}");
        let one = table.column.as_ref().map(|column| vec![column.clone()]);
        if one.is_some() && table.columns.is_some() {
            let message = format!("table `{name}` has both `column` and `columns`");
            return Err(source.error(&key, message, "column makes a vector, columns a matrix"));
        }
        let wanted = one.as_ref().or(table.columns.as_ref());
        let rows = rows(&source.folder.join(&table.file), wanted.map(Vec::as_slice))
            .map_err(|error| source.error(&key, error.message(), error.help()))?;
        let mut lengths = vec![rows.len()];
        if one.is_none() {
            lengths.push(rows.first().map_or(0, Vec::len));
        }
        let values = rows.concat();
        put(
            names,
            source,
            &["model", "tables", name],
            Symbol::Data { values, lengths },
        )?;
    }
    Ok(())
}
