"""`flashsale gateway run`: what the OWASP API Security Top 10 asks for, where no other test shows it."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from flashsale.gateway.operations import OPERATIONS, Operation
from tests.acceptance.gateway_kit import Front, a_buyer, as_buyer, as_service, http_request, problem

GUARDED = [operation for operation in OPERATIONS if operation.callers != "anybody"]


@pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.name)
def test_each_operation_is_for_whom_the_table_says(front: Front, operation: Operation) -> None:
    path = operation.path.format(sale="drop", order="0-AAAAAAAA")

    def refused(headers: dict[str, str], status: int, slug: str) -> None:
        problem(front.http.request(operation.method, path, headers=headers), status, slug)

    refused({}, 401, "unauthenticated")
    refused({"Authorization": "Bearer " + "A" * 40 + "." + "A" * 43}, 401, "unauthenticated")
    if operation.callers == "a buyer":
        refused(as_service(), 403, "forbidden")
    if operation.callers == "a service":
        refused(as_buyer(a_buyer()), 403, "forbidden")


def test_no_address_in_a_request_is_gone_to(front: Front) -> None:
    """Server-side request forgery: there is nothing in it that fetches."""
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/"
        headers = as_buyer(a_buyer()) | {
            "Idempotency-Key": url,
            **dict.fromkeys(("Referer", "Origin", "Forwarded", "X-Forwarded-Host", "X-Original-URL"), url),
            "traceparent": url,
            "Content-Type": f"application/json; profile={url}",
            "Host": urlsplit(url).netloc,
        }
        done = front.http.post("/v1/sales/drop/orders", json={"sku": "phone"}, headers=headers)
        assert done.status_code == 201
        assert done.headers["location"].startswith("/v1/")
        refused = front.http.post("/v1/sales/drop/orders", json={"sku": url}, headers=headers)
        problem(refused, 400, "bad-request")
        problem(front.http.get(f"/v1/sales/{url}"), 404, "not-found")
        target = urlsplit(front.url)
        with socket.create_connection((target.hostname or "", target.port or 0), timeout=10) as connection:
            connection.sendall(http_request("GET", url, b"", {"Connection": "close"}))
            assert connection.recv(65_536).startswith(b"HTTP/1.1 404 "), "nor is it a proxy"
        with pytest.raises(BlockingIOError):
            trap.accept()


def test_answers_tell_nothing_of_what_runs_and_let_no_other_site_read(front: Front) -> None:
    site = {"Origin": "https://elsewhere.example"}
    path = "/v1/sales/drop/orders"
    answers = [
        front.http.get("/v1/sales/drop", headers=site),
        front.http.get("/nothing", headers=site),
        front.http.post(path, content=b"{", headers=site | as_buyer("ada") | {"Idempotency-Key": "k"}),
        front.http.request("TRACE", path, headers=site),
        front.http.options(path, headers=site | {"Access-Control-Request-Method": "POST"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 415, 405, 405]
    for answer in answers:
        told = {name.lower() for name in answer.headers}
        assert not told & {"server", "x-powered-by", "access-control-allow-origin", "set-cookie"}
        for word in ("Traceback", ".py", "uvicorn", "starlette", "redis://", "postgres"):
            assert word not in answer.text


def test_an_answer_has_what_the_document_says_and_no_more(front: Front) -> None:
    schemas = front.http.get("/v1/openapi.json").json()["components"]["schemas"]
    buyer = a_buyer()
    placed = front.order(buyer=buyer).json()
    read = front.http.get(f"/v1/sales/drop/orders/{placed['order']}", headers=as_buyer(buyer)).json()
    page = front.http.get("/v1/sales/drop")
    assert set(placed) == set(schemas["PlacedOrder"]["properties"])
    assert set(read) == set(schemas["OrderState"]["properties"])
    assert set(page.json()) == set(schemas["SaleState"]["properties"])
    assert buyer not in page.text
    assert placed["order"] not in page.text


def test_a_trailer_is_no_header(front: Front) -> None:
    """A proxy that takes a header away from its clients may let a trailer of the same name through."""
    url = urlsplit(front.url)
    with socket.create_connection((url.hostname, url.port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/sales/drop/orders HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nIdempotency-Key: trailer\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'f\r\n{"sku":"phone"}\r\n0\r\n'
            b"Authorization: %b\r\n\r\n" % as_buyer(a_buyer())["Authorization"].encode()
        )
        told = b""
        while piece := connection.recv(65_536):
            told += piece
    assert told.startswith(b"HTTP/1.1 401 "), told
