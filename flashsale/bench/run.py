"""A whole run: the races asked for, one after the other, on one pair of servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from flashsale.bench import machine, project, report, write
from flashsale.bench.growth import ARCHIVED_MAX, Curve, growth
from flashsale.bench.mixed import Mixed, mixed
from flashsale.bench.place import Place
from flashsale.bench.report import Group, Report
from flashsale.bench.runner import Series, race
from flashsale.bench.trial import Contender

#: What each word of the command line runs: races by name, with their titles.
RACES: Mapping[str, Mapping[str, tuple[str, Callable[[Place], list[Contender]]]]] = {
    "write": {
        "accepted": ("Reservations that are accepted", write.accepted),
        "sold_out": ("Reservations refused: sold out", write.sold_out),
        "over_limit": ("Reservations refused: over the buyer's limit", write.over_limit),
    },
    "project": {"project": ("Events into Postgres", project.project)},
    "replay": {"replay": ("A sale's tables rebuilt", project.replay)},
}
HTTP_TITLES = {
    "http": "Orders and pages over HTTP",
    "http_feeds": "A sale followed by everybody over HTTP",
    "http_half": "Orders over HTTP at half of what it held",
}
WORDS = (*RACES, "mixed", "growth", "all", "http")


class Onlooker(Protocol):
    """Who is told what happens."""

    def phase(self, text: str) -> None:
        """A race, or something as long, begins."""

    def step(self, text: str) -> None:
        """A part of it begins."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    #: one of `WORDS`
    what: str
    durability: str
    quick: bool
    #: None: 3 quick ones, else 5
    rounds: int | None = None
    #: None: 1 for a quick run, else 4
    scale: float | None = None
    archived_max: int = ARCHIVED_MAX

    @property
    def rounds_wanted(self) -> int:
        return self.rounds or (3 if self.quick else 5)

    @property
    def scale_wanted(self) -> float:
        return self.scale or (1.0 if self.quick else 4.0)

    def races(self) -> dict[str, tuple[str, Callable[[Place], list[Contender]]]]:
        words = RACES if self.what == "all" else {self.what} & RACES.keys()
        return {name: race for word in RACES if word in words for name, race in RACES[word].items()}

    @property
    def step_seconds(self) -> float:
        """How long each rate is offered."""
        return 1.5 if self.quick else 5.0

    @property
    def is_mixed(self) -> bool:
        return self.what in ("mixed", "all")

    @property
    def is_http(self) -> bool:
        """Not a part of all: it needs more packages."""
        return self.what == "http"

    @property
    def is_growing(self) -> bool:
        return self.what == "growth" or (self.what == "all" and not self.quick)


def run(place: Place, plan: Plan, load_before: float | None, onlooker: Onlooker) -> Report:
    """Run a plan. Raises `Unreachable` when a server goes away; a check that fails stands in the report."""
    began_s = time.monotonic()
    found: dict[str, Sequence[Series]] = {}
    groups = []
    for name, (title, contenders) in plan.races().items():
        onlooker.phase(title)
        found[name] = race(
            place, contenders(place), rounds=plan.rounds_wanted, scale=plan.scale_wanted, say=onlooker.step
        )
        groups.append(Group(name, title, [report.row(series) for series in found[name]]))
    crowd: Mixed | None = None
    if plan.is_mixed:
        onlooker.phase("Requests that arrive by themselves")
        crowd = mixed(place, seconds=plan.step_seconds, scale=plan.scale_wanted, say=onlooker.step)
    http: Mixed | None = None
    if plan.is_http:
        from flashsale.bench.over_http import over_http  # what it needs comes with the extra `http`

        onlooker.phase(HTTP_TITLES["http"])
        over = over_http(
            place,
            rounds=plan.rounds_wanted,
            seconds=plan.step_seconds,
            scale=plan.scale_wanted,
            say=onlooker.step,
        )
        http = over.offered
        found |= over.races
        groups += [
            Group(name, HTTP_TITLES[name], list(map(report.row, over.races[name]))) for name in over.races
        ]
    curves: list[Curve] = []
    if plan.is_growing:
        onlooker.phase("Cost as the work grows")
        curves = growth(place, scale=plan.scale_wanted, archived_max=plan.archived_max, say=onlooker.step)
    return Report(
        what=plan.what,
        durability=plan.durability,
        rounds=plan.rounds_wanted,
        scale=plan.scale_wanted,
        machine=machine.examine(place, load_before),
        groups=groups,
        mixed=crowd,
        http=http,
        growth=curves,
        ratios=report.ratios(found),
        failed=report.failures(found, crowd, http),
        seconds=round(time.monotonic() - began_s, 1),
    )
