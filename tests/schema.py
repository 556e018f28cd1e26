#!/usr/bin/env python3
"""Every shipped scenario conforms to scenarios/schema.json, and typical mistakes do not.

Needs Python 3.11 and `pip install jsonschema`.
"""

import json
import sys
import tomllib
from pathlib import Path

import jsonschema

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"

GOOD = """
observables = ["imbalance", "u"]
[model]
kind = "product"
start = { u = 2.0, v = 0.5 }
[[noise]]
kind = "label"
[ladder]
step_sizes = [0.16, 0.08, 0.04, 0.02]
sigma = 0.3
horizon = 0.05
records = 5
paths = 16
"""

MISTAKES = [
    ("sigma = 0.3", "sigmma = 0.3"),
    ("sigma = 0.3", 'sigma = "0.3"'),
    ("sigma = 0.3", "sigma = -0.3"),
    ("sigma = 0.3", ""),
    ('"label"', '"lable"'),
    ('"product"', '"prodct"'),
    ("paths = 16", 'paths = "many"'),
    ("[0.16, 0.08, 0.04, 0.02]", "[0.16, 0.08]"),
    ("[[noise]]", "[noise]"),
]

schema = json.loads((SCENARIOS / "schema.json").read_text())
validator_class = jsonschema.validators.validator_for(schema)
validator_class.check_schema(schema)
validator = validator_class(schema)
failed = False


def errors(text):
    return [error.message for error in validator.iter_errors(tomllib.loads(text))]


files = sorted(SCENARIOS.glob("**/*.toml"))
for file in files:
    for message in errors(file.read_text()):
        print(f"{file}: {message}")
        failed = True
if errors(GOOD):
    print(f"the good scenario does not conform: {errors(GOOD)}")
    failed = True
for found, put in MISTAKES:
    if found not in GOOD or not errors(GOOD.replace(found, put, 1)):
        print(f"not found: {put!r} in place of {found!r}")
        failed = True
print(f"{len(files)} scenarios, {len(MISTAKES)} mistakes: {'FAILED' if failed else 'as they should be'}")
sys.exit(failed)
