"""Writes collapse.json: reference values for the collapse of curves, by numpy.interp and numpy.var.

To renew: `pip install numpy`, then `python tests/reference/collapse.py`.
"""

import itertools
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
    between, noise, ends = [], [], []
    for one, other in itertools.combinations(ensembles, 2):
        lower = max(one[clock][0], other[clock][0])
        upper = min(one[clock][-1], other[clock][-1])
        grid = np.linspace(lower, upper, GRID)
        on_grid = [np.array([np.interp(grid, e[clock], path) for path in e[2]]) for e in (one, other)]
        between.append(np.var([paths.mean(axis=0) for paths in on_grid], axis=0, ddof=1).mean())
        noise.append(np.mean([paths.var(axis=0, ddof=1) / len(paths) for paths in on_grid]))
        ends.append((lower, upper))
    distances.append(np.sqrt(np.mean(between)) / scale)
    scores.append({
        "estimate": np.sqrt(max(0.0, np.mean(between) - np.mean(noise))) / scale,
        "overlap": [min(lower for lower, _ in ends), max(upper for _, upper in ends)],
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
