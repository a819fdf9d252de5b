"""Apply parked events once what was wrong with them is mended: in order, as the projector would have.

What is parked belongs to lines: the events of one order, the stock events of one SKU, or an event that concerns
neither. One line is one transaction. It locks the shard's checkpoint row first, as the projector's batches do, so the
two never see half of each other; the checkpoint itself stays where it is. The row in `parked` is the proof that the
effect is missing: the archive, which has seen these events, is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import NamedTuple

import msgspec
import psycopg

from flashsale.errors import Unreachable
from flashsale.ids import START, Position
from flashsale.projections.apply import Poison, refusal
from flashsale.projections.batch import Row, parameters, read_entry, without_values
from flashsale.projections.database import Connection, errors_told, is_data_error, written
from flashsale.projections.queries import of_position, of_shard, query
from flashsale.stream import Entry, ShardId

#: Lines of one run; what is left is for the next run.
LINES_MAX = 10_000
#: Lines of one dry run, which is a single transaction: the projector waits for it, and must not time out.
DRY_LINES_MAX = 500
#: Events of one line that are applied in one transaction; the rest follow in the next.
LINE_EVENTS_MAX = 500
#: Events named in one transaction.
NAMES_MAX = 200


class Chosen(msgspec.Struct, frozen=True):
    """What to retry: the line of one event, the lines of all events with an error of this class, or everything."""

    position: Position | None = None
    error_class: str | None = None


class Refused(msgspec.Struct, frozen=True):
    """An event that could not be applied this time either."""

    position: Position
    error_class: str
    error: str


class Retried(msgspec.Struct, frozen=True):
    """What became of one line."""

    #: its first event that was chosen
    position: Position
    order_id: str | None
    #: of a line of stock events
    sku: str | None
    applied: list[Position]
    #: the first that was refused again; it and those behind it stay parked
    refused: Refused | None = None
    #: the first that was discarded, where there is one: those behind it stay parked
    discarded: Position | None = None


class _Line(NamedTuple):
    order_id: str | None
    stock_sku: str | None
    position: Position


class _Parked(NamedTuple):
    row: Row
    is_discarded: bool


def retry(
    connection: Connection, shard: ShardId, chosen: Chosen, *, actor: str, dry_run: bool = False
) -> Iterator[Retried]:
    """Retry what is chosen, line by line; yields what became of each line that was tried.

    A line is applied up to its first event that is refused again, or that was discarded. An event that was discarded
    is applied when it is the one chosen. `dry_run`: try everything, keep nothing.
    """
    with errors_told(), connection.transaction(force_rollback=True) if dry_run else nullcontext():
        run = _Retry(connection, shard, chosen, actor)
        run.name()
        for line in run.lines(DRY_LINES_MAX if dry_run else LINES_MAX):
            yield run.try_line(line)


class _Retry:
    """One run over one shard."""

    def __init__(self, connection: Connection, shard: ShardId, chosen: Chosen, actor: str) -> None:
        self._connection, self._chosen = connection, chosen
        self._values = of_shard(*shard) | {"by": actor}
        self._takes_back = False

    def name(self) -> None:
        """Find out to which order or SKU events belong that could not be read when they were parked.

        Only then can they take their place in front of what followed them.
        """
        after = START
        while True:
            with self._connection.transaction():
                found = self._unnamed(after)
                for row in found:
                    values = parameters([row])
                    if row.error is None and (values["order_id"] != [None] or values["sku"] != [None]):
                        self._name(row)
            if len(found) < NAMES_MAX:
                return
            after = found[-1].position

    def lines(self, limit: int) -> list[_Line]:
        """What is chosen: stock before orders, then by position."""
        position = self._chosen.position
        chosen = {
            "epoch": position.epoch if position else None,
            "seq": position.seq if position else None,
            "error_class": self._chosen.error_class,
            "limit": limit,
        }
        rows = self._connection.execute(query("dead_letters", "lines"), self._values | chosen)
        return [_Line(order_id, sku, Position(epoch, seq)) for order_id, sku, epoch, seq in rows]

    def try_line(self, line: _Line) -> Retried:
        """Apply one line as far as it goes."""
        applied: list[Position] = []
        while True:
            with written(self._connection):
                self._lock()
                parked = self._parked(line)
                work = self._try_stock if line.stock_sku is not None else self._try_in_order
                done = work(line, parked)
            applied += done.applied
            if len(parked) < LINE_EVENTS_MAX or len(done.applied) < len(parked):
                return msgspec.structs.replace(done, applied=applied)

    def _try_in_order(self, line: _Line, parked: list[_Parked]) -> Retried:
        """Each event for itself: those before a refused one count."""
        applied: list[Position] = []
        for row, is_discarded in parked:
            if is_discarded:
                return _retried(line, applied, discarded=row.position)
            poison = self._try([row])
            if poison is not None:
                return _retried(line, applied, refused=self._refuse(row, poison))
            applied.append(row.position)
        return _retried(line, applied)

    def _try_stock(self, line: _Line, parked: list[_Parked]) -> Retried:
        """All together: a stock row is what the newest event says, and no event before it can be seen there."""
        discarded = next((row.position for row, is_discarded in parked if is_discarded), None)
        if discarded is not None:
            return _retried(line, [], discarded=discarded)
        rows = [row for row, _ in parked]
        poison = self._try(rows, line.stock_sku)
        if poison is not None:
            return _retried(line, [], refused=self._refuse(rows[0], poison))
        return _retried(line, [row.position for row in rows])

    def _try(self, rows: list[Row], stock_sku: str | None = None) -> Poison | None:
        """Apply rows, or say why not; then nothing was changed."""
        unreadable = next((row.error for row in rows if row.error is not None), None)
        if unreadable is not None:
            return Poison("undecodable", unreadable, 1)
        try:
            with self._connection.transaction():
                for row in rows:
                    self._execute("retry", **parameters([row]))
                if stock_sku is not None:
                    self._execute("release_stock", stock_sku=stock_sku)
        except psycopg.Error as error:
            if not self._is_refusal(error):
                raise
            return refusal(error, 1)
        return None

    def _refuse(self, row: Row, poison: Poison) -> Refused:
        position, error_class, error = row.position, poison.error_class, poison.error
        self._execute(
            "refused_again", epoch=position.epoch, seq=position.seq, error_class=error_class, error=error
        )
        return Refused(position, error_class, error)

    def _name(self, row: Row) -> None:
        try:
            with self._connection.transaction():
                self._execute("name", **parameters([row]))
        except psycopg.Error as error:
            if not self._is_refusal(error):
                raise
            self._execute("name", **parameters([without_values(row)]))

    def _is_refusal(self, error: psycopg.Error) -> bool:
        """Whether Postgres refuses the values, and the transaction goes on from where it was rolled back to."""
        # That roll-back, too, can meet the end of the connection: psycopg logs it, and says no more.
        if is_data_error(error) and self._connection.closed:
            raise Unreachable("Postgres went away while a refused event was rolled back") from error
        return is_data_error(error)

    def _parked(self, line: _Line) -> list[_Parked]:
        rows = self._connection.execute(
            query("dead_letters", "line"),
            self._values
            | {"order_id": line.order_id, "stock_sku": line.stock_sku, "limit": LINE_EVENTS_MAX}
            | of_position(line.position),
        ).fetchall()
        kinds = {Position(epoch, seq): kind for epoch, seq, kind, _ in rows}
        # By its name an event is taken back from the discarded, and those that were discarded with it.
        if self._chosen.position is not None:
            self._takes_back |= kinds.get(self._chosen.position) == "discarded"
        return [
            _Parked(_read(epoch, seq, body), kind == "discarded" and not self._takes_back)
            for epoch, seq, kind, body in rows
        ]

    def _unnamed(self, after: Position) -> list[Row]:
        self._lock()
        chosen = self._chosen.position
        rows = self._connection.execute(
            query("dead_letters", "unnamed"),
            self._values
            | of_position(after)
            | {"limit": NAMES_MAX}
            | {"chosen_epoch": chosen and chosen.epoch, "chosen_seq": chosen and chosen.seq},
        )
        return [_read(*row) for row in rows]

    def _lock(self) -> None:
        self._connection.execute(query("apply", "lock_shard"), self._values)

    def _execute(self, name: str, **values: object) -> None:
        self._connection.execute(query("dead_letters", name), self._values | values)


def _read(epoch: int, seq: int, body: bytes) -> Row:
    return read_entry(Entry(Position(epoch, seq), bytes(body)))


def _retried(
    line: _Line,
    applied: list[Position],
    refused: Refused | None = None,
    discarded: Position | None = None,
) -> Retried:
    return Retried(line.position, line.order_id, line.stock_sku, applied, refused, discarded)
