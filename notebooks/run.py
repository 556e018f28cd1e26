"""Executes all notebooks from scratch, and renders them: `python notebooks/run.py [--html FOLDER] [NOTEBOOK…]`.

The program is the one that the environment variable SINGLIM names, or target/release/singlim. A notebook that is kept with
outputs, and a cell that fails (its assertions are the notebook's conclusions), end it with exit code 1. `--check` looks for
outputs only. The files themselves are never changed.
"""

import argparse
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def leftovers(notebook):
    """What an execution has left in the file."""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None):
            yield f"cell {number} has outputs or an execution count"
    if "widgets" in notebook.metadata:
        yield "the metadata has widgets"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all by default")
    parser.add_argument("--check", action="store_true", help="only check that no outputs are kept in the files")
    parser.add_argument("--html", type=Path, metavar="FOLDER", help="render what was executed to this folder")
    options = parser.parse_args()

    import nbformat

    paths = options.notebooks or sorted(HERE.glob("*.ipynb"))
    failed = not paths
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        faults = list(leftovers(notebook))
        for fault in faults:
            print(f"{path.name}: {fault}; clear them with `jupyter nbconvert --clear-output --inplace`")
        failed |= bool(faults)
        if options.check:
            continue
        failed |= not execute(path.name, notebook)
        if options.html:
            options.html.mkdir(parents=True, exist_ok=True)
            (options.html / path.with_suffix(".html").name).write_text(to_html(notebook, path.stem), encoding="utf-8")
    return int(failed)


def execute(name, notebook):
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    begin = time.monotonic()
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(HERE)}})
    try:
        client.execute()
    except CellExecutionError as error:
        print(f"{name}: FAILED\n{error}")
        return False
    print(f"{name}: holds, {time.monotonic() - begin:.1f} s", flush=True)
    return True


def to_html(notebook, title):
    """One file that opens from disk. Formulas are Unicode, so that MathJax is not fetched from anywhere."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(mathjax_url="", require_js_url="", embed_images=True)
    html, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})
    return html


if __name__ == "__main__":
    sys.exit(main())
