"""Everything that the first page shows, at one look."""

from __future__ import annotations

from typing import Literal

import msgspec

from flashsale import comparison_words, overview, sale_health, sale_pause
from flashsale.commands import RoomState
from flashsale.events import Stock
from flashsale.overview import Overview, SaleLook
from flashsale.projections import replays
from flashsale.projections.comparisons import Comparison
from flashsale.sale_health import Health
from flashsale.sale_pause import Paused
from flashsale.sale_view import View
from flashsale.shop import Shop


class Light(msgspec.Struct, frozen=True):
    """Whether a sale's books balance: left + held + sold + returned = capacity, for every SKU."""

    #: green; amber: all units are there, and something needs a hand; red: they are not, the log is broken, or the
    #: newest comparison found differences; grey: not warm, so there is nothing to count
    colour: Literal["green", "amber", "red", "grey"]
    #: what is wrong, one sentence each
    why: list[str]
    #: units of all SKUs, by their definition and every restock; 0 before the sale is warm
    capacity: int
    #: whether every SKU's units are its capacity
    adds_up: bool


class Rebuild(msgspec.Struct, frozen=True):
    """A replay, and how far it is."""

    sale: str
    mode: str
    state: str
    started_ms: int
    #: events; of the live tables' place, or the moment asked for
    done: int
    total: int


class Scene(msgspec.Struct, frozen=True):
    """What one look saw."""

    overview: Overview
    #: by sale, as the overview has them
    lights: dict[str, Light]
    #: of sales that are paused
    pauses: dict[str, Paused]
    rebuilds: list[Rebuild]
    #: of sales that have one
    rooms: dict[str, RoomState]


def take(shop: Shop) -> Scene:
    """Look at everything. Raises `Unreachable`."""
    shop.now_ms()  # a Redis that is away is seen before there is a sale, too
    seen = overview.take(shop)
    troubles = list(sale_health.troubles(shop.log, shop.connection))
    return Scene(
        overview=seen,
        lights={sale: light_of(found.view, troubles, found.comparison) for sale, found in seen.sales.items()},
        pauses={
            sale: paused
            for sale, found in seen.sales.items()
            if found.view.state == "paused" and (paused := sale_pause.of(shop, sale))
        },
        rebuilds=_rebuilds(shop, seen),
        rooms={
            sale: shop.room(sale)
            for sale, found in seen.sales.items()
            if found.view.snapshot.state.room is not None
        },
    )


def light_of(view: View, troubles: list[Health], comparison: Comparison | None) -> Light:
    """Of one sale, as Redis counts it, by what is known to be wrong, and by what `reconcile` found last."""
    mine = [trouble for trouble in troubles if trouble.shard.sale == view.definition.sale]
    capacities = _capacities(view)
    why = [
        sentence
        for sku, capacity in capacities.items()
        if (sentence := _imbalance(sku, view.stock.get(sku), capacity))
    ]
    adds_up, drift = not why, comparison_words.drift(comparison)
    is_broken = bool(why or drift) or any(trouble.is_halted for trouble in mine)
    why += [f"{trouble.found}: {trouble.remedy}" for trouble in mine]
    if drift:
        why.append(f"{drift}: `flashsale reconcile` tells all, and puts right what is derived")
    capacity = sum(capacities.values())
    if is_broken:
        return Light("red", why, capacity, adds_up)
    if not view.stock:
        return Light("grey", why, capacity, adds_up)
    return Light("amber" if why else "green", why, capacity, adds_up)


def _capacities(view: View) -> dict[str, int]:
    """What each SKU's units must add up to: not by the counters themselves, but by what was defined and restocked."""
    if not view.stock:
        return {}
    if view.state == "archived":
        return {
            sku: stock.capacity for sku, stock in view.stock.items()
        }  # in Postgres, stock events alone move it
    found = {item.sku: item.quantity for item in view.definition.items}
    for done in view.snapshot.state.requests.values():
        found[done.sku] = found.get(done.sku, 0) + (
            done.quantity if done.direction == "add" else -done.quantity
        )
    return found


def _imbalance(sku: str, stock: Stock | None, capacity: int) -> str:
    if stock is None:
        return f"{sku}: Redis does not count it, and its capacity is {capacity:,}"
    parts = {"left": stock.available, "held": stock.held, "sold": stock.sold, "returned": stock.returned}
    told = " + ".join(f"{number:,} {name}" for name, number in parts.items())
    if min(parts.values()) < 0:
        return f"{sku}: a counter is below zero: {told}"
    if sum(parts.values()) != capacity:
        return f"{sku}: {told} is not the capacity, {capacity:,}"
    return ""


def _rebuilds(shop: Shop, seen: Overview) -> list[Rebuild]:
    found = []
    for run in replays.runs(shop.connection):
        look: SaleLook | None = seen.sales.get(run.sale)
        live = look.view.checkpoint.seq if look else 0
        # A shard is one stretch of numbers, but for its epochs: a bar needs no more.
        done = sum(position.seq for position in run.reached.values())
        total = sum(position.seq for position in run.until_at.values()) or live
        found.append(Rebuild(run.sale, run.mode, run.state, run.started_ms, done, max(done, total)))
    return found
