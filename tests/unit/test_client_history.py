"""The file in which a client writes down what it asked and what it was told."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from flashsale.client_history import HistoryWriter, clock_name, open_history
from flashsale.commands import (
    Answer,
    Archive,
    Cancel,
    Close,
    Code,
    Confirm,
    OrderRequest,
    Pause,
    Refund,
    Reserve,
    Restock,
    SaleRequest,
)
from flashsale.errors import BadInput, Halted, Overloaded, UnknownOutcome, Unreachable
from flashsale.ids import Position

ORDER = "3-order-0001"


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.jsonl"


def test_it_begins_with_whose_it_is_and_by_which_clock(path: Path) -> None:
    open_history(path, "shop-1").close()

    assert written(path) == [{"type": "history", "version": 1, "client": "shop-1", "clock": clock_name()}]


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (
            Reserve(ORDER, "ada", "phone", 2),
            {
                "command": "reserve",
                "shard": 3,
                "order_id": ORDER,
                "buyer": "ada",
                "sku": "phone",
                "quantity": 2,
            },
        ),
        (Confirm(ORDER), {"command": "confirm", "shard": 3, "order_id": ORDER}),
        (Cancel(ORDER, "ada"), {"command": "cancel", "shard": 3, "order_id": ORDER, "buyer": "ada"}),
        (Refund(ORDER, units="keep"), {"command": "refund", "shard": 3, "order_id": ORDER, "how": "keep"}),
        (
            Restock("req-1", "remove", "phone", 7),
            {
                "command": "restock",
                "shard": 5,
                "request_id": "req-1",
                "how": "remove",
                "sku": "phone",
                "quantity": 7,
            },
        ),
        (Close(), {"command": "close", "shard": 5}),
    ],
)
def test_a_request_stands_there_before_it_is_sent(
    path: Path, request_: OrderRequest | SaleRequest, line: dict[str, Any]
) -> None:
    with open_history(path, "shop-1") as history:
        before = time.monotonic_ns()
        op = history.invoked("drop", request_, shard=5).op
        after = time.monotonic_ns()

        _, found = written(path)

    assert before <= found.pop("at_ns") <= after
    assert found == {"type": "invoke", "op": op, "sale": "drop"} | line


@pytest.mark.parametrize(
    ("request_", "result", "line"),
    [
        (
            Reserve(ORDER, "ada", "phone"),
            Answer(Code.RESERVED, Position(1, 7), "99", "held"),
            {"outcome": "ok", "code": "RESERVED", "position": "1-7", "detail": "99", "status": "held"},
        ),
        (
            Confirm(ORDER),
            Answer(Code.REFUND_DUE, Position(1, 7), "0"),
            {"outcome": "ok", "code": "REFUND_DUE", "position": "1-7", "detail": "0"},
        ),
        (
            Pause(),
            Answer(Code.PAUSED, Position(1, 7)),
            {"outcome": "ok", "code": "PAUSED", "position": "1-7"},
        ),
        (
            Reserve(ORDER, "ada", "phone"),
            Answer(Code.PAUSED, Position(1, 7)),
            {"outcome": "refused", "code": "PAUSED", "position": "1-7"},
        ),
        (
            Reserve(ORDER, "ada", "phone"),
            Answer(Code.SOLD_OUT, Position(1, 7), "0"),
            {"outcome": "refused", "code": "SOLD_OUT", "position": "1-7", "detail": "0"},
        ),
        (Confirm(ORDER), Overloaded(), {"outcome": "refused", "code": "UNREACHABLE"}),
        (Confirm(ORDER), Unreachable("no such socket"), {"outcome": "refused", "code": "UNREACHABLE"}),
        (Confirm(ORDER), UnknownOutcome(), {"outcome": "unknown"}),
        (Confirm(ORDER), Halted(), {"outcome": "unknown"}),
        (Confirm(ORDER), TimeoutError(), {"outcome": "unknown"}),
    ],
)
def test_an_answer_says_what_is_known(
    path: Path, request_: OrderRequest | SaleRequest, result: Answer | BaseException, line: dict[str, Any]
) -> None:
    with open_history(path, "shop-1") as history:
        invoked = history.invoked("drop", request_)
        before = time.monotonic_ns()
        history.returned(invoked, result)

        *_, found = written(path)

    assert found.pop("at_ns") >= before
    assert found == {"type": "return", "op": invoked.op} | line


def test_requests_are_counted(path: Path) -> None:
    with open_history(path, "shop-1") as history:
        assert [history.invoked("drop", Confirm(ORDER)).op for _ in range(3)] == [1, 2, 3]


def test_the_lines_of_all_threads_stand_in_the_order_of_their_times(path: Path) -> None:
    answer = Answer(Code.CONFIRMED, Position(1, 7), "0")

    def ask(history: HistoryWriter) -> None:
        for _ in range(500):
            history.returned(history.invoked("drop", Confirm(ORDER)), answer)

    with open_history(path, "shop-1") as history:
        threads = [threading.Thread(target=ask, args=(history,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    _, *lines = written(path)
    times = [line["at_ns"] for line in lines]
    assert times == sorted(times)
    for kind in ("invoke", "return"):
        assert sorted(line["op"] for line in lines if line["type"] == kind) == list(range(1, 2001))


def test_what_leaves_no_event_has_no_place_in_a_history(path: Path) -> None:
    with open_history(path, "shop-1") as history, pytest.raises(KeyError, match="archive"):
        history.invoked("drop", Archive(Position(1, 7)))

    assert len(written(path)) == 1


def test_a_history_is_never_continued_or_written_over(path: Path) -> None:
    open_history(path, "shop-1").close()

    with pytest.raises(BadInput, match="it exists: name a new file for every client process"):
        open_history(path, "shop-1")

    assert len(written(path)) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere/h' is not accepted; it cannot be written: No such file"):
        open_history(tmp_path / "nowhere" / "h", "shop-1")


def test_a_client_has_the_name_it_may_have_in_the_log(path: Path) -> None:
    with pytest.raises(BadInput, match="client: 'a b'"):
        open_history(path, "a b")

    assert not path.exists()


def test_a_disk_that_is_full_is_not_passed_over() -> None:
    with pytest.raises(OSError, match="No space left"), open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - a device
        HistoryWriter(full.fileno(), "shop-1")
