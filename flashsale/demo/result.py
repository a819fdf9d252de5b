"""What the demo found, and whether the promise held."""

from __future__ import annotations

import msgspec

from flashsale.demo.crowd import Ledger
from flashsale.reconcile import Comparison


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The demo's outcome; `--json` prints exactly this."""

    sale: str
    buyers: int
    units: int
    #: first reservation requests, one a buyer
    attempts: int
    attempts_per_s: int
    #: reservations acknowledged; units that came back are sold again, so more than units
    accepted: int
    #: reservations refused, by reason
    refused: dict[str, int]
    #: units of orders that are paid and kept, by the log
    sold: int
    held: int
    #: units promised beyond those there are
    oversold: int
    #: entries of the log
    events: int
    #: orders in Postgres that own units: paid or held
    orders_in_postgres: int
    #: every order in Postgres, by status
    orders_by_status: dict[str, int]
    #: acknowledged orders that are missing, or stand in another status than the buyer was told
    acknowledged_lost: int
    repeats: int
    repeats_unlike: int
    came_back: int
    retries: int
    #: events applied to Postgres a second, at the busiest moment
    events_projected_per_s: int
    projector_kills: int
    #: from kill -9 until another projector leads the shard
    takeover_s: float | None
    #: events in the log that Postgres has not applied
    lag_events: int
    dead_letters: int
    #: differences between log, Redis and Postgres at the same position
    drift: int
    #: SHA-256 of stock and orders, the same in all three
    state_hash: str
    #: opening to the last buyer's answer
    rush_seconds: float
    #: all of it, without starting the servers
    seconds: float
    #: what did not hold, as sentences; empty when the promise held
    broken: list[str]

    @property
    def held_true(self) -> bool:
        return not self.broken


def lost(ledger: Ledger, comparison: Comparison) -> int:
    """Acknowledged orders that the log lacks or contradicts. A hold the buyer forgot may have expired."""
    wrong = 0
    for order_id, told in ledger.acknowledged.items():
        order = comparison.state.orders.get(order_id)
        if order is None or not (order.status == told or (told == "held" and order.status == "expired")):
            wrong += 1
    return wrong


def broken_promises(result: Result, comparison: Comparison) -> list[str]:
    """Every promise that did not hold, as a sentence."""
    checks = {
        f"{result.oversold} units were oversold": result.oversold == 0,
        f"{result.attempts} attempts of {result.buyers} buyers": result.attempts == result.buyers,
        f"{result.acknowledged_lost} acknowledged orders are lost or changed": result.acknowledged_lost == 0,
        f"{result.repeats_unlike} repeats got another answer": result.repeats_unlike == 0,
        f"{result.drift} differences between log, Redis and Postgres": result.drift == 0,
        "the state hashes differ": comparison.log_hash == comparison.redis_hash == comparison.postgres_hash,
        f"{result.lag_events} events are not in Postgres": result.lag_events == 0,
        f"{result.events} events in the log, {comparison.tables.archived_events} in the archive": (
            result.events == comparison.tables.archived_events
        ),
        f"{result.dead_letters} events are parked": result.dead_letters == 0,
        f"{result.held} units are still held": result.held == 0,
        f"{result.accepted} acknowledged orders, {len(comparison.tables.orders)} rows in Postgres": (
            result.accepted == len(comparison.tables.orders)
        ),
        f"only {result.sold} of {result.units} units were sold": (
            result.sold == result.units or result.buyers < 2 * result.units
        ),
        "no other projector took over from the killed one": (
            result.projector_kills == 0 or result.takeover_s is not None
        ),
    }
    return [sentence for sentence, holds in checks.items() if not holds]
