"""Each call that a command makes to a server meets a fault, one after the other.

The N-th call is cut, for N from 1 until the command needs no more calls. Four faults: the process is killed before the
call arrives, so at each of its steps; the call does not arrive; it is carried out and its reply is lost; the server
refuses. Afterwards the books add up, and the same command without a fault leaves what it leaves in peace.
"""

from __future__ import annotations

from collections.abc import Iterator
from signal import SIGKILL
from typing import NamedTuple

import pytest

from flashsale.errors import Halted, Unreachable
from tests.crash.calls_kit import Fault
from tests.crash.cases import DAEMONS, FILES, READERS, WARMING, WRITERS, Case
from tests.crash.scenes import KEYS, SALE, SHARD, UNITS
from tests.crash.stage_kit import Stage, open_stage
from tests.crash.thoroughness import every_case
from tests.crash.world_kit import Essence, assert_books_add_up, in_epoch_two
from tests.fixtures.processes import Finished
from tests.fixtures.read_side import SKU

FAULTS = tuple(Fault)
#: No command needs as many calls as this.
CALLS_MAX = 400
#: With the first calls it connects, and reads the schema's version and the fences.
COMMON_CALLS = 9
#: Of the others, about so many of a command are tried in `make test`.
OWN_CALLS_MAX = 3
CASES = (*WRITERS, *DAEMONS, *READERS)


class Peace(NamedTuple):
    """What the command does when nothing goes wrong."""

    before: Essence
    finished: Finished
    after: Essence


@pytest.fixture(scope="module")
def stage(
    redis_url: str, postgres_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """One for all cases: making the states takes longer than putting them back."""
    home = tmp_path_factory.mktemp("home")
    for name, text in FILES.items():
        (home / name).write_text(text)
    with open_stage(redis_url, postgres_url, template_database, home) as stage:
        yield stage


@pytest.mark.timeout(3_600 if every_case() else 600)  # an idle machine takes seconds
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_whichever_call_meets_a_fault(stage: Stage, case: Case) -> None:
    stage.prepare(case)
    before = stage.world.essence()
    peace = Peace(before, stage.run(case), stage.world.essence())
    last = stage.calls.count
    assert 0 < last < CALLS_MAX
    assert_told(peace.finished)

    bitten = 0
    for at, fault in tried(case, last):
        stage.prepare(case)
        done = stage.run(case, fault, at)
        if stage.calls.has_bitten:
            bitten += 1
            check(stage, case, done, peace)
    assert bitten, "a fault that never bit proves nothing"


def test_a_warming_that_was_killed_goes_on_and_is_not_taken_for_a_loss(stage: Stage) -> None:
    stage.prepare(WARMING)
    assert stage.run(WARMING).exit_code == 0
    last = stage.calls.count
    left = set()
    for at in range(last - 2, last + 1):
        stage.prepare(WARMING)
        assert stage.run(WARMING, Fault.KILL, at).exit_code == -SIGKILL
        stage.calls.arm(None)
        side, is_there = stage.world.side, stage.world.redis.exists(KEYS.events) == 1
        left.add(is_there)

        doctor = stage.cli.run("doctor")
        assert doctor.exit_code != Halted.exit_code
        assert (f"run `flashsale sale warm {SALE}` again" in doctor.stderr) is is_there
        side.drain(side.projector("looks")) if is_there else side.projector("looks").step()
        assert side.halted(SHARD) is None
        assert stage.cli.run("reconcile", SALE).exit_code == 0
        assert f"Nothing of {SALE} is lost" in stage.cli.run("recover", SALE).stderr

        assert stage.cli.run(*WARMING.args).exit_code == (4 if is_there else 0)
        assert side.value("SELECT founded_epoch FROM checkpoint") == 1
        assert side.client.snapshot(SALE).state.stock[SKU].available == UNITS
    assert left == {False, True}, "killed before Redis had it, and when Postgres did not know it yet"


def tried(case: Case, last: int) -> Iterator[tuple[int, Fault]]:
    """The calls that are cut, and how.

    In `make test` not all of them. The first are the same for every command, so each command has a ninth of them; of
    the others about so many are tried. The faults take turns, so that each meets every kind of call. A daemon, whose
    first calls are its own, is also killed at each.
    """
    number, common = CASES.index(case), 0 if case.done or last <= COMMON_CALLS else COMMON_CALLS
    stride = 1 if every_case() else 1 + (last - common) // OWN_CALLS_MAX
    for at in range(1, last + 1):
        every = stride if at > common else common
        if every_case():
            yield from ((at, fault) for fault in FAULTS)
        elif at % every == number % every:
            fault = FAULTS[(at // every + number) % len(FAULTS)]
            yield at, fault
            if case.done and fault is not Fault.KILL:
                yield at, Fault.KILL


def check(stage: Stage, case: Case, done: Finished, peace: Peace) -> None:
    """What holds after a fault, and after a repeat."""
    code = peace.finished.exit_code
    if stage.calls.fault is Fault.KILL:
        assert done.exit_code == -SIGKILL
    else:
        assert_told(done)
        assert done.exit_code in {code, Unreachable.exit_code}, done.stderr
    now = stage.world.essence()
    if case.is_one_step and done.exit_code == Unreachable.exit_code and "may or may not" not in done.stderr:
        assert now == peace.before, f"nothing was done, it said: {done.stderr}"
    if case.adds_up and peace.before.get("sales"):
        assert_books_add_up(stage.world.side, SALE)
    if done.exit_code != code:
        repeat(stage, case, code)
        now = stage.world.essence()
    now, then = in_epoch_two(now), peace.after
    for part in case.parts or now.keys() | then.keys():
        assert now.get(part) == then.get(part), part


def repeat(stage: Stage, case: Case, code: int) -> None:
    """Do what a person does who was told of the fault."""
    again = stage.run(case)
    assert_told(again)
    assert again.exit_code in {code, case.done_already}, again.stderr


def assert_told(done: Finished) -> None:
    """In sentences, whatever happened: no fault of ours, no error that hides the one before it, no broken lines."""
    for sign in (
        "Traceback",
        "error: unexpected",
        "Exception ignored",
        "error: Postgres: the connection is closed",
        "\n\t",
    ):
        assert sign not in done.stderr, done.stderr
