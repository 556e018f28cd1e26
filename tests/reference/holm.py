"""Writes holm.json: Holm-adjusted p-values by statsmodels. Needs `pip install numpy statsmodels`."""

import json
from pathlib import Path

import numpy as np
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(11)
lists = [[0.01, 0.04, 0.03, 0.005], [0.5], [0.02, 0.02, 0.02], [0.0, 1.0, 0.9]]
lists += [list(np.round(rng.random(n) ** 3, 6)) for n in (5, 17, 60)]
cases = [{"p": p, "adjusted": list(multipletests(p, method="holm")[1])} for p in lists]
Path(__file__).with_name("holm.json").write_text(json.dumps(cases) + "\n")
