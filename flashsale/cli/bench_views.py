"""What a person sees of a benchmark: what it is at, and tables at the end."""

from __future__ import annotations

import sys
from typing import Self

from rich.status import Status

from flashsale.bench.growth import Curve
from flashsale.bench.mixed import Mixed
from flashsale.bench.report import Group, Ratio, Report
from flashsale.cli import output

_NONE = "-"


class Progress:
    """A line a race on stderr; on a terminal also the contender that runs."""

    def __init__(self) -> None:
        console = output.console_of(sys.stderr)
        self._status = Status("", console=console) if console.is_terminal else None
        self._console = console

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._status is not None:
            self._status.stop()

    def phase(self, text: str) -> None:
        self._console.print(f"… {text}")

    def step(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)


def print_report(report: Report) -> None:
    """All of it."""
    for group in report.groups:
        _print_group(group)
    if report.mixed is not None and report.mixed.steps:
        _print_offered("Requests that arrive by themselves, a projector beside", report.mixed)
    if report.http is not None and report.http.steps:
        _print_offered("Orders over HTTP that arrive by themselves", report.http)
    for curve in report.growth:
        _print_curve(curve)
    if report.ratios:
        output.table(
            ("", "ratio", "#median", "#lowest", "#highest", "#target", "#stretch"),
            map(_ratio_row, report.ratios),
        )
        output.line("")
    machine = report.machine
    output.facts(
        [
            ("machine", f"{machine.cpu}, {machine.cores} cores, {machine.memory_mb:,} MB, {machine.system}"),
            (
                "versions",
                f"flashsale {machine.flashsale}, Python {machine.python}, {machine.redis}, {machine.postgres}",
            ),
            ("servers", f"private: {', '.join(machine.private_servers) or 'none'}"),
            ("durability", f"{report.durability}; {_fsync(machine.fsync_us)}"),
            ("others at work", f"load {_number(machine.load_before, 2)} before the start"),
            ("run", f"{report.rounds} rounds, scale {report.scale:g}, {report.seconds:,.0f} s"),
        ]
    )


def _print_group(group: Group) -> None:
    output.line(group.title)
    columns: tuple[str, ...] = (
        *("", "#per second", "#lowest", "#highest", "#p50 ms", "#p99 ms"),
        *("#Redis µs", "#Postgres µs", "#client µs", "#bytes"),
    )
    has_http = any(row.http_cpu_us is not None for row in group.rows)
    if has_http:
        columns += ("#HTTP µs", "#HTTP busy", "#client busy")
    rows = []
    for row in group.rows:
        http = (_number(row.http_cpu_us, 1), _share(row.http_busy), _share(row.client_busy))
        rate = row.per_s
        rates = (None, None, None) if rate is None else (rate.median, rate.low, rate.high)
        rows.append(
            (
                row.title,
                *map(_number, rates),
                _number(row.p50_ms, 2),
                _number(row.p99_ms, 2),
                _number(row.redis_cpu_us, 1),
                _number(row.postgres_cpu_us, 1),
                _number(row.client_cpu_us, 1),
                _number(row.redis_bytes),
                *(http if has_http else ()),
            )
        )
    output.table(columns, rows)
    output.line("")


def _print_offered(title: str, mixed: Mixed) -> None:
    knee = "none of these" if mixed.knee_per_s is None else f"{mixed.knee_per_s:,} a second"
    output.line(f"{title}: held up to {knee}")
    output.table(
        ("#offered/s", "#answered/s", "#p50 ms", "#p99 ms", "#max ms", "#lag", ""),
        [
            (
                _number(step.offered_per_s),
                _number(step.answered_per_s),
                _number(step.p50_ms, 1),
                _number(step.p99_ms, 1),
                _number(step.max_ms, 1),
                _number(step.lag_events),
                "held" if step.held else "broken",
            )
            for step in mixed.steps
        ],
    )
    output.line("")


def _print_curve(curve: Curve) -> None:
    output.line(f"As the {curve.title} grow: {curve.flatness:.2f} of the first rate at the end")
    output.table(
        ("#size", "#per second", "#Redis µs", "#Postgres µs", "#client µs"),
        [
            (
                _number(point.size),
                _number(point.per_s),
                _number(point.redis_cpu_us, 1),
                _number(point.postgres_cpu_us, 1),
                _number(point.client_cpu_us, 1),
            )
            for point in curve.points
        ],
    )
    output.line("")


def _ratio_row(ratio: Ratio) -> tuple[str, ...]:
    digits = 0 if ratio.value >= 100 else 2 if ratio.value >= 1 else 3
    sign = "≤ " if ratio.less_is_better else "≥ "
    verdict = {True: "reached", False: "missed", None: ""}[ratio.reached]
    return (
        verdict,
        ratio.what,
        _number(ratio.value, digits),
        _number(ratio.low, digits),
        _number(ratio.high, digits),
        "" if ratio.target is None else f"{sign}{ratio.target:g}",
        "" if ratio.stretch is None else f"{ratio.stretch:g}",
    )


def _number(value: float | None, digits: int = 0) -> str:
    return _NONE if value is None else f"{value:,.{digits}f}"


def _share(value: float | None) -> str:
    """Of a core."""
    return _NONE if value is None else f"{value:.0%}"


def _fsync(fsync_us: float | None) -> str:
    return "the disk is not here" if fsync_us is None else f"a 4 kB write with fsync takes {fsync_us:,.0f} µs"
