"""What scripts answer, read into values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsale.commands import Answer, Code, parse_answer, parse_order, parse_reply, parse_snapshot
from flashsale.errors import Halted
from flashsale.events import Order, Restocked
from flashsale.ids import START, Position


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (b"RESERVED 1-4 1795", Answer(Code.RESERVED, Position(1, 4), "1795")),
        (b"RESERVED 1-4 1795 held", Answer(Code.RESERVED, Position(1, 4), "1795", "held")),
        (b"SOLD_OUT 2-9 0", Answer(Code.SOLD_OUT, Position(2, 9), "0")),
        (b"CONFIRMED 1-5 1 confirmed", Answer(Code.CONFIRMED, Position(1, 5), "1", "confirmed")),
        (b"NOT_FOUND 1-5", Answer(Code.NOT_FOUND, Position(1, 5))),
        (b"NOT_LOADED 0-0", Answer(Code.NOT_LOADED, START)),
    ],
)
def test_an_answer_is_read(text: bytes, answer: Answer) -> None:
    assert parse_answer(text) == answer


@pytest.mark.parametrize("code", Code)
def test_every_word_is_its_own_name(code: Code) -> None:
    assert code.name == code.value
    assert parse_answer(f"{code} 1-1".encode()).code is code


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"RESERVED",
        b"SOLD 1-1 5",
        b"reserved 1-1",
        b"RESERVED 1 5",
        b"RESERVED x-y 5",
        b" 1-1",
        b"\xff 1-1",
    ],
)
def test_another_text_is_no_answer(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_answer(text)


def test_a_status_says_that_it_was_decided_before() -> None:
    assert parse_answer(b"RESERVED 1-4 1795 held").repeated
    assert not parse_answer(b"RESERVED 1-4 1795").repeated


def test_a_reservation_says_until_when() -> None:
    assert parse_answer(b"RESERVED 1-4 1795").hold_until_ms == 1795


def test_a_reply_is_read() -> None:
    reply = parse_reply([b"1-6", 1700, b"RESERVED 1-6 1795", b"SOLD_OUT 1-6 0"])

    assert (reply.position, reply.now_ms) == (Position(1, 6), 1700)
    assert [answer.code for answer in reply.answers] == [Code.RESERVED, Code.SOLD_OUT]


def test_equal_answers_are_read_once() -> None:
    first, second, third = parse_reply([b"1-6", 1700, *[b"SOLD_OUT 1-6 0"] * 2, b"SOLD_OUT 1-7 0"]).answers

    assert first is second
    assert third != first


@pytest.mark.parametrize("raw", [[1, 1700], [b"1-6", b"soon"], [b"1-6", 1700, 5], [b"16", 1700]])
def test_another_reply_is_refused(raw: list[bytes | int]) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse_reply(raw)


# ------------------------------------------------------------------------------------------------------------ records


@pytest.mark.parametrize(
    ("text", "status", "changed_at", "how"),
    [
        ("held A-1 2 ann 1795 1-4", "held", Position(1, 4), ""),
        ("cancelled A-1 2 ann 1795 1-4 1-9", "cancelled", Position(1, 9), ""),
        ("confirmed A-1 2 ann 1795 1-4 1-9 late", "confirmed", Position(1, 9), "late"),
        ("refunded A-1 2 ann 1795 1-4 2-1 keep", "refunded", Position(2, 1), "keep"),
    ],
)
def test_an_order_is_read(text: str, status: str, changed_at: Position, how: str) -> None:
    assert parse_order(text) == Order(status, "A-1", 2, "ann", 1795, Position(1, 4), changed_at, how)


@given(st.text())
def test_another_text_is_an_order_or_is_refused(text: str) -> None:
    try:
        order = parse_order(text)
    except ValueError:
        return
    assert text.startswith(order.status)


EMPTY = [b"0-0", 1700, [], [], b"0-0", 0, 0]
HEAD = [
    b"state",
    b"open",
    b"opens_ms",
    b"5",
    b"closes_ms",
    b"0",
    b"hold_ms",
    b"60",
    b"epoch",
    b"1",
    b"seq",
    b"4",
]


def test_a_snapshot_of_nothing_is_not_loaded() -> None:
    assert not parse_snapshot(EMPTY).is_loaded


def test_a_snapshot_is_read() -> None:
    stock = [b"A", b"3 2 1 4 9"]
    everything = [[b"0-x", b"held A 2 ann 60 1-4"], [b"ann A", b"2"], [b"0-x", b"60"]]

    snapshot = parse_snapshot(
        [b"1-4", 1700, [*HEAD, b"request:r-1", b"add A 1 1-3 5"], stock, b"1-4", 1, 1, *everything]
    )

    state = snapshot.state
    assert (state.status, state.opens_ms, state.closes_ms, state.hold_ms) == ("open", 5, 0, 60)
    assert state.stock["A"].capacity == 10
    assert state.requests == {"r-1": Restocked("add", "A", 1, Position(1, 3), 5)}
    assert (state.units, snapshot.holds) == ({("ann", "A"): 2}, {"0-x": 60})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(
            (0, b"1"),
            (0, b""),
            (4, b"x-y"),
            (2, [b"state"]),
            (2, [b"opens_ms", b"soon"]),
            (2, [b"\xff", b"1"]),
        ),
        *((3, [b"A"]), (3, [b"A", b"1 2 3 4"]), (3, [b"A", b"a b c d e"])),
        *((7, [b"0-x", b"held"]), (8, [b"ann", b"1"]), (8, [b"ann A B", b"1"]), (9, [b"0-x", b"1.5"])),
    ],
)
def test_a_snapshot_that_cannot_be_read_halts_its_reader(place: int, value: object) -> None:
    raw: list[object] = [b"1-4", 1700, HEAD, [], b"1-4", 0, 0, [], [], []]
    raw[place] = value

    with pytest.raises(Halted, match="Redis holds a record that flashsale did not write"):
        parse_snapshot(raw)


def test_a_snapshot_that_ends_early_halts_its_reader() -> None:
    for length in range(7):
        with pytest.raises(Halted):
            parse_snapshot([b"1-4", 1700, HEAD, [], b"1-4", 0, 0][:length])
