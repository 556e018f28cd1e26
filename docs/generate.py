"""Writes the reference pages of the book from the program: `python docs/generate.py [--check]`.

Scenario keys come from its types (`singlim schema`), the command line from clap (`singlim help …`), models and noises from
`singlim list`. `--check` writes nothing and fails if a page is not up to date, a link or an include leads nowhere, or a page is
missing from the summary. The program is the one that the environment variable SINGLIM names, or target/release/singlim.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "docs" / "src"
PROGRAM = os.environ.get("SINGLIM", ROOT / "target" / "release" / "singlim")
GENERATED = "<!-- Written by docs/generate.py: change the program, not this page. -->\n\n"


def program(*arguments):
    plain = os.environ | {"COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, env=plain)
    if done.returncode != 0:
        sys.exit(f"`singlim {' '.join(arguments)}` failed: {done.stderr}")
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"


def command_line():
    """The help text of every subcommand."""
    top = program("help")
    names = re.findall(r"^  ([a-z]\S*)  ", top.split("Commands:")[1].split("Options:")[0], flags=re.M)
    text = f"# Command line\n\n{GENERATED}```text\n{top}```\n"
    for name in names:
        if name != "help":
            text += f"\n## singlim {name}\n\n```text\n{program('help', name)}```\n"
    return text


# What `singlim list` names beside models, in its order.
KINDS = {
    "noise": "Noises (`noise.kind`)",
    "law": "Laws (`noise.law`)",
    "observable": "Observables of every model, beside the parameters by name",
    "integrator": "Integrators (`limit.integrator`)",
    "schedule": "Schedules (`schedule.kind`)",
}


def listing():
    """A section for each model, and a table of each other kind of names."""
    names = json.loads(program("list", "--format", "json"))
    text = f"# Models, noises, observables\n\n{GENERATED}What `singlim list` prints.\n\n## Models (`model.kind`)\n"
    for model in names:
        if model["kind"] == "model":
            text += f"\n### {model['name']}\n\n{sentence(model['meaning'])}\n"
            own = [name for name in names if name["of"] == model["name"]]
            rows = [f"| {name['kind']} | `{name['name']}` | {sentence(name['meaning'])} |\n" for name in own]
            text += "".join(["\n| | name | meaning |\n|---|---|---|\n"] * bool(rows) + rows)
    for kind, title in KINDS.items():
        text += f"\n## {title}\n\n| name | meaning |\n|---|---|\n"
        for name in names:
            if name["kind"] == kind and name["of"] is None:
                text += f"| `{name['name']}` | {sentence(name['meaning'])} |\n"
    return text


# What a section is called in a scenario file; its keys are those of a definition of the schema.
SECTIONS = {
    "model": "[model]",
    "data": "[data]",
    "noise": "[[noise]]",
    "ladder": "[ladder]",
    "schedule": "[schedule]",
    "limit": "[limit]",
    "coupling": "[coupling]",
    "expect": "[expect]",
    "margins": "[margins]",
}


WORDS = {"integer": "whole number", "string": "text", "boolean": "true · false", "object": "table"}


class Schema:
    """A JSON schema (draft 7) as schemars writes it."""

    def __init__(self, text):
        self.root = json.loads(text)

    def resolve(self, node):
        """The node behind references, combinations of one and `or null`; the outer description and default are kept."""
        while True:
            inner = None
            if "$ref" in node:
                inner = self.root["definitions"][node["$ref"].split("/")[-1]]
            for combination in ("allOf", "anyOf", "oneOf"):
                options = [option for option in node.get(combination, []) if option.get("type") != "null"]
                if len(options) == 1:
                    inner = options[0]
            if inner is None:
                return node
            outer = {key: node[key] for key in ("description", "default") if key in node}
            node = {**inner, **outer}

    def kind(self, node):
        """The type in words."""
        node = self.resolve(node)
        if "const" in node:
            return f"`{json.dumps(node['const'], ensure_ascii=False)}`"
        if "enum" in node:
            values = [json.dumps(value, ensure_ascii=False) for value in node["enum"] if value is not None]
            return " · ".join(f"`{value}`" for value in values)
        for combination in ("anyOf", "oneOf"):
            if combination in node:
                kinds = [self.kind(option) for option in node[combination] if option.get("type") != "null"]
                return "text" if "text" in kinds else " · ".join(dict.fromkeys(kinds))
        types = node.get("type", "any")
        types = [types] if isinstance(types, str) else types
        words = []
        for one in types:
            if one == "array":
                words.append(f"list of {self.kind(node.get('items', {}))}")
            elif one != "null":
                words.append(WORDS.get(one, one))
        return " · ".join(words)

    def rows(self, node):
        """A table of the keys of an object, the required ones first."""
        node = self.resolve(node)
        required = node.get("required", [])
        text = "| key | type | default | meaning |\n|---|---|---|---|\n"
        for key, value in sorted(node["properties"].items(), key=lambda item: item[0] not in required):
            value = self.resolve(value)
            default = "*required*" if key in required else self.default(value.get("default"))
            meaning = sentence(value.get("description", ""))
            text += f"| `{key}` | {self.kind(value)} | {default} | {meaning} |\n"
        return text

    @staticmethod
    def default(value):
        return "" if value is None or value in ({}, []) else f"`{json.dumps(value, ensure_ascii=False)}`"

    def named_values(self, node, seen):
        """Enumerations whose values are described, below an object: [(name, [(value, meaning)])]."""
        for key, value in self.resolve(node).get("properties", {}).items():
            options = self.resolve(value).get("oneOf", [])
            values = [
                (option["const"], sentence(option.get("description", ""))) for option in options if "const" in option
            ]
            if values and key not in seen:
                seen.add(key)
                yield key, values


def sentence(text):
    return " ".join(text.split()).replace("|", "\\|").replace("*", "\\*")


def scenario():
    schema = Schema(program("schema"))
    sections = set(SECTIONS)
    text = f"# Scenario\n\n{GENERATED}"
    text += (
        "A scenario is a TOML file. These are its sections and keys, from the types that it is read into. `singlim check`\n"
        "validates a file and points at the line of a mistake, `singlim new MODEL NOISE` writes one to start from, and\n"
        "`--set section.key=value` overrides any key.\n\n"
    )
    top = {key: value for key, value in schema.root["properties"].items() if key not in sections}
    text += f"## At the top\n\n{schema.rows({**schema.root, 'properties': top})}"
    seen = set()
    for name, title in SECTIONS.items():
        node = schema.root["properties"][name]
        resolved = schema.resolve(node)
        item = resolved["items"] if resolved.get("type") == "array" else node
        text += f"\n## {title}\n\n{sentence(node.get('description', ''))}\n\n{schema.rows(item)}"
        for key, values in schema.named_values(item, seen):
            text += f"\n`{key}` is one of:\n\n| value | meaning |\n|---|---|\n"
            text += "".join(f'| `"{value}"` | {meaning} |\n' for value, meaning in values)
    return text


PAGES = {"reference/scenario.md": scenario, "reference/list.md": listing, "reference/cli.md": command_line}


def broken_links():
    """Links, includes and pages that lead nowhere."""
    summary = (SOURCE / "SUMMARY.md").read_text(encoding="utf-8")
    for page in sorted(SOURCE.rglob("*.md")):
        name = page.relative_to(SOURCE).as_posix()
        if name != "SUMMARY.md" and f"({name})" not in summary:
            yield f"{name} is not in the summary"
        text = page.read_text(encoding="utf-8")
        prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.S)
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose):
            if "://" not in link and not (page.parent / link).exists():
                yield f"{name}: {link} does not exist"
        for path, anchor in re.findall(r"\{\{#include ([^:}]+):([^}]+)\}\}", text):
            included = page.parent / path
            if not included.exists():
                yield f"{name}: {path} does not exist"
            elif f"// ANCHOR: {anchor}\n" not in included.read_text(encoding="utf-8"):
                yield f"{name}: {path} has no anchor {anchor}"


def main():
    check = "--check" in sys.argv[1:]
    faults = []
    for name, write in PAGES.items():
        page, text = SOURCE / name, write()
        if not check:
            page.write_text(text, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            faults.append(f"{name} is not what the program says; run `python docs/generate.py`")
    faults += broken_links()
    print("\n".join(faults) or "the book is up to date")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
