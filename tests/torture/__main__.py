"""make torture [SEED=…] [MINUTES=…]: everything that can break is broken, at random, and the books must balance.

Exit code 0: every promise was kept and every fault bit; 6: not, and it says what; 1: the torture itself failed.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path

import msgspec

from tests.torture.checks import WITHIN_THE_PROMISE, Result, check, drain
from tests.torture.report import broken, never_bit, print_report
from tests.torture.run import Outcome, Run
from tests.torture.schedule import schedule
from tests.torture.world import World

SEED_MAX = 2**31
MINUTES_MAX = 600.0
BROKEN = 6


def main() -> int:
    arguments = _arguments()
    seed, minutes = arguments.seed, arguments.minutes
    # Servers of root run as another user, who may pass through here.
    home = Path(tempfile.mkdtemp(prefix=f"flashsale-torture-{seed}-"))
    home.chmod(0o755)
    print(f"make torture SEED={seed} MINUTES={minutes:g}    histories and logs: {home}", flush=True)  # noqa: T201 - this is a program
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))  # so that servers and mounts are cleared away
    planned = schedule(seed, minutes)
    (home / "schedule.json").write_text(json.dumps(planned, indent=1))
    with World(home, seed, minutes, arguments.servers) as world:
        outcome = Run(world).carry_out(planned)
        result = _judge(world, outcome)
        servers = [home / "servers", home / "redis"]
        for log in (world.master.log_file, world.replica.log_file, world.dev.status()[1].log_file):
            shutil.copy(log, home / "logs")
    for directory in servers:
        shutil.rmtree(directory, ignore_errors=True)
    (home / "result.json").write_bytes(msgspec.json.encode(result))
    print_report(outcome, result)
    failed, missed = broken(outcome, result), never_bit(outcome)
    if missed and arguments.let_faults_miss:
        sys.stdout.write("".join(f"MISSED: {sentence}\n" for sentence in missed))
    else:
        failed += missed
    if not failed:
        shutil.rmtree(home / WITHIN_THE_PROMISE)
    for sentence in failed:
        sys.stdout.write(f"BROKEN: {sentence}\n")
    sys.stdout.write(
        f"Again: make torture SEED={seed} MINUTES={minutes:g}\n" if failed else "Every promise was kept.\n"
    )
    return BROKEN if failed else 0


def _judge(world: World, outcome: Outcome) -> Result:
    """Drain and check; what cannot be drained is a broken promise, and the table is printed all the same."""
    result = Result(world.units)
    try:
        drain(world)
        check(world, result)
    except Exception:  # noqa: BLE001 - whatever it was, it is told, after the table
        outcome.errors.append(traceback.format_exc())
    return result


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seed", type=_seed, default=None, help="default: a random one, printed")
    parser.add_argument("--minutes", type=_minutes, default=3.0, help="how long faults come (3)")
    parser.add_argument("--servers", choices=("bundled", "debian"), default="bundled")
    parser.add_argument(
        "--let-faults-miss",
        action="store_true",
        help="one short run of many: a fault that never bit is told, and is no failure of this run",
    )
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = secrets.randbelow(1_000_000)
    return arguments


def _seed(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) >= SEED_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed: use a whole number below {SEED_MAX}")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text or 3)
    except ValueError:
        minutes = 0.0
    if not 0.1 <= minutes <= MINUTES_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: use 0.1 to {MINUTES_MAX:g} minutes")
    return minutes


if __name__ == "__main__":
    sys.exit(main())
