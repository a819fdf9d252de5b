"""After the faults: heal, sell what is left, let all of it be applied, and hold every promise against what is there."""

from __future__ import annotations

import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from flashsale.client import Client
from flashsale.keys import GROUP, shard_keys
from tests.torture.fleet import UNREACHABLE
from tests.torture.losses import changes, count_outcomes, without_lost
from tests.torture.operations import lag_is_gone, note, parked, recover, retry_dead_letters, set_room
from tests.torture.patience import came_true
from tests.torture.world import SALE, World

HEAL_TIMEOUT_S = 60
SELL_OUT_TIMEOUT_S = 240
SELL_OUT_TIMES_MAX = 10
HOLDS_END_TIMEOUT_S = 90
CLI_TIMEOUT_S = 900
#: The directory of the histories as the checker gets them.
WITHIN_THE_PROMISE = "history-within-the-promise"


class Result(msgspec.Struct):
    """What is promised, and what was found."""

    units: int
    sold: int = 0
    #: refunded, and not put back on sale
    returned: int = 0
    left: int = 0
    oversold: int = 0
    #: acknowledged, within the promise, and not in the log
    lost: int = 0
    #: orders that were reserved twice
    double: int = 0
    #: answers that cannot be true: done and called refused, sold out when it was not, out of order, unlike at a repeat
    untrue: int = 0
    #: differences between log, Redis and Postgres
    drift: int = 0
    events: int = 0
    epochs: int = 1
    asked: int = 0
    ok: int = 0
    refused: int = 0
    unknown: int = 0
    #: these, of the shops that sell over HTTP
    over_http: dict[str, int] = msgspec.field(default_factory=dict)
    #: acknowledged by a log that was lost later, and that nobody else had: beyond level D1, as documented
    lost_with_the_log: int = 0
    #: sentences; none: every promise was kept
    broken: list[str] = msgspec.field(default_factory=list)


def drain(world: World) -> None:
    """No fault any more: shops finish, the rest is sold, every hold ends, everything is applied."""
    world.heal()
    assert came_true(world.master.answers, HEAL_TIMEOUT_S), "Redis does not come back"
    if recover(world) is not None:
        raise AssertionError("a part of the log is lost that no fault has taken: see operator.ndjson")
    for fleet in world.fleets:
        for slot in fleet.slots.values():
            fleet.send(slot, signal.SIGCONT)
    set_room(world, "pass-through")
    world.shops.stop_kind("shop")
    for number in range(1, SELL_OUT_TIMES_MAX + 1):
        name = f"shop-last-{number}"
        code = world.shops.run(name, world.shop_command(name, 0), SELL_OUT_TIMEOUT_S)
        assert code == 0, f"{name} ended with {code}: {world.shops.log(name)[-2000:]}"
        if _all_holds_ended(world) and _units_left(world) == 0:
            break
    retry_dead_letters(world)


def check(world: World, result: Result) -> None:
    """Every promise, once; what was found goes into `result`."""
    if not lag_is_gone(world, HEAL_TIMEOUT_S):
        result.broken.append(f"Postgres stands at {world.checkpoint()}, the log ends at {world.head()}")
    _check_stock(world, result)
    _check_log(world, result)
    _check_stores(world, result)
    _check_processes(world, result)


def _all_holds_ended(world: World) -> bool:
    with Client(world.current_url, by="torture") as client:
        return came_true(lambda: client.snapshot(SALE).hold_count == 0, HOLDS_END_TIMEOUT_S)


def _units_left(world: World) -> int:
    with Client(world.current_url, by="torture") as client:
        return sum(stock.available for stock in client.snapshot(SALE).state.stock.values())


def _check_stock(world: World, result: Result) -> None:
    """Exactly as many were sold as there are."""
    with Client(world.current_url, by="torture") as client:
        snapshot = client.snapshot(SALE)
    result.epochs = snapshot.state.position.epoch
    for stock in snapshot.state.stock.values():
        result.sold += stock.sold
        result.returned += stock.returned
        result.left += stock.available + stock.held
    result.oversold = max(0, result.sold + result.returned + result.left - result.units)
    if result.sold + result.returned != result.units or result.left:
        result.broken.append(
            f"of {result.units} units {result.sold} are sold, {result.returned} returned, {result.left} left"
        )


def _check_log(world: World, result: Result) -> None:
    """The log adds up, and agrees with everything that anybody was told."""
    log = world.home / "log.ndjson"
    log.write_text(world.cli.ok("events", "export", SALE, timeout_s=CLI_TIMEOUT_S).stdout)
    result.events, result.double = _count_events(log)
    if result.double:
        result.broken.append(f"{result.double} orders were reserved twice")
    files = sorted(world.history_dir.glob("*.jsonl"))
    for name, count in count_outcomes(files).items():
        setattr(result, name, count)
    result.over_http = count_outcomes(world.http_histories())
    if not result.over_http["ok"]:
        result.broken.append("nobody was served over HTTP")
    told = world.home / WITHIN_THE_PROMISE
    told.mkdir(exist_ok=True)
    changed = changes(log)
    result.lost_with_the_log = sum(
        without_lost(file, told / file.name, world.losses, changed) for file in files
    )
    options = [word for file in sorted(told.glob("*.jsonl")) for word in ("--history", str(file))]
    finished = world.cli.run("verify", str(log), *options, "--json", timeout_s=CLI_TIMEOUT_S)
    if finished.stdout:
        broken: dict[str, int] = finished.json().get("history", {}).get("broken", {})
        result.lost = broken.get("K1", 0)
        result.untrue = sum(broken.values()) - result.lost
    if finished.exit_code != 0:
        result.broken.append(f"verify ended with {finished.exit_code}: {finished.stderr[:2000]}")
        note(world, "verify", {"stdout": finished.stdout[:100_000], "stderr": finished.stderr})


def _check_stores(world: World, result: Result) -> None:
    """Log, Redis and Postgres agree; the tables are what a rebuild makes of the log; nothing waits anywhere."""
    finished = world.cli.run("reconcile", SALE, "--json", timeout_s=CLI_TIMEOUT_S)
    if finished.exit_code != 0:
        result.drift = _drifts(finished.stdout)
        result.broken.append(f"reconcile ended with {finished.exit_code}: {finished.stderr[:2000]}")
        note(world, "reconcile", {"stdout": finished.stdout[:100_000]})
    finished = world.cli.run("replay", SALE, "--verify", timeout_s=CLI_TIMEOUT_S)
    if finished.exit_code != 0:
        result.broken.append(f"replay --verify ended with {finished.exit_code}: {finished.stdout[-2000:]}")
    if waiting := parked(world):
        result.broken.append(f"{waiting} dead letters wait")

    def nothing_pending() -> bool:
        with world.redis(5) as commands:
            return int(commands.xpending(shard_keys(SALE, 0).events, GROUP)["pending"]) == 0

    if not came_true(nothing_pending, HEAL_TIMEOUT_S):
        result.broken.append("entries are pending in the consumer group although all is applied")


def _check_processes(world: World, result: Result) -> None:
    """A daemon never ends by itself, and nobody prints a traceback."""
    for slot in [slot for fleet in world.fleets for slot in fleet.slots.values()]:
        allowed = {0, UNREACHABLE} if slot.kind == "shop" else {0}
        unexpected = [code for code in slot.ends if code not in allowed]
        if unexpected:
            result.broken.append(f"{slot.name} ended by itself with {unexpected}: see {world.home}/logs")
    for log in sorted((world.home / "logs").glob("*.log")):
        if found := re.search(r"Traceback .*?\n(\S[^\n]*)\n", log.read_text(errors="replace"), re.DOTALL):
            result.broken.append(f"{log.name} has a traceback: {found[1]}")


def _count_events(log: Path) -> tuple[int, int]:
    """How many events an export has, and how many orders were reserved more than once."""
    events, reserved = 0, Counter[str]()
    with log.open("rb") as lines:
        for line in lines:
            event = msgspec.json.decode(line)
            events += 1
            if event["type"] == "order.reserved":
                reserved[event["order_id"]] += 1
    return events, sum(times > 1 for times in reserved.values())


def _drifts(stdout: str) -> int:
    try:
        shards: list[dict[str, Any]] = msgspec.json.decode(stdout)["shards"]
    except (msgspec.MsgspecError, KeyError):
        return 1
    return max(1, sum(len(shard.get("findings", ())) for shard in shards))
