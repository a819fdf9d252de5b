"""A load test as a picture: the load over time, and the latencies by percentile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flashsale.bench.chart import new_figure, save
from flashsale.loadtest.result import Kind, Result

#: Where a curve of percentiles has its points, and what is written there.
_PERCENTS = ("p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms")
_NAMES = ("50 %", "90 %", "99 %", "99.9 %", "all")


def draw(result: Result, file: Path) -> None:
    """Raises `FlashsaleError` when it cannot be written."""
    figure, panels = new_figure([3.0, 3.5])
    _load(next(panels), result)
    _latencies(next(panels), result.kinds)
    figure.suptitle(f"{result.scenario}: {result.buyers:,} buyers in {result.load_seconds:g} s", fontsize=9)
    save(figure, file)


def _load(panel: Any, result: Result) -> None:
    seconds = [one.second for one in result.timeline]
    panel.plot(
        seconds, [one.due for one in result.timeline], drawstyle="steps-post", label="due", color="#495057"
    )
    panel.plot(
        seconds,
        [one.answered for one in result.timeline],
        drawstyle="steps-post",
        label="answered",
        color="#d9480f",
    )
    panel.set(title="Requests, by second of the run", ylim=(0, None))
    panel.legend(fontsize=8)


def _latencies(panel: Any, kinds: list[Kind]) -> None:
    for kind in kinds:
        panel.plot(_NAMES, [getattr(kind, percent) for percent in _PERCENTS], marker="o", label=kind.name)
    panel.set(yscale="log", title="Latency, ms, of so many requests at most; from when they were due")
    panel.legend(fontsize=8)
