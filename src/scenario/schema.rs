//! The JSON schema of a scenario, generated from the types of `spec`: for editors, which complete and check by it.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator, json_schema};

use super::{GENERIC_OBSERVABLES, ScenarioSpec};
use crate::models::{Activation, CARDS, Profile};

/// model.profile.
pub(super) fn profiles() -> Vec<&'static str> {
    Profile::ALL.iter().map(|(name, _)| *name).collect()
}

/// model.activation.
pub(super) fn activations() -> Vec<&'static str> {
    Activation::ALL.iter().map(|(name, _)| *name).collect()
}

/// model.kind.
pub(super) fn models() -> Vec<&'static str> {
    CARDS.iter().map(|card| card.name).collect()
}

/// Known names to complete; parameters have names of their own, so any text is valid. Or formulas by name.
pub(super) fn observables(_: &mut SchemaGenerator) -> Schema {
    let generic = GENERIC_OBSERVABLES.iter().map(|(name, _)| *name);
    let own = CARDS.iter().flat_map(|card| card.observables);
    let mut names: Vec<&str> = generic.chain(own.map(|(name, _)| *name)).collect();
    names.sort_unstable();
    names.dedup();
    json_schema!({
        "anyOf": [
            {
                "type": "array",
                "minItems": 1,
                "items": { "anyOf": [{ "enum": names }, { "type": "string" }] }
            },
            { "type": "object", "minProperties": 1, "additionalProperties": { "type": "string" } }
        ]
    })
}

/// The schema as text (JSON Schema, draft 7, which editors know best). `scenarios/schema.json` is a copy.
///
/// It has names, types, defaults and simple bounds; `singlim check` knows more.
pub fn schema() -> String {
    let settings = SchemaSettings::draft07();
    let schema = settings
        .into_generator()
        .into_root_schema_for::<ScenarioSpec>();
    format!("{:#}\n", schema.to_value())
}
