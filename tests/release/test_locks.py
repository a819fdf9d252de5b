"""What is told of the locks: `make sbom` lists all of one, and `make audit` does not pass what it could not ask."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

import flashsale

ROOT = Path(__file__).parents[2]


def test_the_sbom_lists_each_pin_with_its_hashes_and_is_the_same_twice() -> None:
    path = ROOT / "dist" / f"flashsale-{flashsale.__version__}.cdx.json"
    texts = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(["make", "sbom"], cwd=ROOT, check=True, env=environment)
        texts.append(path.read_text(encoding="utf-8"))
    bom = json.loads(texts[0])
    lock = (ROOT / "requirements-runtime.lock").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([\w-]+)==([\w.]+)", lock, re.MULTILINE))
    hashed = {
        found["content"]
        for component in bom["components"]
        for reference in component["externalReferences"]
        for found in reference["hashes"]
    }

    assert texts[0] == texts[1]
    assert bom["metadata"]["component"]["name"] == "flashsale"
    assert bom["metadata"]["component"]["version"] == flashsale.__version__
    assert {(component["name"], component["version"]) for component in bom["components"]} == pinned
    assert hashed == set(re.findall(r"sha256:([0-9a-f]{64})", lock))


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-release.lock"])
def test_an_audit_that_cannot_ask_fails_and_says_where_it_can(lock: str, tmp_path: Path) -> None:
    script = [str(ROOT / "ops/release/audit.sh"), str(ROOT / ".release/bin/pip-audit"), lock]
    told = subprocess.run(
        [*script, "--cache-dir", str(tmp_path)],
        cwd=ROOT, check=False, capture_output=True, encoding="utf-8",
        env={**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""},
    )  # fmt: skip
    assert told.returncode == 2
    assert told.stdout == f"{lock}: not audited\n"
    assert "https://pypi.org/pypi/NAME/VERSION/json" in told.stderr
    assert "Traceback" not in told.stderr
