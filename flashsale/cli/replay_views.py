"""What a person sees of a replay: the bar while it runs, and what came of it."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from flashsale import words
from flashsale.cli import output
from flashsale.projections.rebuilt import SHOWN_MAX
from flashsale.projections.replays import Run
from flashsale.replay import Replayed, Stopped


class Watch:
    """Shows a bar on a terminal. Ctrl-C ends the work after the chunk under way, a second one at once."""

    def __init__(self) -> None:
        console = output.console_of(sys.stderr)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal or console.is_dumb_terminal,
        )
        self._task: TaskID | None = None
        self._stopping = False
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._on_signal)
        self._bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bar.stop()
        signal.signal(signal.SIGINT, self._before)

    def begin(self, sale: str, done: int, total: int) -> None:
        """A sale is begun, or gone on with."""
        self.clear()
        self._task = self._bar.add_task(sale, total=total, completed=done)

    def chunk(self, events: int) -> None:
        """Move the bar; the log may have grown behind its end."""
        if self._task is not None and events:
            task = self._bar.tasks[0]
            self._bar.update(self._task, total=max(task.total or 0, task.completed + events))
            self._bar.advance(self._task, events)
        if self._stopping:
            raise Stopped

    def say(self, sentence: str) -> None:
        """A sentence above the bar."""
        self.clear()
        output.say(sentence)

    def clear(self) -> None:
        """Take the bar away, so that something can be printed."""
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
            self._bar.refresh()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


#: Why nothing was rebuilt.
_NOTHING = {
    "empty": "has no events: nothing to rebuild",
    "dropped": "is archived and its events were dropped: its tables stay as they are",
}


def print_result(done: Replayed, *, json: bool) -> None:
    """What came of one sale: facts and rows on stdout, sentences on stderr."""
    if json:
        output.json(done)
    elif done.outcome in _NOTHING:
        output.say(f"Sale {done.sale} {_NOTHING[done.outcome]}.")
        return
    else:
        _print_facts(done)
    _say_what_came(done)


def run_record(run: Run) -> dict[str, Any]:
    """One run for programs."""
    return {
        "sale": run.sale,
        "kind": run.mode,
        "state": run.state,
        "until": run.until,
        "reached": ", ".join(map(str, run.reached.values())),
        "restarts": run.restarts,
        "started_at": words.iso(run.started_ms),
        "tables": _beside(run),
    }


def run_row(run: Run) -> tuple[str, ...]:
    """One run for people."""
    record = run_record(run)
    kind = f"until {run.until}" if run.until else run.mode
    return (
        run.sale,
        kind,
        run.state,
        record["reached"],
        words.when(run.started_ms),
        ", ".join(record["tables"]),
    )


def _beside(run: Run) -> list[str]:
    return list((run.old_tables if run.state == "swapped" else run.new_tables).values())


def _print_facts(done: Replayed) -> None:
    rate = f" ({done.events / done.seconds:,.0f} a second)" if done.events and done.seconds else ""
    facts = [
        ("sale", done.sale),
        ("position", done.position),
        ("built", f"{words.count(done.events, 'events')} in {done.seconds:,.2f} s{rate}"),
        ("state hash", done.state_hash or "needs both tables"),
    ]
    if done.live_hash and done.live_hash != done.state_hash:
        facts.append(("live tables", f"{done.live_hash} before"))
    if done.outcome in ("verified", "swapped"):
        counted = [f"{words.count(count)} {name}" for name, count in sorted(done.differences.items())]
        facts.append(("differing", ", ".join(counted)))
    facts += [(name, table) for name, table in done.tables.items()]
    facts += [
        (f"stock {sku}", ", ".join(f"{name} {units:,}" for name, units in counters.items()))
        for sku, counters in done.stock.items()
    ]
    facts += [
        (f"orders {status}", f"{words.count(orders)}, {words.count(units, 'units')}")
        for status, (orders, units) in done.orders.items()
    ]
    output.facts(facts)
    if done.shown:
        output.line("")
        output.table(("table", "key", "live", "by the log"), map(_difference, done.shown))


def _difference(found: Any) -> tuple[str, ...]:
    """Of rows that both have, only what is not the same."""
    live, rebuilt = found.live, found.rebuilt
    if live is None or rebuilt is None:
        return (found.projection, found.key, _fields(live), _fields(rebuilt))
    names = [name for name in rebuilt if live.get(name) != rebuilt[name]]
    return (found.projection, found.key, _fields(live, names), _fields(rebuilt, names))


def _fields(row: dict[str, Any] | None, names: list[str] | None = None) -> str:
    if row is None:
        return "missing"
    shown = names or [name for name in row if name not in ("sale_id", "order_id", "sku", "shard")]
    return " ".join(f"{name}={row[name]}" for name in shown)


def _say_what_came(done: Replayed) -> None:
    if done.differing > len(done.shown) and done.shown:
        output.say(f"At most {SHOWN_MAX} rows of a table are shown.")
    if done.outcome == "verified":
        if done.differing:
            output.fail(
                f"the tables of {done.sale} differ from the log in {words.count(done.differing, 'rows')}"
            )
            output.suggest(f"replay {done.sale}")
        else:
            output.say(f"The tables of {done.sale} are what the log says.")
    elif done.outcome == "swapped":
        mended = f"; {words.count(done.differing, 'rows')} differed" if done.differing else ""
        output.say(f"The rebuilt tables of {done.sale} are live{mended}. The old ones are kept.")
        output.suggest(f"replay finish {done.sale}", f"or back: replay rollback {done.sale}")
    elif done.outcome == "kept":
        output.say(f"Query these tables; drop them with `flashsale replay finish {done.sale}`.")
    elif done.outcome == "rebuilt":
        changed = "as they were" if done.live_hash == done.state_hash else "changed"
        output.say(f"The tables of {done.sale} were rebuilt in place: {changed}.")
