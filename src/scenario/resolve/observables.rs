//! The observables: named ones, or formulas of one's own.

use std::collections::BTreeMap;

use super::{Resolver, Result};
use crate::models::{AnyModel, Model};
use crate::scenario::Observable;
use crate::scenario::load::nearest;
use crate::scenario::spec::ObservablesSpec;

impl Resolver<'_> {
    pub(super) fn observables(&self, model: &AnyModel) -> Result<Vec<(String, Observable)>> {
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
}
