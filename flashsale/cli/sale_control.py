"""How the commands of `flashsale sale` ask for something about a whole sale."""

from __future__ import annotations

from collections.abc import Callable

from flashsale import ids, refusals
from flashsale.cli import output
from flashsale.cli.session import Session
from flashsale.cli.unknown import unknown_told
from flashsale.commands import Answer, Code, SaleRequest
from flashsale.refusals import Asked
from flashsale.shop import Shop


def control(
    session: Session, request: SaleRequest, asked: Asked, accepted: Code, json: bool, remedy: str = ""
) -> Answer:
    """Ask for something about a whole sale. Raises when it is refused."""
    sale = ids.sale_id(asked.sale)
    return decided(session, lambda shop: shop.client.control(sale, request), asked, accepted, json, remedy)


def decided(
    session: Session,
    ask: Callable[[Shop], Answer],
    asked: Asked,
    accepted: Code,
    json: bool,
    remedy: str = "",
) -> Answer:
    """The same for what takes more than one request: `ask` is given the connected parts."""
    with session.connected() as shop:
        with unknown_told(remedy or f"look at it with `flashsale sale show {asked.sale}`"):
            answer = ask(shop)
        if json:
            output.json(refusals.record(answer, asked))
        if answer.code is not accepted:
            raise refusals.error_of(answer, asked, shop.connection)
        return answer
