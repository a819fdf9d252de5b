"""The Python program in the README, as somebody pastes it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.acceptance.conftest import Shop

README = Path(__file__).parents[2] / "README.md"


def test_the_program_in_the_readme_runs_and_runs_again(shop: Shop) -> None:
    (program,) = re.findall(r"(?s)```python\n(.*?)```", README.read_text(encoding="utf-8"))
    (shop.cli.home / "drop.toml").write_text(shop.finished("sale", "example").stdout, encoding="utf-8")
    shop.finished("sale", "define", "drop.toml")
    shop.finished("sale", "warm", "mega-drop")
    shop.finished("sale", "open", "mega-drop")

    first, second = run(shop, program), run(shop, program)

    assert re.fullmatch(r"RESERVED until \d{13}\nCONFIRMED\n", first)
    assert second == first
    (counted,) = shop.finished("sale", "show", "mega-drop", "--json").json()["items"]
    assert (counted["held"], counted["sold"]) == (0, 1)


def run(shop: Shop, program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-"],
        env=shop.cli.environment(),
        cwd=shop.cli.home,
        input=program,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout
