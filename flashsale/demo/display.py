"""What a person sees: a live view while the crowd is at it, a table at the end."""

from __future__ import annotations

from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from flashsale.demo.result import Result
from flashsale.demo.run import Progress


class Display:
    """Shows progress: live on a terminal, a line per phase elsewhere. Always on standard error."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._live = (
            Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
        )
        self._phase = ""

    def __enter__(self) -> Self:
        if self._live is not None and not self._quiet:
            self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._live is not None and not self._quiet:
            self._live.stop()

    def phase(self, text: str) -> None:
        """Something before the sale: servers starting."""
        self.show(Progress(phase=text))

    def show(self, progress: Progress) -> None:
        if self._quiet:
            return
        if self._live is not None:
            self._live.update(_live_view(progress))
        elif progress.phase != self._phase:
            self._phase = progress.phase
            self._console.print(f"… {progress.phase}", highlight=False)


def _live_view(progress: Progress) -> RenderableType:
    view = progress.view
    numbers = Table.grid(padding=(0, 3))
    for _ in range(2):
        numbers.add_column(justify="right", style="bold", min_width=11)
        numbers.add_column(style="dim", min_width=22)
    numbers.add_row(f"{progress.attempts:,}", "attempts", f"{view.sold:,}", "units sold")
    numbers.add_row(f"{progress.refused:,}", "told no at once", f"{view.held:,}", "units held, unpaid")
    numbers.add_row(f"{progress.accepted:,}", "orders acknowledged", f"{view.available:,}", "units left")
    numbers.add_row(
        f"{view.checkpoint.seq:,}", "events in Postgres", f"{view.lag_events:,}", "events behind the log"
    )
    bar = ProgressBar(total=max(1, progress.buyers), completed=progress.attempts, width=72)
    lines: list[RenderableType] = [Text(progress.phase, style="cyan"), bar, Text(), numbers]
    if progress.killed:
        takeover = f"taken over after {progress.takeover_s:.2f} s" if progress.takeover_s is not None else "…"
        lines += [Text(), Text(f"kill -9 {progress.killed}: {takeover}", style="red")]
    return Panel(Group(*lines), title="flashsale demo", width=78, border_style="dim")


def final_table(result: Result) -> RenderableType:
    """The outcome, for people."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="bold", min_width=12)
    table.add_column()
    rate = f"[dim]in {result.rush_seconds:,.1f} s: {result.attempts_per_s:,} a second[/]"
    table.add_row(f"{result.attempts:,}", f"buyers tried {rate}")
    table.add_row(f"{result.units:,}", "units to sell")
    table.add_row()
    table.add_row(f"[green]{result.sold:,}[/]", "sold")
    table.add_row(_zero(result.oversold), "oversold")
    table.add_row(f"{result.accepted:,}", f"orders acknowledged  [dim]{_states(result.orders_by_status)}[/]")
    table.add_row(_zero(result.acknowledged_lost), "acknowledged orders lost")
    for reason, count in result.refused.items():
        table.add_row(f"{count:,}", f"refused: {reason.lower().replace('_', ' ')}")
    repeats = (
        "all answered alike" if not result.repeats_unlike else f"{result.repeats_unlike} answered differently"
    )
    table.add_row(f"{result.repeats:,}", f"pressed the button twice  [dim]{repeats}[/]")
    table.add_row(f"{result.came_back:,}", "came back for cancelled and expired units")
    table.add_row()
    table.add_row(f"{result.events:,}", "events in the log")
    table.add_row(f"{result.orders_in_postgres:,}", "orders in Postgres that own units")
    table.add_row(_zero(result.lag_events), "events not yet in Postgres")
    if result.takeover_s is not None:
        table.add_row(
            f"{result.takeover_s:.2f} s", "until the second projector took over from the killed one"
        )
    table.add_row(f"{result.events_projected_per_s:,}", "events projected a second, at the busiest moment")
    table.add_row(_zero(result.drift), "differences between log, Redis and Postgres")
    table.add_row(result.state_hash[:12], "state hash, the same in all three")
    verdict = (
        "[bold green]Every promise held.[/]"
        if result.held_true
        else "[bold red]BROKEN:[/] " + "; ".join(result.broken)
    )
    footer = Text.from_markup(f"\n{verdict}  [dim]{result.seconds:.1f} s[/]")
    return Panel(Group(table, footer), title=f"sale {result.sale}", width=84, border_style="green")


def _zero(count: int) -> str:
    return f"[green]{count}[/]" if count == 0 else f"[bold red]{count:,}[/]"


def _states(by_status: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in by_status.items())
