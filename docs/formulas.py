#!/usr/bin/env python3
"""Writes docs/src/formulas.md: its beginning, and the ten formulas of scenarios/formulas with what the program derives.

    python3 docs/formulas.py target/release/singlim
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
ORDER = """label-noise two-path-dropout circle-masks widening-valley valley-langevin sparse-regression phase-retrieval neuron
matrix-completion scale-invariant""".split()
LINES = "formula,lands on Γ at,manifold,regime,slow clock,Reg,regularises,drift of W,diffusion,LaTeX".split(",")
BAD = """observables = ["u"]
[model]
kind = "formula"
parameters = ["u", "v"]
noise = ["e"]
start = { u = 2.0, v = 0.5 }
loss = "0.5*(u*w - 1 - e)^2"
[ladder]
step_sizes = [0.04, 0.02, 0.01, 0.005]
sigma = 0.3
horizon = 1.0
paths = 100
"""


def run(binary, *arguments, folder=ROOT):
    done = subprocess.run([binary, *arguments], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def shortened(line):
    return line if len(line) <= 150 else line[: line.rfind(" ", 0, 147)] + " …"


def derived(text):
    """The lines that state the limit; of the gradient the first two components, in LaTeX the regulariser alone."""
    kept, slopes = [], 0
    for line in text.splitlines():
        key = line[:14].strip()
        if key not in LINES or (key == "LaTeX" and "Reg" not in line):
            continue
        slopes += "∂L/∂" in line
        if "∂L/∂" not in line or slopes <= 2:
            kept.append(shortened(line))
    return "\n".join(kept)


def main():
    binary = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "my-loss.toml").write_text(BAD)
        refusal = run(binary, "predict", "my-loss.toml", folder=folder)[2].strip()
    page = (ROOT / "docs/formulas-begin.md").read_text().replace("{refusal}", refusal)
    for number, name in enumerate(ORDER, 1):
        file = f"scenarios/formulas/{name}.toml"
        text = (ROOT / file).read_text()
        source = text.splitlines()[0].removeprefix("# ")
        title = re.search(r'title = "(.*)"', text)[1]
        model = re.search(r"\[model\]\n(.*?)\n\n\[observables\]", text, re.S)[1].strip()
        code, out, error = run(binary, "predict", file)
        if code:
            sys.exit(f"{file}: {error}")
        page += f"\n### {number}. {title}\n\n{source} `{file}`\n\n```toml\n{model}\n```\n\n```text\n{derived(out)}\n```\n"
    target = ROOT / "docs/src/formulas.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page)


main()
