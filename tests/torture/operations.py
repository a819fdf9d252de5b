"""What the operator does, with the command line, by docs/runbook.md."""

from __future__ import annotations

import json
from typing import Any

from flashsale.errors import DriftFound, FlashsaleError, Halted, RefusedByState, Unreachable
from flashsale.keys import shard_keys
from tests.torture.patience import came_true, pause
from tests.torture.world import SALE, World

#: A server may be away while an operator works, and is waited for.
TRIES_MAX = 60
AGAIN_S = 0.5
LOOK_TIMEOUT_S = 30
#: It writes every order of the sale anew; with four of these runs on two cores it took more than a minute.
RECOVER_TIMEOUT_S = 300
#: Nobody waits for long, and passes that nobody uses end soon.
ROOM = ("--rate", "500", "--active", "2000", "--pass-ttl", "10s")


def recover(world: World) -> dict[str, Any] | None:
    """By "Redis lost a log": look, then found it anew. Returns what `recover --yes` said; None: nothing was lost."""
    look = _ask(world, "recover", SALE, "--json", enough=(0, Halted.exit_code))
    if look["whole"]:
        return None
    command = ["recover", SALE, "--yes", "--json"]
    for _ in range(TRIES_MAX):
        finished = world.cli.run(*command, timeout_s=RECOVER_TIMEOUT_S)
        if finished.exit_code == 0:
            done: dict[str, Any] = finished.json()
            if done["done"]:
                note(world, "recovered", done)
                return done | {"events_lost_in_redis": look["events_lost_in_redis"]}
            # Founded already, by a try whose reply was lost.
            return dict(look)
        if finished.exit_code == RefusedByState.exit_code and "--leave-out" in finished.stderr:
            note(world, "left-out", _ask(world, "recover", SALE, "--json", enough=(0, Halted.exit_code)))
            command.append("--leave-out")
            continue
        note(world, "recover-refused", {"exit_code": finished.exit_code, "stderr": finished.stderr})
        expected = (Unreachable.exit_code, RefusedByState.exit_code, Halted.exit_code)
        assert finished.exit_code in expected, f"recover ended with {finished.exit_code}: {finished.stderr}"
        pause(AGAIN_S)
    raise AssertionError(f"recover did not come to an end: {finished.stderr}")


def set_room(world: World, mode: str) -> None:
    """By "The waiting room": have buyers wait, or let everybody pass."""
    _until_done(world, (RefusedByState, Halted), "room", "set", SALE, *ROOM, "--mode", mode)


def retry_dead_letters(world: World) -> None:
    """By "Dead letters": what is mended is retried until nothing waits."""
    _until_done(world, (RefusedByState, DriftFound), "dead-letter", "retry", SALE, "--all", "--json")


def _until_done(world: World, refusals: tuple[type[FlashsaleError], ...], *command: str) -> None:
    """Type a command again until it is done. So far it may be refused like this, or a server be away."""
    expected = {Unreachable.exit_code, *(error.exit_code for error in refusals)}
    for _ in range(TRIES_MAX):
        finished = world.cli.run(*command)
        if finished.exit_code == 0:
            return
        told = f"{' '.join(command)} ended with {finished.exit_code}: {finished.stderr}"
        assert finished.exit_code in expected, told
        pause(AGAIN_S)
    raise AssertionError(f"it does not come to an end: {told}")


def parked(world: World) -> int:
    """Dead letters that wait."""
    return int(world.value("SELECT count(*) FROM parked WHERE kind <> 'discarded' AND sale_id = %s", SALE))


def assert_not_halted(world: World) -> None:
    """Between two faults of the log's server, each of which was mended: a sale that lost nothing is never halted."""
    found: list[str | None] = []

    def looked() -> bool:
        with world.redis() as commands:
            found.append(commands.hget(shard_keys(SALE, 0).sale, "lost"))
        return True

    assert came_true(looked, LOOK_TIMEOUT_S), "Redis does not come back"
    assert found[-1] is None, f"the sale is halted, somebody has seen {found[-1]}: nothing was lost"


def lag_is_gone(world: World, timeout_s: float) -> bool:
    """Whether Postgres has everything within that time."""
    return came_true(lambda: world.checkpoint() == world.head(), timeout_s)


def note(world: World, what: str, found: dict[str, Any]) -> None:
    """Keep what a command said, for whoever looks into this run later."""
    with (world.home / "operator.ndjson").open("a") as notes:
        notes.write(json.dumps({"what": what, **found}) + "\n")


def _ask(world: World, *args: str, enough: tuple[int, ...]) -> dict[str, Any]:
    """Run a reading command until no server is away."""
    for _ in range(TRIES_MAX):
        finished = world.cli.run(*args)
        if finished.exit_code in enough:
            found: dict[str, Any] = finished.json()
            return found
        assert finished.exit_code == Unreachable.exit_code, (
            f"{args} ended with {finished.exit_code}: {finished.stderr}"
        )
        pause(AGAIN_S)
    raise AssertionError(f"{args}: {finished.stderr}")
