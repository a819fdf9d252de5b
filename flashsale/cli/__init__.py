"""The command line: `flashsale NOUN VERB`. One module a noun; commands parse, call and print, nothing else.

Nothing is imported here, so that `--version` is quick, and Ctrl-C during the imports ends like any other.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from flashsale import __version__

#: What a shell reports for a process that Ctrl-C ended.
INTERRUPTED = 130


def main() -> None:
    """The entry point of the installed command."""
    try:
        if sys.argv[1:] == ["--version"]:
            print(f"flashsale {__version__}")
            code = 0
        else:
            from flashsale.cli.run import run

            code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    # From here on Ctrl-C just ends the process: nothing is left that it could interrupt.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)


def __getattr__(name: str) -> Any:
    if name == "app":
        from flashsale.cli.root import app

        return app
    raise AttributeError(name)
