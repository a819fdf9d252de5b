"""What the storefront is told at its start."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import msgspec

from flashsale.errors import BadInput


class StorefrontOptions(msgspec.Struct, frozen=True):
    """Where its pages lead to. Raises `BadInput` for what is no address of a page."""

    #: anybody is a buyer, and orders are paid with a click
    is_demo: bool = False
    #: where visitors sign in, at the shop; empty: they are only told to
    sign_in_url: str = ""
    #: where they pay, with {sale} and {order} in it; empty: they are only told to
    checkout_url: str = ""

    def __post_init__(self) -> None:
        for field, url in (("sign-in-url", self.sign_in_url), ("checkout-url", self.checkout_url)):
            if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc):
                raise BadInput(
                    field, url, "use the address of a page of the shop, like https://shop.example/pay"
                )

    def checkout(self, sale: str, order: str) -> str:
        """Where this order is paid."""
        return self.checkout_url.replace("{sale}", quote(sale)).replace("{order}", quote(order))
