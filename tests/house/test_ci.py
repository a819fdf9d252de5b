"""What CI runs side by side is, together, every directory of tests."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_ci_runs_each_directory_of_tests_once_on_the_bundled_servers() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    runs = re.findall(r'make test (?:LINT= )?ARGS="-n 0 ([^"]*)"', text)
    named = [directory for run in runs for directory in run.split()]
    assert sorted(named) == sorted(settings["tool"]["pytest"]["testpaths"])
