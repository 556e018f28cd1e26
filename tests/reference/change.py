"""Reference values of `change` in src/statistics/change.rs: writes change.json."""

import json
from math import hypot
from pathlib import Path

from scipy.stats import norm

cases = []
for before, after in [
    ((1.0, 0.2, 0.01), (1.5, 0.3, 0.05)),
    ((-2.0, 1e-3, 0.001), (-2.004, 2e-3, 0.01)),
    ((0.0, 1.0, 0.006), (8.0, 1.0, 0.0015)),
]:
    std_error = hypot(*(half / norm.isf(level) for _, half, level in (before, after)))
    p_value = 2 * norm.sf(abs(after[0] - before[0]) / std_error)
    cases.append({"before": before, "after": after, "std_error": float(std_error), "p_value": float(p_value)})
Path(__file__).with_suffix(".json").write_text(json.dumps(cases) + "\n")
