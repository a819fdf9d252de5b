"""One sale: how it stands, what was done with it and by whom, and what can be done with it now."""

from __future__ import annotations

from starlette.responses import Response

from flashsale import comparison_words, history, ids, refusals
from flashsale.commands import Answer, Reconfigure, Restock, RoomState
from flashsale.events import Event
from flashsale.history import Shown
from flashsale.operator import comparing, control, pages
from flashsale.operator.control import Action
from flashsale.operator.desk import Desk, acted
from flashsale.operator.events import row
from flashsale.operator.scene import light_of
from flashsale.operator.visit import Visit
from flashsale.projections import catalog, comparisons, reads
from flashsale.reconfigure import change_sale, check_new_window
from flashsale.refusals import Asked
from flashsale.room_settings import MODES
from flashsale.sale_health import troubles
from flashsale.sale_view import View, sums, view_of
from flashsale.shop import Shop
from flashsale.stream import PAGE_MAX, ShardId

#: Acts that the page shows, the newest.
ACTS_MAX = 50


def show(desk: Desk, visit: Visit) -> Response:
    """The sale's own page."""
    with desk.connected(visit.login.person) as shop:
        view = _view(shop, visit)
        sale = view.definition.sale
        orders = reads.order_counts(shop.connection, sale)
        comparison = comparisons.every(shop.connection, sale).get(ShardId(sale, 0))
        light = light_of(view, list(troubles(shop.log, shop.connection, sale)), comparison)
        acts, room = _acts(shop, sale), _room(shop, view)
    return pages.page(
        "sale.html", visit.login, view=view, sums=sums(view), comparison=comparison,
        compared=comparison_words.outcome(comparison),
        offered=control.offered(view), may_change=control.may_change(view), orders=orders, light=light,
        acts=[row(event) for event in acts], room=room, room_modes=MODES,
    )  # fmt: skip


def ask(desk: Desk, visit: Visit) -> Response:
    """What an action would do, in numbers, and whether it shall be done."""
    action = control.find(visit.path["action"])
    with desk.connected(visit.login.person) as shop:
        view = _view(shop, visit)
        request = action.request(visit.fields, view)
        if isinstance(request, Reconfigure):
            check_new_window(shop, view.definition.sale, request)
        numbers = list(action.numbers(view, request, _room(shop, view)))
    hidden = dict(visit.fields)
    if isinstance(request, Restock):
        hidden["request_id"] = request.request_id
    sale = view.definition.sale
    return pages.page(
        "confirm.html", visit.login, title=f"{action.verb}: {sale}", state=view.told_state, numbers=numbers,
        button=f"{action.verb}: {sale}", is_final=action.is_final, hidden=hidden,
        to=f"/sales/{sale}/do/{visit.path['action']}", back=f"/sales/{sale}",
    )  # fmt: skip


def carry_out(desk: Desk, visit: Visit) -> Response:
    """Do it, in the name of whoever confirmed it. Raises what a refusal means."""
    action = control.find(visit.path["action"])
    person, sale = visit.login.person, ids.sale_id(visit.path["sale"])
    with desk.connected(person) as shop:
        request = action.request(visit.fields, _view(shop, visit))
        with refusals.unknown_told(_look_first(request)):
            if isinstance(request, Reconfigure):
                answer = change_sale(shop, sale, request)
            else:
                answer = shop.client.control(sale, request)
        if answer.code is not action.accepted:
            raise refusals.error_of(answer, _asked(sale, action, request), shop.connection)
    return _done(visit, sale, action, answer)


def compare(desk: Desk, visit: Visit) -> Response:
    """Hold log, Redis and Postgres against each other, now."""
    person, sale = visit.login.person, ids.sale_id(visit.path["sale"])
    with desk.connected(person) as shop:
        found = desk.comparisons.compare(shop, sale, person.actor)
    visit.login.notice = f"{sale}: {comparing.told(found)}"
    if found.not_kept:
        visit.login.notice += f" This is not kept: {found.not_kept}."
    return pages.see(f"/sales/{sale}")


def _view(shop: Shop, visit: Visit) -> View:
    return view_of(shop, catalog.get(shop.connection, ids.sale_id(visit.path["sale"])))


def _room(shop: Shop, view: View) -> RoomState | None:
    """How its waiting room stands; None: it has none."""
    return None if view.snapshot.state.room is None else shop.room(view.definition.sale)


def _acts(shop: Shop, sale: str) -> list[Shown]:
    """The newest events that concern no order, newest first: from the end of the stream, and from the archive."""
    shard = ShardId(sale, 0)
    at = history.checkpoint(shop.connection, shard)
    found = [
        shown
        for entry in reversed(shop.log.newest(shard, PAGE_MAX))
        if entry.position > at and not (entry.body or b"").startswith(b'["order.')
        if isinstance((shown := history.shown(shard, entry, archived=False)).event, Event)
    ]
    archived = [
        history.shown(shard, entry, archived=True) for entry in reads.acts(shop.connection, sale, ACTS_MAX)
    ]
    return (found + archived)[:ACTS_MAX]


def _asked(sale: str, action: Action, request: object) -> Asked:
    if isinstance(request, Restock):
        return Asked(sale, action.done, sku=request.sku, request_id=request.request_id)
    return Asked(sale, action.done)


def _look_first(request: object) -> str:
    if isinstance(request, Restock):
        return "send the same form again: it is done once"
    return "look at the sale before you repeat it"


def _done(visit: Visit, sale: str, action: Action, answer: Answer) -> Response:
    acted(visit.login.person, sale, action.done)
    visit.login.notice = action.outcome(sale, answer)
    return pages.see(f"/sales/{sale}")
