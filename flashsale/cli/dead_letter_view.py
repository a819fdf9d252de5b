"""How dead letters are shown, to people and to programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from flashsale import dead_letter_words as told
from flashsale import words
from flashsale.cli import output

if TYPE_CHECKING:
    from flashsale.projections.dead_letters import ErrorGroup, Letter
    from flashsale.projections.retry import Retried
    from flashsale.stream import ShardId

_SAID_ELSEWHERE = ("sale", "shard", "epoch", "seq", "body")


def print_groups(groups: Sequence[ErrorGroup]) -> None:
    output.table(
        ("sale", "state", "oldest", "#events", "#followers", "#attempts", "first", "last", "error"),
        (
            (
                group.sale,
                told.state(group.kind),
                str(group.oldest),
                words.count(group.events),
                words.count(group.followers),
                words.count(group.attempts),
                words.when(group.first_ms),
                words.when(group.last_ms),
                f"{group.error_class}: {group.error}",
            )
            for group in groups
        ),
    )


def group_record(group: ErrorGroup) -> dict[str, Any]:
    return msgspec.structs.asdict(group) | {"state": told.state(group.kind), "oldest": str(group.oldest)}


def print_letter(shard: ShardId, letter: Letter, forecast: Retried | None) -> None:
    event = _event(shard, letter)
    known = {
        name: value for name, value in event.items() if name not in _SAID_ELSEWHERE and value is not None
    }
    output.facts(
        [
            ("position", str(letter.position)),
            ("state", told.state(letter.kind)),
            *((name.removesuffix("_ms"), words.field(name, value)) for name, value in known.items()),
            ("as written", letter.body.decode(errors="backslashreplace")),
            ("error", f"{letter.error_class}: {letter.error}"),
            ("attempts", words.count(letter.attempts)),
            ("first", words.when(letter.first_ms)),
            ("last", words.when(letter.last_ms)),
            ("followers", told.followers(letter)),
            *((act.action, told.act(act)) for act in letter.acts),
            ("a retry now", told.forecast(forecast)),
        ]
    )


def letter_record(shard: ShardId, letter: Letter, forecast: Retried | None) -> dict[str, Any]:
    return msgspec.structs.asdict(letter) | {
        "sale": shard.sale,
        "shard": shard.shard,
        "state": told.state(letter.kind),
        "position": str(letter.position),
        "body": letter.body.decode(errors="replace"),
        "event": _event(shard, letter),
        "followers": [
            {"position": str(follower.position), "kind": follower.kind, "type": follower.type}
            for follower in letter.followers
        ],
        "retry": _retried_record(forecast) if forecast else None,
    }


def print_retried(line: Retried, *, dry_run: bool) -> None:
    """One line of what became of a line of events."""
    output.line(f"{line.position!s:<8} {told.whose(line):<28} {told.outcome(line, dry_run=dry_run)}")


def retry_record(shard: ShardId, tried: Sequence[Retried], left: int, *, dry_run: bool) -> dict[str, Any]:
    return {
        "sale": shard.sale,
        "shard": shard.shard,
        "dry_run": dry_run,
        "applied": sum(len(line.applied) for line in tried),
        "left": left,
        "tried": [_retried_record(line) for line in tried],
    }


def _retried_record(line: Retried) -> dict[str, Any]:
    refused = line.refused
    return {
        "position": str(line.position),
        "order_id": line.order_id,
        "sku": line.sku,
        "applied": [str(position) for position in line.applied],
        "refused": refused and msgspec.structs.asdict(refused) | {"position": str(refused.position)},
        "discarded": line.discarded and str(line.discarded),
    }


def _event(shard: ShardId, letter: Letter) -> dict[str, Any]:
    """What the event says, as this version reads it."""
    from flashsale import history
    from flashsale.stream import Entry

    return history.shown(shard, Entry(letter.position, letter.body), archived=True).record()
