"""Events that could not be applied: by what is wrong with them, one by one, tried again or given up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from starlette.responses import Response

from flashsale import dead_letter_words, ids, values, words
from flashsale.errors import NotFound
from flashsale.operator import pages
from flashsale.operator.desk import Desk, acted
from flashsale.operator.visit import Fields, Visit, wanted
from flashsale.projections import catalog, dead_letters
from flashsale.projections.retry import DRY_LINES_MAX, LINES_MAX, Chosen, Retried
from flashsale.projections.retry import retry as apply
from flashsale.shop import Shop
from flashsale.stream import ShardId

#: A retry of very many stops after this time and says what is left: a browser does not wait for ever.
RETRY_S = 20.0
#: Lines of a retry that are shown one by one.
LINES_SHOWN = 20


def groups(desk: Desk, visit: Visit) -> Response:
    """What is parked, by what is wrong with it."""
    with desk.connected(visit.login.person) as shop:
        found = dead_letters.groups(shop.connection)
    rows = [(group, dead_letter_words.state(group.kind)) for group in found]
    return pages.page("dead_letters.html", visit.login, rows=rows, is_cut=len(found) == dead_letters.LIST_MAX)


def show(desk: Desk, visit: Visit) -> Response:
    """One parked event, and what a retry would do now."""
    shard, position = _shard(visit), values.position(visit.path["position"], "position", 1)
    with desk.connected(visit.login.person) as shop:
        letter = dead_letters.get(shop.connection, shard, position)
        chosen = Chosen(position=position)
        tried = next(_tried(shop, visit, shard, chosen, dry_run=True), None)
    return pages.page(
        "dead_letter.html", visit.login, sale=shard.sale, letter=letter,
        state=dead_letter_words.state(letter.kind), body=letter.body.decode(errors="backslashreplace"),
        followers=dead_letter_words.followers(letter), forecast=dead_letter_words.forecast(tried),
        acts=[(act.action, dead_letter_words.act(act)) for act in letter.acts],
    )  # fmt: skip


def ask_retry(desk: Desk, visit: Visit) -> Response:
    """What a retry would apply, tried out and taken back."""
    shard, chosen = _shard(visit), _chosen(visit.fields)
    with desk.connected(visit.login.person) as shop:
        catalog.get(shop.connection, shard.sale)
        count = _Count.of(_tried(shop, visit, shard, chosen, dry_run=True))
    if not count.lines:
        raise NotFound(f"nothing of sale {shard.sale} that fits is parked any more")
    return pages.page(
        "confirm.html", visit.login, title=f"Retry dead letters of {shard.sale}", state=_told(chosen),
        numbers=[*count.sentences(dry_run=True), *count.shown], button=f"Retry {count.told}",
        is_final=False, hidden=dict(visit.fields), to=f"/dead-letters/{shard.sale}/retry", back="/dead-letters",
    )  # fmt: skip


def retry(desk: Desk, visit: Visit) -> Response:
    """Apply what is chosen, each line for itself."""
    shard, chosen, person = _shard(visit), _chosen(visit.fields), visit.login.person
    until_s = time.monotonic() + RETRY_S
    with desk.connected(person) as shop:
        catalog.get(shop.connection, shard.sale)
        count = _Count.of(_tried(shop, visit, shard, chosen, dry_run=False), until_s)
    acted(person, shard.sale, "retried")
    visit.login.notice = " ".join(count.sentences(dry_run=False))
    return pages.see("/dead-letters")


def ask_discard(desk: Desk, visit: Visit) -> Response:
    """How many events a discard would give up."""
    shard, position, reason = _given_up(visit)
    with desk.connected(visit.login.person) as shop:
        gone = dead_letters.discard(
            shop.connection, shard, position, reason=reason, actor=visit.login.person.actor, dry_run=True
        )
    place = f"/dead-letters/{shard.sale}/{position}"
    numbers = [
        f"{words.count(len(gone), 'events')} are given up: their effect never comes to orders and stock.",
        "They stay in the archive; later events of the order wait behind them. A retry of this event takes it back.",
        f"Reason, kept with your name: {reason}",
    ]
    return pages.page(
        "confirm.html", visit.login, title=f"Discard event {position} of {shard.sale}", state="parked",
        numbers=numbers, button=f"Discard {words.count(len(gone), 'events')}", is_final=True,
        hidden={"reason": reason}, to=f"{place}/discard", back=place,
    )  # fmt: skip


def discard(desk: Desk, visit: Visit) -> Response:
    """Give up an event and what waits behind it."""
    shard, position, reason = _given_up(visit)
    person = visit.login.person
    with desk.connected(person) as shop:
        gone = dead_letters.discard(
            shop.connection, shard, position, reason=reason, actor=person.actor, dry_run=False
        )
    acted(person, shard.sale, "discarded")
    visit.login.notice = f"Discarded {words.count(len(gone), 'events')}."
    return pages.see("/dead-letters")


class _Count(NamedTuple):
    """What became of the lines of a retry."""

    lines: int
    events: int
    refused: int
    is_whole: bool
    shown: list[str]

    @classmethod
    def of(cls, tried: Iterator[Retried], until_s: float | None = None) -> _Count:
        lines = events = refused = 0
        shown: list[str] = []
        is_whole, lines_max = True, DRY_LINES_MAX if until_s is None else LINES_MAX
        for line in tried:
            lines, events = lines + 1, events + len(line.applied)
            refused += line.refused is not None or line.discarded is not None
            if len(shown) < LINES_SHOWN:
                what = dead_letter_words.outcome(line, dry_run=until_s is None)
                shown.append(f"{line.position} {dead_letter_words.whose(line)}: {what}")
            if lines == lines_max or (until_s is not None and time.monotonic() > until_s):
                is_whole = False
                break
        return cls(lines, events, refused, is_whole, shown)

    def sentences(self, *, dry_run: bool) -> list[str]:
        would = "would be " if dry_run else ""
        found = [f"{words.count(self.events, 'events')} {would}applied."]
        if self.refused:
            found.append(f"{words.count(self.refused, 'lines')} {would}refused again.")
        if not self.is_whole:
            found.append(
                f"What stands behind {words.count(self.lines, 'lines')} was not tried out; the retry goes on with it."
                if dry_run
                else "It stopped there, for one retry is only so long; retry the rest."
            )
        return found

    @property
    def told(self) -> str:
        """How many events are retried, as far as that is known."""
        return words.count(self.events, "events") + ("" if self.is_whole else ", and more")


def _tried(shop: Shop, visit: Visit, shard: ShardId, chosen: Chosen, *, dry_run: bool) -> Iterator[Retried]:
    return apply(shop.connection, shard, chosen, actor=visit.login.person.actor, dry_run=dry_run)


def _shard(visit: Visit) -> ShardId:
    return ShardId(ids.sale_id(visit.path["sale"]), 0)


def _chosen(given: Fields) -> Chosen:
    """One event, all with one class of error, or everything of the sale."""
    if "position" in given:
        return Chosen(position=values.position(given["position"], "position", 1))
    error = given.get("error")
    return Chosen(error_class=None if error is None else values.text(error, "error", values.ERROR_LENGTH_MAX))


def _told(chosen: Chosen) -> str:
    if chosen.position is not None:
        return f"event {chosen.position}, and what waits with it"
    return f"all with error {chosen.error_class}" if chosen.error_class else "everything that waits"


def _given_up(visit: Visit) -> tuple[ShardId, ids.Position, str]:
    position = values.position(visit.path["position"], "position", 1)
    reason = values.text(wanted(visit.fields, "reason"), "reason", values.REASON_LENGTH_MAX)
    return _shard(visit), position, reason
