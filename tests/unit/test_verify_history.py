"""Histories of clients as files: what is read, what is refused, and what cannot be judged.

That every kind of lie is found: tests/integration/test_history_mutants.py, on a sale that was really held.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from flashsale.errors import BadInput
from flashsale.verify import HistoryReport, Source, verify
from tests.unit.verify_kit import Record, counters, event, lines

ORDER = "0-order-0001"
CLOCK = "machine boot"


def reserved(seq: int, order: str, left: int, held: int, epoch: int = 1) -> Record:
    content = {"order_id": order, "buyer": "ada", "sku": "phone", "quantity": 1, "hold_until_ms": 99}
    return event(seq, "order.reserved", epoch, **content, **counters(left, held))


BEGINNING = [
    event(1, "sale.loaded", opens_ms=0, closes_ms=0, hold_ms=60),
    event(2, "stock.loaded", sku="phone", quantity=2, limit=0, **counters(2, 0)),
    event(3, "sale.opened", opens_ms=5),
]
LOG = [*BEGINNING, reserved(4, ORDER, 1, 1)]


def header(client: str = "shop", **fields: Any) -> Record:
    return {"type": "history", "version": 1, "client": client, "clock": CLOCK} | fields


def asked(op: int, at_ns: int, order: str = ORDER, **fields: Any) -> Record:
    of = {"op": op, "at_ns": at_ns, "sale": "s", "shard": 0, "command": "reserve", "order_id": order}
    return {"type": "invoke", **of, "buyer": "ada", "sku": "phone", "quantity": 1} | fields


def told(op: int, at_ns: int, position: str = "1-4", **fields: Any) -> Record:
    answer = {"outcome": "ok", "code": "RESERVED", "position": position, "detail": "99"}
    return {"type": "return", "op": op, "at_ns": at_ns} | answer | fields


def sold_out(op: int, at_ns: int, position: str) -> Record:
    return told(op, at_ns, position, outcome="refused", code="SOLD_OUT", detail="0")


def judged(log: Sequence[Record], *histories: Sequence[bytes]) -> HistoryReport:
    sources = [Source(f"h{number}", history) for number, history in enumerate(histories, 1)]
    report = verify(lines(*log), "log", sources)
    assert report.history is not None
    return report.history


def broken(log: Sequence[Record], *histories: Sequence[bytes]) -> list[tuple[str, str, int]]:
    return [(found.rule, found.history, found.op) for found in judged(log, *histories).violations]


# ------------------------------------------------------------------------------------------------------------ files


def test_a_log_without_histories_says_nothing_of_them() -> None:
    assert verify(lines(*LOG)).history is None


def test_requests_are_counted_by_what_became_of_them() -> None:
    history = lines(
        header(),
        asked(1, 10),
        told(1, 20),
        asked(2, 30, "0-order-0002"),
        told(2, 40, "", outcome="refused", code="UNREACHABLE", detail=""),
        asked(3, 50, "0-order-0003"),
        {"type": "return", "op": 3, "at_ns": 60, "outcome": "unknown"},
        asked(4, 70, "0-order-0004"),
    )
    report = judged(LOG, history, lines(header("other")))

    shop, other = report.clients.values()
    assert (shop.requests, shop.ok, shop.refused, shop.unknown) == (4, 1, 1, 2)
    assert other.requests == 0
    assert report.requests == 4
    assert report.violations == []


@pytest.mark.parametrize(
    ("mode", "found"), [("open", []), ("queue-all", []), ("pass-through", ["K5"]), ("", ["K5"])]
)
def test_without_a_pass_one_is_refused_only_where_the_log_demands_one(mode: str, found: list[str]) -> None:
    numbers = {"rate_per_s": 1, "active_max": 1, "pass_ttl_ms": 1, "leave_after_ms": 1}
    room = event(4, "sale.room_set", mode=mode, **numbers, shuffle=False, commitment="f" * 64, message="")
    log = [*BEGINNING, *([room] if mode else [])]
    refused = told(1, 20, f"1-{len(log)}", outcome="refused", code="NO_PASS", detail="")

    violations = broken(log, lines(header(), asked(1, 10), refused))

    assert [rule for rule, _, _ in violations] == found


@pytest.mark.parametrize("kept", range(1, 60, 7))
def test_a_last_line_that_was_cut_short_is_passed_over(kept: int) -> None:
    *whole, last = lines(header(), asked(1, 10), told(1, 20))

    report = judged(LOG, [*whole, last[:kept]])

    assert report.clients["h1"].unknown == 1
    assert report.violations == []


def test_a_last_line_needs_no_end() -> None:
    *whole, last = lines(header(), asked(1, 10), told(1, 20))

    assert judged(LOG, [*whole, last[:-1]]).clients["h1"].ok == 1


FIRST, SECOND, THIRD = lines(header(), asked(1, 10), told(1, 20))


@pytest.mark.parametrize(
    ("history", "sentence"),
    [
        (
            [FIRST, b"x\n", SECOND],
            "h1, line 2: 'x' is not accepted; it must be a line that a client's history",
        ),
        ([FIRST, SECOND[:30] + b"\n", THIRD], "h1, line 2: .*only the last one may be cut short"),
        ([FIRST, b"\n", SECOND], "h1, line 2: '' is not accepted"),
        ([FIRST, b"\xff\xfe\n"], "h1, line 2: "),
        ([FIRST, b"[" * 5_000 + b"\n"], "h1, line 2: "),
        ([FIRST, b"\0" * 100, b"\0" * 100], "h1, line 2: .* too long for a line"),
        ([SECOND, THIRD], "h1, line 1: 'Invoked' is not accepted; a history begins with its client"),
        ([FIRST, FIRST], "h1, line 2: .*a history begins once"),
        (lines(header(version=2)), "h1, version: 2 is not accepted; this program reads version 1"),
        ([FIRST, THIRD], "h1, line 2: 'op 1' is not accepted; a request returns once, after it was made"),
        ([FIRST, SECOND, THIRD, THIRD], "h1, line 4: 'op 1' is not accepted; a request returns once"),
        ([FIRST, SECOND, SECOND], "h1, line 3: 'op 1' is not accepted; a history counts its requests up"),
        (lines(header(), asked(1, 10), asked(2, 9)), "h1, line 3: .*the times of a history never go back"),
        (lines(header(), asked(1, 10), told(1, 20, "4")), "h1, line 3: '4' is not accepted; .*epoch-seq"),
        ([FIRST], "history: 'h1' is not accepted; it has no request to check"),
        ([], "history: 'h1' is not accepted; it has no request to check"),
    ],
)
def test_what_is_no_history_is_refused_with_its_place(history: list[bytes], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        judged(LOG, history)


def test_times_of_two_machines_are_not_compared() -> None:
    with pytest.raises(
        BadInput, match=re.escape("h2, clock: 'another boot' is not accepted; its times cannot")
    ):
        judged(LOG, [FIRST, SECOND, THIRD], lines(header(clock="another boot")))


# ------------------------------------------------------------------------------------------------------------- order


def test_two_histories_are_read_as_it_happened() -> None:
    early = lines(header(), asked(1, 10, "0-order-0001"), told(1, 20, "1-5"))
    late = lines(header(), asked(1, 30, "0-order-0002"), told(1, 40, "1-4"))
    log = [*BEGINNING, reserved(4, "0-order-0002", 1, 1), reserved(5, "0-order-0001", 0, 2)]

    assert broken(log, early, late) == [("K4", "h2", 1)]
    assert broken(log, late, early) == [("K4", "h1", 1)]


def test_who_asks_while_another_is_answered_may_come_before() -> None:
    early = lines(header(), asked(1, 10, "0-order-0001"), told(1, 20, "1-5"))
    meanwhile = lines(header(), asked(1, 20, "0-order-0002"), told(1, 40, "1-4"))
    log = [*BEGINNING, reserved(4, "0-order-0002", 1, 1), reserved(5, "0-order-0001", 0, 2)]

    assert broken(log, early, meanwhile) == []
    assert broken(log, meanwhile, early) == []


def test_an_answer_that_is_contradicted_by_all_who_come_later_is_named_once() -> None:
    early = lines(header(), asked(1, 10, "0-order-0001"), told(1, 20, "1-5"))
    log = [*BEGINNING, reserved(4, "0-order-0002", 1, 1), reserved(5, "0-order-0001", 0, 2)]
    others = [asked(op, 30 + op, f"0-order-1{op:03}") for op in range(2, 9)]
    answers = [
        told(op, 90 + op, "1-3", outcome="refused", code="UNKNOWN_SKU", detail="") for op in range(2, 9)
    ]
    late = lines(header(), *[other | {"sku": "tablet"} for other in others], *answers)

    assert broken(log, early, late) == [("K4", "h2", 2)]


def test_many_violations_are_counted_and_some_are_kept() -> None:
    orders = [f"0-order-2{op:03}" for op in range(250)]
    history = [
        record for op, order in enumerate(orders, 1) for record in (asked(op, op, order), told(op, op))
    ]

    report = judged(LOG, lines(header(), *history))

    assert report.broken == {"K1": 250}
    assert len(report.violations) == 100


# ------------------------------------------------------------------------------------------------ what is not judged


def test_a_log_that_does_not_add_up_judges_nobody() -> None:
    report = judged([*LOG, reserved(5, "0-order-0002", 1, 1)], [FIRST, SECOND, THIRD])

    assert report.not_judged == 1
    assert report.violations == []


def test_acknowledged_in_a_sale_that_the_log_does_not_have() -> None:
    history = lines(header(), asked(1, 10, sale="other"), told(1, 20))

    assert broken(LOG, history) == [("K1", "h1", 1)]


@pytest.mark.parametrize("code", ["NOT_LOADED", "LOG_REGRESSED", "ARCHIVED", "UNREACHABLE"])
def test_a_shard_that_does_not_work_needs_no_explanation(code: str) -> None:
    history = lines(
        header(),
        asked(1, 10),
        told(1, 20),
        asked(2, 30, "0-order-0002"),
        told(2, 40, "0-0", outcome="refused", code=code, detail=""),
    )
    assert broken(LOG, history) == []


# ------------------------------------------------------------------------------------------------- after a recovery

#: Seq 5 of epoch 1 was lost; order 2, which was there, was carried over.
RECOVERED = [
    *LOG,
    event(1, "epoch.started", 2, previous_epoch=1, previous_seq=4),
    reserved(2, "0-order-0002", 0, 2, epoch=2),
]


def test_what_was_carried_over_is_not_lost() -> None:
    history = lines(header(), asked(1, 10, "0-order-0002"), told(1, 20, "1-5"))

    assert broken(RECOVERED, history) == []
    assert broken(LOG, history) == [("K1", "h1", 1)]


def test_what_was_left_out_is_lost() -> None:
    history = lines(header(), asked(1, 10, "0-order-0003"), told(1, 20, "1-5"))

    assert broken(RECOVERED, history) == [("K1", "h1", 1)]


def test_a_refusal_on_events_that_were_lost_is_not_judged() -> None:
    history = lines(header(), asked(1, 10, "0-order-0003"), sold_out(1, 20, "1-7"))

    assert broken(RECOVERED, history) == []
    assert broken(LOG, history) == [("K5", "h1", 1)]


def test_a_repeat_after_a_recovery_names_the_new_place() -> None:
    history = lines(
        header(),
        asked(1, 10, "0-order-0002"),
        told(1, 20, "1-5"),
        asked(2, 30, "0-order-0002"),
        told(2, 40, "2-2", status="held"),
    )
    assert broken(RECOVERED, history) == []
