"""The results as a picture: matplotlib, from the extra `flashsale[bench]`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from flashsale.bench.mixed import Step
from flashsale.bench.report import Group, Report
from flashsale.bench.trial import Role
from flashsale.errors import BadInput, FlashsaleError

_COLOURS = {Role.BASELINE: "#9aa0a6", Role.FLASHSALE: "#d9480f", Role.LIMIT: "#495057"}
_WIDTH_IN, _ROW_IN, _PANEL_IN = 9.0, 0.32, 1.1


def check(file: Path) -> None:
    """Raise `BadInput` before anything is measured that could not be drawn, or not written."""
    if file.suffix != ".png":
        raise BadInput("chart", str(file), "name a file that ends with .png")
    if not file.parent.is_dir():
        raise BadInput("chart", str(file), "its directory does not exist")
    _figure_class()


def draw(report: Report, file: Path) -> None:
    """One panel a race, one for the knee, one a curve."""
    curves = [curve for curve in report.growth if len(curve.points) > 1]
    heights = [_PANEL_IN + _ROW_IN * len(group.rows) for group in report.groups]
    crowds = [crowd for crowd in (report.mixed, report.http) if crowd is not None and crowd.steps]
    heights += [3.0] * (len(crowds) + bool(curves))
    if not heights:
        raise FlashsaleError("there is nothing to draw: every check failed")
    figure, panels = new_figure(heights)
    for group in report.groups:
        _bars(next(panels), group)
    for crowd in crowds:
        _knee(next(panels), crowd.steps)
    if curves:
        panel = next(panels)
        for curve in curves:
            base = curve.points[0].per_s
            sizes = [point.size for point in curve.points]
            panel.plot(sizes, [point.per_s / base for point in curve.points], marker="o", label=curve.title)
        panel.set(xscale="log", ylim=(0, None), title="Operations a second as the work grows, ÷ the first")
        panel.legend(fontsize=8)
    machine = report.machine
    figure.suptitle(
        f"{machine.redis}, {machine.postgres}, fsync {report.durability}, {machine.cores} cores", fontsize=9
    )
    save(figure, file)


def new_figure(heights: Sequence[float]) -> tuple[Any, Iterator[Any]]:
    """A figure with one panel below the other, of these heights in inches."""
    figure = _figure_class()(figsize=(_WIDTH_IN, sum(heights)), layout="constrained")
    return figure, iter(figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights).ravel())


def save(figure: Any, file: Path) -> None:
    """Write it. Raises `FlashsaleError`."""
    try:
        figure.savefig(file, dpi=120)
    except OSError as error:
        raise FlashsaleError(f"{file} cannot be written: {error.strerror}") from error


def _bars(panel: Any, group: Group) -> None:
    rows = [row for row in reversed(group.rows) if row.per_s is not None]
    rates = [row.per_s for row in rows if row.per_s is not None]
    errors = [[r.median - r.low for r in rates], [r.high - r.median for r in rates]]
    colours = [_COLOURS[Role(row.role)] for row in rows]
    bars = panel.barh([row.title for row in rows], [r.median for r in rates], xerr=errors, color=colours)
    panel.bar_label(bars, [f"{rate.median:,.0f}/s" for rate in rates], padding=4, fontsize=8)
    # A logarithmic bar has no beginning: a power of ten below the shortest one is as good as any.
    left = 10 ** math.floor(math.log10(min(rate.low for rate in rates)) - 0.3)
    right = 4 * max(rate.high for rate in rates)
    panel.set(xscale="log", title=group.title, xlim=(left, right))
    panel.tick_params(labelsize=8)


def _knee(panel: Any, steps: Sequence[Step]) -> None:
    offered = [step.offered_per_s for step in steps]
    panel.plot(offered, [step.p50_ms for step in steps], marker="o", label="p50", color="#495057")
    panel.plot(offered, [step.p99_ms for step in steps], marker="o", label="p99", color="#d9480f")
    panel.set(xscale="log", yscale="log", title="Latency, ms, against requests a second that arrive")
    panel.legend(fontsize=8)


def _figure_class() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BadInput(
            "chart", "a picture", "install matplotlib for it: pip install 'flashsale[bench]'"
        ) from error
    return Figure
