"""Checks that all peers simulate the same thing, and writes the figures of all rounds as Markdown."""

import argparse
import datetime
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path

WORKS = {
    "W1": "product, label noise",
    "W2": "product, anti-PGD",
    "W3": "diagonal network, N = 40, d = 100",
    "W4": "perceptron 2–32–1 tanh, N = 16",
    "W5": "Euler–Maruyama, 2-D Ornstein–Uhlenbeck",
}
PEERS = ["singlim", "numpy", "numba", "jax", "differential-equations"]
SETTINGS = {
    "one": "One thread, a large ensemble",
    "two": "Two threads (Python: the better of two processes and two threads)",
    "single": "A single path, one thread",
}
# Two-sided false alarm at 5 standard errors: 6e-7 a comparison.
STANDARD_ERRORS = 5.0


def check(rounds):
    """Every peer's means of the first round against a reference: singlim's, or NumPy's where singlim has none."""
    means = {figures["peer"]: figures["means"] for figures in rounds if figures["round"] == 1}
    failures, compared = [], 0
    for work in WORKS:
        known = {peer: means[peer][work] for peer in PEERS if work in means.get(peer, {})}
        (first, (value, error)), *others = known.items()
        for peer, (its_value, its_error) in others:
            compared += 1
            distance = abs(value - its_value) / math.hypot(error, its_error)
            if not distance < STANDARD_ERRORS:
                failures.append(
                    f"{work}: {first} {value} ± {error}, {peer} {its_value} ± {its_error},"
                    f" {distance:.1f} standard errors apart"
                )
    if failures:
        sys.exit("The peers do not simulate the same thing:\n" + "\n".join(failures))
    return compared


def median_rates(rounds):
    """The median over rounds and repeats of each peer, work and setting; of two threads or processes the better."""
    repeats = {}
    for figures in rounds:
        for work, settings in figures["rates"].items():
            for setting, found in settings.items():
                repeats.setdefault((figures["peer"], work, setting), []).extend(found)
    medians = {key: statistics.median(found) for key, found in repeats.items()}
    for (peer, work, setting), found in list(medians.items()):
        if setting == "threads":
            medians[peer, work, "two"] = max(found, medians[peer, work, "two"])
    return medians


def rate_table(medians, setting):
    yield f"| {SETTINGS[setting]} | " + " | ".join(PEERS) + " | singlim / best peer |"
    yield "|---" * (len(PEERS) + 2) + "|"
    for work, title in WORKS.items():
        rates = {peer: medians[peer, work, setting] for peer in PEERS if (peer, work, setting) in medians}
        cells = [f"{rates[peer]:.2e}" if peer in rates else "—" for peer in PEERS]
        best = max(rate for peer, rate in rates.items() if peer != "singlim")
        ratio = f"{rates['singlim'] / best:.1f}" if "singlim" in rates else "—"
        yield f"| {work} {title} | " + " | ".join(cells) + f" | {ratio} |"


def verdict_table(studies):
    heads = ["scenario", "path-steps", "standard error at α → 0", "`singlim verify`, s", "Numba script, s"]
    heads += ["+ compilation, s", "script / singlim"]
    yield "| " + " | ".join(heads) + " |"
    yield "|---" * len(heads) + "|"
    for s in studies:
        yield (
            f"| {s['scenario']} ({s['observable']}) | {s['path_steps']:.1e} | {s['std_error']:.1e} | {s['singlim']:.1f}"
            f" | {s['script']:.1f} | {s['compilation']:.1f} | {s['script'] / s['singlim']:.1f} |"
        )


def machine():
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[1]:.1f} of the last five minutes"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="with the figures of each round (ROUND-PEER.json) and verdict.json")
    parser.add_argument("table", help="the Markdown file to write")
    given = parser.parse_args()
    rounds = []
    for file in sorted(Path(given.folder).glob("[0-9]*-*.json")):
        rounds.append({"round": int(file.name.split("-")[0]), **json.loads(file.read_text())})
    compared = check(rounds)
    medians = median_rates(rounds)
    versions = {figures["peer"]: figures["version"] for figures in rounds}
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    lines = [
        f"{datetime.date.today()}; {machine()}.",
        ", ".join(f"{peer} {versions[peer]}" for peer in PEERS if peer in versions)
        + f", Python {sys.version.split()[0]}, rustc {rustc}.",
        "Path-steps per second, double precision, medians of"
        f" {max(f['round'] for f in rounds)} rounds in which the peers take turns.",
        f"{compared} means compared between peers: all agree to within {STANDARD_ERRORS:.0f} standard errors.",
    ]
    for setting in SETTINGS:
        lines += ["", *rate_table(medians, setting)]
    studies = json.loads((Path(given.folder) / "verdict.json").read_text())
    lines += ["", "Time to a verdict, two threads; the script's seconds are those to the same standard error.", ""]
    lines += verdict_table(studies)
    Path(given.table).write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
