"""Runs `flashsale` commands, each in a process of its own that is forked from this one: nothing is imported twice.

One JSON object a line comes in, and one value a line goes out: {"start": {args, env, output}} → the process id;
{"ended": pid} → its exit code, or null while it runs.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import redis
import typer.main

from flashsale import demo, doctor, recover, replay, sale_archive, sweeper, trim, verify, warm
from flashsale.cli.run import run
from flashsale.projections import projector

IMPORTED = (
    psycopg,
    redis,
    demo,
    doctor,
    recover,
    replay,
    sale_archive,
    sweeper,
    trim,
    verify,
    warm,
    projector,
)


def main() -> None:
    """Serve until nobody writes any more."""
    # To make the tree of commands takes longer than most commands do.
    typer.main.get_command = functools.cache(typer.main.get_command)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        run(["config", "show"])
    gc.freeze()
    for line in sys.stdin:
        answer: Any = None
        match json.loads(line):
            case {"start": job}:
                answer = os.fork()
                if answer == 0:
                    become(**job)
            case {"ended": pid}:
                found, status = os.waitpid(pid, os.WNOHANG)
                answer = os.waitstatus_to_exitcode(status) if found else None
        print(json.dumps(answer), flush=True)  # noqa: T201 - its answer


def become(args: list[str], env: dict[str, str], output: str) -> NoReturn:
    """Be the installed command. Its end is that of any process, but for the interpreter's own tidying up."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(env["HOME"])
    for number, name in ((0, os.devnull), (1, f"{output}.out"), (2, f"{output}.err")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
    code = 1
    try:
        code = run(args)
    except BaseException:  # noqa: BLE001 - what the interpreter does with it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
