"""Draw docs/demo.svg: run the demo as a person would, and keep its last words as a picture.

.venv/bin/python ops/pictures/demo.py
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from flashsale.demo.display import final_table
from flashsale.demo.result import Result

PICTURE = Path(__file__).parents[2] / "docs" / "demo.svg"


def main() -> None:
    """Run `flashsale demo` and draw what it found."""
    command = [sys.executable, "-m", "flashsale", "demo", "--json", *sys.argv[1:]]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    result = msgspec.convert(json.loads(done.stdout), Result)
    console = Console(record=True, width=92, file=io.StringIO())
    console.print(final_table(result))
    console.save_svg(str(PICTURE), title="make demo")


if __name__ == "__main__":
    main()
