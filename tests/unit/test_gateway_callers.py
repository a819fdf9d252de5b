"""Who a request comes from."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

import pytest
from starlette.requests import Request

from flashsale.errors import BadInput
from flashsale.gateway.callers import Callers
from flashsale.gateway.problems import Problem
from flashsale.gateway.tokens import SALT, Caller, Tokens, Untrue
from flashsale.settings import Settings

OLD, NEW = "o" * 32, "n" * 32
ADA = Caller("buyer", "ada@example.com")


def request(*headers: tuple[str, str], peer: str = "127.0.0.1") -> Request:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return Request({"type": "http", "headers": raw, "client": (peer, 1234)})


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def made_by_a_shop(secret: str, claims: object) -> str:
    """As docs/gateway.md says, with nothing of ours."""
    content = base64url(json.dumps(claims).encode())
    key = hmac.digest(secret.encode(), SALT.encode(), hashlib.sha256)
    return f"{content}.{base64url(hmac.digest(key, content.encode(), hashlib.sha256))}"


def test_a_token_names_its_caller() -> None:
    tokens = Tokens([NEW])
    for caller in (ADA, Caller("service", "till")):
        assert tokens.read(tokens.issue(caller, 60)) == caller


def test_a_token_that_a_shop_made_by_itself() -> None:
    expires_s = int(time.time()) + 60
    assert Tokens([NEW]).read(made_by_a_shop(NEW, ["buyer", "ada@example.com", expires_s])) == ADA


def test_secrets_are_exchanged_without_anybody_being_thrown_out() -> None:
    before, both, after = Tokens([OLD]), Tokens([NEW, OLD]), Tokens([NEW])
    token = before.issue(ADA, 60)

    assert both.read(token) == ADA
    assert after.read(both.issue(ADA, 60)) == ADA
    with pytest.raises(Untrue, match="not signed here"):
        after.read(token)


def test_every_byte_of_a_token_counts() -> None:
    tokens = Tokens([NEW])
    token = tokens.issue(ADA, 60)
    for i, letter in enumerate(token[:-1]):  # the last letter has bits that mean nothing
        changed = token[:i] + ("A" if letter != "A" else "B") + token[i + 1 :]
        with pytest.raises(Untrue):
            tokens.read(changed)


@pytest.mark.parametrize("signature", ["", ".", ".none", "." + "A" * 43])
def test_a_token_that_nobody_signed(signature: str) -> None:
    content = base64url(b'["buyer","ada",9000000000]')
    with pytest.raises(Untrue):
        Tokens([NEW]).read(content + signature)


@pytest.mark.parametrize("text", ["", "a.b", "x" * 513, "\u00e9.a", "=.="])
def test_texts_that_are_no_tokens(text: str) -> None:
    with pytest.raises(Untrue):
        Tokens([NEW]).read(text)


@pytest.mark.parametrize(
    "claims",
    [
        [],
        {},
        ["buyer"],
        ["buyer", "ada"],
        ["king", "ada", 9e9],
        ["buyer", "", 9_000_000_000],
        ["buyer", "a:b", 9_000_000_000],
        ["buyer", "ada", "9000000000"],
        ["buyer", "ada", None],
    ],
)
def test_what_is_signed_and_makes_no_sense_is_refused(claims: object) -> None:
    with pytest.raises(Untrue):
        Tokens([NEW]).read(made_by_a_shop(NEW, claims))


def test_tokens_end() -> None:
    with pytest.raises(Untrue, match="expired"):
        Tokens([NEW]).read(made_by_a_shop(NEW, ["buyer", "ada", int(time.time()) - 1]))


@pytest.mark.parametrize("secrets", [[], ["x" * 31], [NEW, "short"], [NEW] * 9])
def test_secrets_that_are_refused(secrets: list[str]) -> None:
    with pytest.raises(BadInput):
        Tokens(secrets)


def test_a_header_is_believed_from_a_proxy_alone() -> None:
    settings = Settings(gateway_buyer_header="X-Buyer", gateway_proxies="10.0.0.0/8, ::1")
    callers = Callers.configured(settings)

    assert callers.of(request(("X-Buyer", "ada"), peer="10.1.2.3")) == Caller("buyer", "ada")
    assert callers.of(request(("X-Buyer", "ada"), peer="::1")) == Caller("buyer", "ada")
    for refused in (
        request(("X-Buyer", "ada"), peer="127.0.0.1"),
        request(("X-Buyer", "ada"), ("X-Buyer", "bob"), peer="10.1.2.3"),
        request(("X-Buyer", "a b"), peer="10.1.2.3"),
        request(("X-Buyer", ""), peer="10.1.2.3"),
        request(peer="10.1.2.3"),
        request(("Authorization", f"Bearer {Tokens([NEW]).issue(ADA, 60)}"), peer="10.1.2.3"),
    ):
        with pytest.raises(Problem):
            callers.of(refused)


def test_who_the_peer_is_is_not_a_matter_of_headers() -> None:
    callers = Callers.configured(Settings(gateway_buyer_header="X-Buyer", gateway_proxies="10.0.0.0/8"))
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        with pytest.raises(Problem):
            callers.of(request(("X-Buyer", "ada"), (name, "10.1.2.3"), peer="192.0.2.1"))


def test_without_a_header_in_the_settings_none_is_believed() -> None:
    with pytest.raises(Problem):
        Callers.configured(Settings(gateway_keys=NEW)).of(request(("X-Buyer", "ada")))


def test_in_a_demo_everybody_is_believed() -> None:
    callers = Callers.configured(Settings(), demo=True)
    assert callers.buyer(request(("Authorization", "Demo buyer:ada"))) == "ada"
    assert callers.service(request(("Authorization", "Demo service:till"))) == "till"
    for text in ("Demo", "Demo ada", "Demo king:ada", "Demo buyer:a b"):
        with pytest.raises(Problem):
            callers.of(request(("Authorization", text)))


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(gateway_keys=" "),
        Settings(gateway_buyer_header="X Buyer"),
        Settings(gateway_buyer_header="X-Buyer", gateway_proxies="everybody"),
    ],
)
def test_settings_that_let_nobody_or_anybody_in_are_refused(settings: Settings) -> None:
    with pytest.raises(BadInput):
        Callers.configured(settings)
