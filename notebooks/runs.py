"""Calls the built program and reads its run folders. Nothing is computed here; the numbers are the program's."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from cycler import cycler

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "scenarios"
PROGRAM = Path(os.environ.get("SINGLIM", ROOT / "target" / "release" / "singlim"))
WORK = Path(tempfile.mkdtemp(prefix="singlim-notebook-"))

# Okabe and Ito's colours, told apart without full colour vision. A noise has its colour in all notebooks.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#777777",
)
NOISE_COLOURS = {
    "anti-pgd": ORANGE,
    "label": BLUE,
    "sgld": PURPLE,
    "dropout": GREEN,
    "dropconnect": RED,
    "minibatch": GREY,
}
VERDICT_COLOURS = {"pass": GREEN, "rejected": RED, "inconclusive": ORANGE}

plt.rcParams.update(
    {
        "figure.figsize": (7.0, 3.6),
        "figure.dpi": 110,
        "figure.constrained_layout.use": True,
        "savefig.bbox": "tight",
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, RED, PURPLE, SKY]),
        "grid.color": "#e6e6e6",
        "grid.linewidth": 0.7,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "svg.fonttype": "none",
    }
)


def singlim(*arguments, codes=(0,)):
    """Runs the program and returns what it prints; any other exit code than those expected is an error."""
    if not PROGRAM.exists():
        raise FileNotFoundError(f"{PROGRAM}: build it with `cargo build --release`, or name it by the variable SINGLIM")
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, cwd=WORK)
    if done.returncode not in codes:
        raise RuntimeError(f"singlim ended with code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Run:
    """A run folder: `run.summary`, `run.errors`, … are its CSV files, `run.verdict` and `run.manifest` its JSON files."""

    def __init__(self, folder, text=""):
        self.folder, self.text = Path(folder), text

    def __getattr__(self, name):
        if (path := self.folder / f"{name}.json").exists():
            value = json.loads(path.read_text())
        elif paths := list(self.folder.glob(f"{name}.csv*")):
            value = pd.read_csv(paths[0])
        else:
            raise AttributeError(f"{self.folder} has no table or record named {name}")
        setattr(self, name, value)
        return value

    def means(self, observable, process="descent"):
        """Mean and standard error of an observable at each record."""
        rows = self.summary
        return rows[(rows.process == process) & (rows.observable == observable)]

    def rungs(self, observable):
        """The same, rung by rung along the ladder: pairs of a step size and its rows, the largest step size first."""
        rows = self.means(observable)
        ladder = rows[rows.level < len(self.manifest["scenario"]["ladder"]["step_sizes"])]
        return [(group.step_size.iloc[0], group) for _, group in ladder.groupby("level")]

    def check(self, name, observable=None):
        """The only check of this name (and observable)."""
        rows = self.checks[self.checks.name == name]
        if observable is not None:
            rows = rows[rows.observable == observable]
        assert len(rows) == 1, f"{len(rows)} checks are called {name}"
        return rows.iloc[0]


def run(command, scenario, name, codes=(0,), **settings):
    """`singlim COMMAND SCENARIO --set …` into a folder called `name`; a double underscore stands for a dot."""
    path = scenario if Path(scenario).is_absolute() else SCENARIOS / f"{scenario}.toml"
    overrides = [f"--set={key.replace('__', '.')}={value}" for key, value in settings.items()]
    folder = WORK / name
    text = singlim(command, path, "--out", folder, "--force", *overrides, codes=codes)
    return Run(folder, text)


def step_size_colours(count):
    """From light to dark as the step size falls."""
    return [plt.get_cmap("viridis_r")(0.12 + 0.8 * i / max(count - 1, 1)) for i in range(count)]
