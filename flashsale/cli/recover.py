"""`flashsale recover`: after Redis lost a sale's log, or its newest events."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flashsale import ids, words
from flashsale.cli import output
from flashsale.cli.session import Json, SaleId, Session, shared
from flashsale.cli.unknown import unknown_told
from flashsale.errors import Halted, RefusedByState

if TYPE_CHECKING:
    from flashsale.recover import LeftOut, Outcome, Survey

#: Rows of a list that are shown; `--json` has them all.
SHOWN_MAX = 20


@shared
def recover(
    session: Session,
    sale: SaleId,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without: only say what would be done.")] = False,
    leave_out: Annotated[
        bool,
        typer.Option(
            "--leave-out", help="Go on although acknowledged orders cannot be kept; they are listed."
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Say what a sale has lost in Redis, and with --yes found its log anew from what is left.

    What Postgres has is kept. What only Redis has is kept, too, behind it, as far as there are units. The sale is
    halted while it lasts, goes on in the next epoch, and is then in the state it was in. Exit code 7 while something
    is lost and --yes was not given.
    """
    ids.sale_id(sale)
    from flashsale.projections import catalog, reads
    from flashsale.recover import recover as recover_sale

    with session.connected() as shop:
        definition = catalog.get(shop.connection, sale)
        if any(row.archived for row in reads.checkpoints(shop.connection, sale)):
            raise RefusedByState(f"sale {sale} is archived: it is over, and nothing of it need be in Redis")
        told = unknown_told(f"see with `flashsale recover {sale}`") if yes else nullcontext()
        with told:
            found = recover_sale(
                shop.client, shop.log, shop.connection, definition, carry_out=yes, leave_out=leave_out
            )
    if json:
        output.json(_record(found))
    else:
        _print(found)
    if found.survey.is_whole:
        output.say(f"Nothing of {sale} is lost: there is nothing to recover.")
        return 0
    if found.done:
        output.say(f"{sale} goes on at {found.position}, in epoch {found.position.epoch}.")
        output.suggest(f"reconcile {sale}", "once a projector has caught up")
        return 0
    output.say("Nothing was changed.")
    output.suggest(f"recover {sale} --yes" + (" --leave-out" if found.left_out else ""))
    return Halted.exit_code


def _print(found: Outcome) -> None:
    survey = found.survey
    output.facts(
        [
            ("sale", survey.shard.sale),
            ("Postgres", f"has applied {survey.checkpoint}"),
            ("Redis", f"log ends at {survey.head}, scripts have counted to {survey.counted}"),
            ("agree", f"up to {survey.common}"),
            *(("wrong", sentence) for sentence in _sentences(survey)),
        ]
    )
    if survey.is_whole:
        return
    done = "was" if found.done else "would be"
    output.facts(
        [
            ("kept", f"{words.count(len(survey.only_postgres), 'events')} that only Postgres has"),
            ("projected", f"{words.count(len(survey.tail), 'events')} that only Redis has, as they are"),
            ("carried over", f"{words.count(found.carried, 'events')} of another log, behind all others"),
            ("left out", f"{words.count(len(found.left_out), 'requests')} that cannot be kept"),
            ("log", f"{done} founded anew, up to {found.position}"),
            *(("group", f"{name} reads the new log from its beginning") for name in survey.groups),
        ]
    )
    _print_orders(survey)
    if found.left_out:
        output.line("")
        output.table(
            ("left out", "what", "order", "buyer", "SKU", "#units", "paid", "because"),
            [_row(left) for left in found.left_out[:SHOWN_MAX]],
        )
        _print_more(len(found.left_out))


def _sentences(survey: Survey) -> list[str]:
    shard, found = survey.shard, list(survey.damage)
    if survey.remains:
        found.append(
            f"Redis has lost the log of {words.count(len(survey.remains), 'steps')} that its records still tell"
        )
    if survey.foreign:
        found.append(
            f"{words.count(len(survey.foreign), 'events')} that no script wrote, from {survey.foreign[0]} on"
        )
    if survey.branch:
        found.append(f"FORK of {shard} behind {survey.common}: Redis has other events there than Postgres")
    elif survey.only_postgres:
        lost = words.count(len(survey.only_postgres), "events")
        found.append(f"FORK of {shard}: Redis has lost {lost} behind {survey.common}")
    return found


def _print_orders(survey: Survey) -> None:
    """The buyers whose orders Redis has forgotten."""
    lost = survey.orders_lost
    if not lost:
        return
    output.line("")
    orders = [(key, survey.state.orders[key]) for key in lost[-SHOWN_MAX:]]
    output.table(
        ("order that Redis lost", "buyer", "SKU", "#units", "now"),
        [
            (key, order.buyer, order.sku, words.count(order.quantity), order.status)
            for key, order in reversed(orders)
        ],
    )
    _print_more(len(lost))


def _print_more(number: int) -> None:
    if number > SHOWN_MAX:
        output.line(f"… and {words.count(number - SHOWN_MAX)} more: --json has them all")


def _row(left: LeftOut) -> tuple[str, ...]:
    paid = "yes" if left.paid else "no"
    units = words.count(left.quantity) if left.quantity else "-"
    return (
        str(left.position), left.type, left.order_id or "-", left.buyer or "-", left.sku or "-", units, paid,
        left.reason,
    )  # fmt: skip


def _record(found: Outcome) -> dict[str, Any]:
    survey = found.survey
    return {
        "sale": survey.shard.sale,
        "shard": survey.shard.shard,
        "done": found.done,
        "whole": survey.is_whole,
        "checkpoint": str(survey.checkpoint),
        "redis_head": str(survey.head),
        "redis_counted": str(survey.counted),
        "agree_up_to": str(survey.common),
        "wrong": _sentences(survey),
        "events_lost_in_redis": len(survey.only_postgres),
        "orders_lost_in_redis": survey.orders_lost,
        "events_projected": len(survey.tail),
        "events_carried_over": found.carried,
        "groups": survey.groups,
        "left_out": [
            {"position": str(left.position), "type": left.type, "reason": left.reason, "order": left.order_id,
             "buyer": left.buyer, "sku": left.sku, "quantity": left.quantity, "paid": left.paid}
            for left in found.left_out
        ],
        "position": str(found.position),
    }  # fmt: skip
