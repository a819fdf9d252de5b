"""Imports keep to the contracts in pyproject.toml, and the document shows them as they are."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_imports_keep_to_the_layers() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout


def test_the_document_shows_the_same_layers() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    document = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    shown = re.search(r"^## Layers\n\n((?:    .+\n)+)", document, re.MULTILINE)
    assert shown is not None
    layers = [layer.split() for layer in shown[1].split(">")]
    assert layers == [layer.split() for layer in contracts[0]["layers"]]
