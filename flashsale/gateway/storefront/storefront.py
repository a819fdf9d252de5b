"""The pages of the storefront at their paths, and what its forms do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from flashsale.gateway import problems, reading
from flashsale.gateway.app import Handler, told
from flashsale.gateway.callers import Callers
from flashsale.gateway.messages import SaleState
from flashsale.gateway.problems import PRIVATE, Problem
from flashsale.gateway.sales import Sales
from flashsale.gateway.storefront import previews
from flashsale.gateway.storefront.api import Api
from flashsale.gateway.storefront.looking import Looks
from flashsale.gateway.storefront.notices import PROBLEMS
from flashsale.gateway.storefront.options import StorefrontOptions
from flashsale.gateway.storefront.purchases import PURCHASES_MAX, key_of, order_of
from flashsale.gateway.storefront.render import Pages, Static
from flashsale.gateway.storefront.stories import Stories
from flashsale.gateway.storefront.views import OrderView, SaleView
from flashsale.gateway.storefront.visitors import Visitor, Visitors, check_origin

#: A browser without scripts tries a page again after so long that could not be shown.
_AFTER_TROUBLE_S = 5
#: It shows for at least so long what became of a click.
_NOTICE_S = 15
_NUMBER = re.compile(r"[1-9][0-9]?")

#: Problems of one request that its page, loaded again, has not.
_PASSING = (problems.UNAVAILABLE, problems.OVERLOADED, problems.UNKNOWN_OUTCOME, problems.INTERNAL)


class Storefront:
    """Pages for browsers, beside the API and made of its answers. `handlers`: the API's operations by name."""

    def __init__(
        self,
        callers: Callers,
        sales: Sales,
        stories: Stories,
        handlers: Mapping[str, Handler],
        options: StorefrontOptions,
    ) -> None:
        self._sales, self._is_demo = sales, options.is_demo
        self._api = Api(handlers)
        self._visitors = Visitors(callers.buyer_header, demo=options.is_demo)
        self._looks = Looks(callers, self._api, stories, options)
        self._static = Static()
        self._pages = Pages(self._static, is_demo=options.is_demo)

    def routes(self) -> list[Route]:
        """Where they are. What only a demo has is not there without one."""
        of_order = "/sale/{sale}/order/{order}"
        routes = [
            Route("/sale/{sale}", self._page(self._sale), methods=["GET"]),
            Route("/sale/{sale}/buy", self._form(self._buy), methods=["POST"]),
            Route("/sale/{sale}/leave", self._form(self._leave), methods=["POST"]),
            Route(of_order, self._page(self._order), methods=["GET"]),
            Route(of_order + "/cancel", self._form(self._cancel), methods=["POST"]),
            Route("/storefront/{digest}/{name}", self._static.get, methods=["GET"]),
        ]
        if self._is_demo:
            routes.append(Route("/", self._page(self._index), methods=["GET"]))
            routes.append(Route(of_order + "/pay", self._form(self._pay), methods=["POST"]))
        return routes

    # --------------------------------------------------------------------------------------------------- pages

    async def _index(self, request: Request, visitor: Visitor) -> Response:  # noqa: ARG002 - as all pages
        found = []
        for definition in self._sales.all():
            with suppress(Problem):  # defined a moment ago, and not looked at yet
                found.append(await self._api.sale(request, definition.sale))
        return self._pages.response("sales.html", sales=found, reload_url="/", reload_s=3)

    async def _sale(self, request: Request, visitor: Visitor) -> Response:
        sale = request.path_params["sale"]
        if self._is_demo and (state := request.query_params.get("demo")):
            return self._preview(sale, await self._api.sale(request, sale), state)
        return self._show_sale(await self._looks.sale(request, visitor, sale))

    async def _order(self, request: Request, visitor: Visitor) -> Response:
        sale, order = request.path_params["sale"], request.path_params["order"]
        return self._show_order(await self._looks.order(request, visitor, sale, order))

    def _show_sale(self, view: SaleView, address: str = "") -> Response:
        """`address`: where it is looked at again, if that is another one than that of the sale."""
        url = address or f"/sale/{view.sale.sale}{view.reload_query}"
        return self._pages.response("sale.html", view=view, reload_url=url, reload_s=_reload_s(view))

    def _show_order(self, view: OrderView) -> Response:
        url = f"/sale/{view.sale.sale}/order/{view.order_id}"
        if view.order is None:
            url += "?" + urlencode({"sku": view.sku})
        now_ms = view.sale.server_time_ms
        return self._pages.response(
            "order.html", view=view, reload_url=url, reload_s=_reload_s(view), now_ms=now_ms
        )

    def _preview(self, sale_id: str, sale: SaleState, state: str) -> Response:
        view = previews.preview(sale, state)
        if view is None:
            raise Problem(problems.NOT_FOUND, f"sale {sale_id} has these: {', '.join(previews.STATES)}")
        return (
            self._show_order(view)
            if isinstance(view, OrderView)
            else self._show_sale(view, f"/sale/{sale_id}?demo={state}")
        )

    # --------------------------------------------------------------------------------------------------- forms

    async def _buy(self, request: Request, visitor: Visitor) -> Response:
        """Hold a unit, and lead to its order; else back to the sale, which says why not."""
        sale, buyer = request.path_params["sale"], self._looks.buyer(request, visitor)
        fields = await reading.form(request)
        sku, number_text = fields.get("sku", ""), fields.get("number", "")
        if _NUMBER.fullmatch(number_text) is None or int(number_text) > PURCHASES_MAX:
            raise Problem(problems.BAD_REQUEST, "the form is not one of this shop")
        number = int(number_text)
        order = f"/sale/{sale}/order/{order_of(sale, buyer, number)}"
        try:
            await self._api.place(
                request, visitor, sale, sku, key=key_of(number), ticket=fields.get("pass", "")
            )
        except Problem as problem:
            if problem.kind is problems.UNKNOWN_OUTCOME:
                return _to(order, sku=sku)
            if (
                problem.kind is not problems.IDEMPOTENCY_KEY_REUSED
            ):  # it is there: of another tab, another SKU
                return self._refused(problem, f"/sale/{sale}")
        return _to(order)

    async def _cancel(self, request: Request, visitor: Visitor) -> Response:
        sale, order = request.path_params["sale"], request.path_params["order"]
        return await self._change(
            self._api.cancel(request, visitor, sale, order), f"/sale/{sale}/order/{order}"
        )

    async def _pay(self, request: Request, visitor: Visitor) -> Response:
        sale, order = request.path_params["sale"], request.path_params["order"]
        await self._api.order(request, visitor, sale, order)  # it must be the visitor's own
        return await self._change(self._api.pay(request, sale, order), f"/sale/{sale}/order/{order}")

    async def _leave(self, request: Request, visitor: Visitor) -> Response:
        sale = request.path_params["sale"]
        try:
            await self._api.leave(request, visitor, sale)
        except Problem as problem:
            return self._refused(problem, f"/sale/{sale}")
        return _to(f"/sale/{sale}", left="1")

    async def _change(self, changed: Awaitable[object], order_url: str) -> Response:
        try:
            await changed
        except Problem as problem:
            return self._refused(problem, order_url)
        return _to(order_url)

    def _refused(self, problem: Problem, url: str) -> Response:
        """Back to a page that says why; what it cannot say is a page of its own."""
        if problem.kind in (problems.UNAUTHENTICATED, problems.FORBIDDEN, problems.UNKNOWN_SALE):
            raise problem
        return _to(url, said=problem.kind.slug)

    # -------------------------------------------------------------------------------------------------- around

    def _page(self, show: Callable[[Request, Visitor], Awaitable[Response]]) -> Handler:
        """Whatever goes wrong becomes a page, too."""

        async def endpoint(request: Request) -> Response:
            visitor = self._visitors.of(request)
            try:
                response = await show(request, visitor)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - logged by `told`
                response = self._problem(request, told(error, request, "storefront"))
            return visitor.greeted(response)

        return endpoint

    def _form(self, act: Callable[[Request, Visitor], Awaitable[Response]]) -> Handler:
        """A form of a page of ours; its answer leads to a page, so that a reload sends nothing again."""

        async def checked(request: Request, visitor: Visitor) -> Response:
            check_origin(request)
            return await act(request, visitor)

        return self._page(checked)

    def _problem(self, request: Request, problem: Problem) -> Response:
        title, sentence = PROBLEMS.get(problem.kind, PROBLEMS[problems.INTERNAL])
        is_passing = problem.kind in _PASSING and request.method == "GET"
        sale = request.path_params.get("sale", "")
        has_sale = problem.kind is not problems.UNKNOWN_SALE and bool(sale)
        return self._pages.response(
            "problem.html",
            status=problem.kind.status,
            title=title,
            sentence=sentence,
            back_url=f"/sale/{sale}" if has_sale and not is_passing else "",
            reload_url=_address(request.url.path, request.query_params.multi_items()),
            reload_s=_AFTER_TROUBLE_S if is_passing else 0,
        )


def _reload_s(view: SaleView | OrderView) -> int:
    """When a browser without scripts looks again, not before what became of a click could be read; 0: never."""
    return max(view.reload_s, _NOTICE_S) if view.notice and view.reload_s else view.reload_s


def _to(path: str, **query: str) -> Response:
    """To a page, by GET."""
    return RedirectResponse(_address(path, [*query.items()]), 303, PRIVATE)


def _address(path: str, query: Sequence[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
