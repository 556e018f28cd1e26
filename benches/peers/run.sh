#!/usr/bin/env bash
# Runs W1–W5 and three whole studies by singlim and its peers, in turns, and writes the table.
#
#   benches/peers/run.sh [FOLDER]     default target/peers; needs cargo and python3 ≥ 3.11, some minutes and 1 GB
#
# ROUNDS (5) and SECONDS_EACH (0.4) say how often and how long each figure is measured. Ends with an error if the
# peers' means disagree.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=benches/peers
folder=$(mkdir -p "${1:-target/peers}" && cd "${1:-target/peers}" && pwd)
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-0.4}

python=$folder/venv/bin/python
[ -x "$python" ] || python3 -m venv "$folder/venv"
"$python" -m pip install --quiet --disable-pip-version-check --requirement $here/requirements.txt
cargo build --release --locked
cargo bench --locked --bench works --no-run
crate=$here/differential-equations
cargo build --release --locked --manifest-path $crate/Cargo.toml --target-dir "$folder/differential-equations"

rm -f "$folder"/[0-9]*-*.json "$folder/verdict.json"
cargo bench --quiet --locked --bench works -- --problem "$folder/problem.json"
for ((round = 1; round <= rounds; round++)); do
    echo "round $round of $rounds"
    cargo bench --quiet --locked --bench works -- --repeats 1 --seconds "$seconds" \
        --json "$folder/$round-singlim.json"
    for peer in numpy numba jax; do
        "$python" $here/works.py $peer "$folder/problem.json" "$folder/$round-$peer.json" \
            --seconds "$seconds" --seed "$((10 * round))"
    done
    "$folder/differential-equations/release/peer-differential-equations" 10000 200 "$seconds" 1 \
        >"$folder/$round-differential-equations.json"
done
# A cache of its own, so that compilation is paid for once and seen.
rm -rf "$folder/numba"
NUMBA_CACHE_DIR=$folder/numba "$python" $here/verdict.py target/release/singlim "$folder/problem.json" \
    "$folder/runs" "$folder/verdict.json"
"$python" $here/table.py "$folder" "$folder/table.md"
