"""Carry a recovery out: halt, look once more, stage, and put the new log in the place of the old one."""

from __future__ import annotations

import msgspec

from flashsale.client import Client
from flashsale.commands import Code
from flashsale.definition import SaleDefinition
from flashsale.errors import RefusedByState
from flashsale.events import AnyEvent, evolve
from flashsale.events import types as t
from flashsale.ids import START, Position
from flashsale.projections import catalog
from flashsale.projections.apply import Lease, apply_rows
from flashsale.projections.batch import read_entry
from flashsale.projections.database import Connection, errors_told
from flashsale.projections.halting import halt_sale
from flashsale.projections.lease import release, seize
from flashsale.recover.survey import Survey
from flashsale.recover.surveying import survey
from flashsale.recover.union import LeftOut, Union, carry_over
from flashsale.stream import Log, ShardId

HOLDER = "recover"
#: Events projected in one transaction.
BATCH_MAX = 1_000


class Outcome(msgspec.Struct, frozen=True):
    """What a recovery found, and would do or did."""

    survey: Survey
    #: where the log goes on; where it is if there was nothing to recover
    position: Position
    #: events of the other branch that are carried over
    carried: int
    #: what cannot be kept, newest first
    left_out: list[LeftOut]
    done: bool


def recover(
    client: Client,
    log: Log,
    connection: Connection,
    definition: SaleDefinition,
    *,
    carry_out: bool = False,
    leave_out: bool = False,
) -> Outcome:
    """Say what recovering a sale's log would do; with `carry_out` do it.

    Raises `RefusedByState` when acknowledged orders would be left out and `leave_out` does not allow it, or another
    recovery is under way; `Halted` when the archive does not add up. Interrupted anywhere, the sale stays halted and a
    repeat goes on.
    """
    shard = ShardId(definition.sale, 0)
    if not carry_out:
        return _planned(survey(client, log, connection, shard), definition, client.by)
    lease = seize(connection, HOLDER, shard)
    try:
        return _carry_out(client, log, connection, definition, lease, leave_out=leave_out)
    finally:
        with errors_told():
            release(connection, HOLDER)


def _carry_out(
    client: Client,
    log: Log,
    connection: Connection,
    definition: SaleDefinition,
    lease: Lease,
    *,
    leave_out: bool,
) -> Outcome:
    before = survey(client, log, connection, lease.shard)
    if before.is_whole:
        return Outcome(before, before.state.position, 0, [], done=False)
    epoch = before.next_epoch
    _refuse_losses(_planned(before, definition, client.by), leave_out=leave_out)
    if before.origin:
        catalog.adopt(connection, lease.shard.sale, before.origin)
    if not catalog.found(connection, lease.shard, epoch, before=before.founded_epoch):
        raise RefusedByState(f"{lease.shard} was founded anew meanwhile: look again")
    now_ms = halt_sale(client, lease.shard, Position(epoch, 1))
    found = survey(client, log, connection, lease.shard)  # nothing moves any more
    found.damage = before.damage  # that it is halted now is this recovery's own doing
    _project(connection, lease, found)
    # A batch that is applied is a heartbeat like any other: from here on the lease must last again.
    _still_leads(seize(connection, HOLDER, lease.shard), lease)
    begun, union = _next_log(found, definition, client.by, now_ms, epoch)
    outcome = Outcome(found, union.state.position, len(union.log), union.left_out, done=True)
    _refuse_losses(outcome, leave_out=leave_out)
    answer = client.found(
        lease.shard.sale,
        union.state,
        [*begun, *union.log],
        counted=found.counted,
        head=found.head,
        shard=lease.shard.shard,
        origin=catalog.origin(connection, lease.shard.sale),
    )
    if answer.code is not Code.FOUNDED:
        raise RefusedByState(f"{lease.shard} was written to meanwhile: look again, and repeat")
    return outcome


def _planned(found: Survey, definition: SaleDefinition, by: str) -> Outcome:
    if found.is_whole:
        return Outcome(found, found.state.position, 0, [], done=False)
    _, union = _next_log(found, definition, by, 0, found.next_epoch)
    return Outcome(found, union.state.position, len(union.log), union.left_out, done=False)


def _next_log(
    found: Survey, definition: SaleDefinition, by: str, now_ms: int, epoch: int
) -> tuple[list[tuple[Position, AnyEvent]], Union]:
    """How the new epoch begins, and what is carried over into it."""
    before = found.state.position
    if before == START:  # no store has an event of it: it begins as it was defined
        log = _beginning(definition, by, now_ms, epoch)
    else:
        log = [(Position(epoch, 1), t.EpochStarted(1, now_ms, by, before.epoch, before.seq))]
    state = found.state
    for position, event in log:
        state = evolve(state, position, event)
    return log, carry_over(state, [*found.branch, *found.remains])


def _beginning(
    definition: SaleDefinition, by: str, now_ms: int, epoch: int
) -> list[tuple[Position, AnyEvent]]:
    head = t.SaleLoaded(1, now_ms, by, definition.opens_ms, definition.closes_ms, definition.hold_ms)
    stock: list[AnyEvent] = [
        t.StockLoaded(1, now_ms, by, item.sku, item.quantity, item.limit, item.quantity, 0, 0, 0)
        for item in definition.items
    ]
    return [(Position(epoch, seq), event) for seq, event in enumerate([head, *stock], 1)]


def _still_leads(now: Lease, before: Lease) -> None:
    if now.checkpoint != before.checkpoint:
        raise RefusedByState(f"a projector applied events of {now.shard} meanwhile: look again, and repeat")


def _project(connection: Connection, lease: Lease, found: Survey) -> None:
    """Write into Postgres what only Redis has and follows the archive: the stream is about to go."""
    with errors_told():
        for i in range(0, len(found.tail), BATCH_MAX):
            apply_rows(connection, lease, [read_entry(entry) for entry in found.tail[i : i + BATCH_MAX]])


def _refuse_losses(planned: Outcome, *, leave_out: bool) -> None:
    if planned.left_out and not leave_out:
        number = len(planned.left_out)
        raise RefusedByState(
            f"{number:,} acknowledged request(s) of the other log cannot be kept, see `flashsale recover "
            f"{planned.survey.shard.sale}`: tell their buyers, then repeat with --leave-out"
        )
