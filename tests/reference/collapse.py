"""Writes collapse.json: reference values for the collapse of curves, by numpy.interp and numpy.var.

To renew: `pip install numpy`, then `python tests/reference/collapse.py`.
"""

import json
from pathlib import Path

import numpy as np

GRID = 40
rng = np.random.default_rng(7)
scale = 0.8
ensembles = []
for paths, rate in [(5, 1.0), (7, 0.4), (6, 0.2)]:
    first = np.sort(rng.uniform(0.1, 0.3, 9)).cumsum()
    values = np.exp(-first * (1 + 0.5 * rate)) + 0.02 * rng.standard_normal((paths, 9)).cumsum(axis=1)
    ensembles.append((first, rate * first, values))

scores = []
distances = []
for clock in (0, 1):
    lower = max(ensemble[clock][0] for ensemble in ensembles)
    upper = min(ensemble[clock][-1] for ensemble in ensembles)
    grid = np.linspace(lower, upper, GRID)
    on_grid = [np.array([np.interp(grid, e[clock], path) for path in e[2]]) for e in ensembles]
    between = np.var([paths.mean(axis=0) for paths in on_grid], axis=0, ddof=1).mean()
    noise = np.mean([paths.var(axis=0, ddof=1) / len(paths) for paths in on_grid])
    distances.append(np.sqrt(between) / scale)
    scores.append({
        "estimate": np.sqrt(max(0.0, between - noise)) / scale,
        "overlap": [lower, upper],
    })

result = {
    "scale": scale,
    "ensembles": [
        {"first": first.tolist(), "second": second.tolist(), "values": values.ravel().tolist()}
        for first, second, values in ensembles
    ],
    "scores": scores,
    "difference": distances[1] - distances[0],
}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(result, indent=1) + "\n")
