"""What `make torture` reads as lost together with a log: those answers, and no others."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from flashsale.client_history import Line, Returned, open_history
from flashsale.commands import Answer, Code, Confirm, Reserve
from flashsale.events import encode
from flashsale.events.types import Event, OrderConfirmed, OrderReserved, SalePaused
from flashsale.ids import START, Position
from tests.torture.losses import Loss, changes, changes_behind, count_outcomes, without_lost

#: Epoch 2 ended at some place behind 2-10; nobody kept more than 2-10.
FLUSHED = Loss("flushall", Position(2, 10), epoch=2, until_ns=0)
PROMOTED = Loss("replica-promoted", Position(2, 10), epoch=2, until_ns=500)
#: What the promoted one said until it was halted: no place of it can be held against what Postgres had.
SERVED_BEHIND = Loss("replica-promoted", START, epoch=2, since_ns=501, until_ns=900)


@pytest.mark.parametrize(
    ("position", "at_ns", "flushed", "promoted"),
    [
        (Position(2, 10), 400, False, False),
        (Position(2, 11), 400, True, True),
        (Position(2, 11), 500, True, True),
        (Position(2, 11), 501, True, False),  # by the promoted one, whose log goes on there
        (Position(2, 10), 501, False, False),
        (Position(3, 1), 400, False, False),
        (Position(3, 1), 600, False, False),
        (Position(1, 99), 400, False, False),
    ],
)
def test_a_loss_took_what_stood_behind_what_survived(
    position: Position, at_ns: int, *, flushed: bool, promoted: bool
) -> None:
    assert FLUSHED.took(position, at_ns) is flushed
    assert PROMOTED.took(position, at_ns) is promoted
    assert SERVED_BEHIND.took(position, at_ns) is (at_ns > 500 and position.epoch <= 2)


def test_lost_answers_become_unknown_and_the_rest_stays(tmp_path: Path) -> None:
    told, kept = tmp_path / "told", tmp_path / "kept"
    answers = [
        Answer(Code.RESERVED, Position(2, 10), "9"),
        Answer(Code.RESERVED, Position(2, 11), "9"),
        Answer(Code.SOLD_OUT, Position(2, 12), "0"),
        Answer(Code.RESERVED, Position(3, 2), "9"),
    ]
    with open_history(told, "shop") as history:
        for number, answer in enumerate(answers):
            history.returned(history.invoked("sale", Reserve(f"0-order-{number:03}", "ann", "phone")), answer)
    with told.open("ab") as file:
        file.write(b'{"type":"invo')  # killed within a line

    assert without_lost(told, kept, [FLUSHED], {}) == 1  # one of the two was a yes
    assert count_outcomes([told]) == {"asked": 4, "ok": 3, "refused": 1, "unknown": 0}
    assert count_outcomes([kept]) == {"asked": 4, "ok": 2, "refused": 0, "unknown": 2}
    before, after = (path.read_bytes().splitlines() for path in (told, kept))
    assert len(before) == len(after)
    changed = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    assert changed == [4, 6]
    for line in after[:-1]:
        msgspec.json.decode(line, type=Line)


def test_a_status_is_lost_where_the_log_that_is_left_came_to_it_later_or_never(tmp_path: Path) -> None:
    log, told, kept = tmp_path / "log", tmp_path / "told", tmp_path / "kept"
    ended = {"again": (3, 4), "survived": (2, 9)}
    log.write_text(
        "".join(
            f'{{"type":"order.expired","order_id":"0-order-{name}","epoch":{epoch},"seq":{seq}}}\n'
            for name, (epoch, seq) in ended.items()
        )
    )
    with open_history(told, "shop") as history:
        for name in ("again", "survived", "never"):
            answer = Answer(Code.RESERVED, Position(2, 3), "9", "expired")
            history.returned(history.invoked("sale", Reserve(f"0-order-{name}", "ann", "phone")), answer)

    assert without_lost(told, kept, [FLUSHED], changes(log)) == 2
    lines = [msgspec.json.decode(line, type=Line) for line in kept.read_bytes().splitlines()]
    assert [line.outcome for line in lines if isinstance(line, Returned)] == ["unknown", "ok", "unknown"]


def entry(seq: int, event: Event) -> tuple[str, dict[str, str]]:
    return f"2-{seq}", {"e": encode(event).decode()}


def test_an_answer_without_a_place_is_lost_with_what_it_told(tmp_path: Path) -> None:
    """As over HTTP."""
    told, kept = tmp_path / "told", tmp_path / "kept"
    kept_order, lost_order = "0-order-kept", "0-order-lost"
    stream = [
        entry(9, OrderReserved(1, 5, "x", kept_order, "ann", "phone", 1, 9, 1, 0, 0, 99)),
        entry(11, SalePaused(1, 5, "x")),
        entry(12, OrderReserved(1, 5, "x", lost_order, "ann", "phone", 1, 8, 2, 0, 0, 99)),
        entry(13, OrderConfirmed(1, 5, "x", kept_order, "ann", "phone", 1, 8, 1, 1, 0, late=False)),
    ]
    lost = changes_behind(FLUSHED.survived, stream)
    assert lost == {(lost_order, "held"), (kept_order, "confirmed")}
    with open_history(told, "shop") as history:
        for request, answer in [
            (Reserve(kept_order, "ann", "phone"), Answer(Code.RESERVED, START, "99")),
            (Reserve(lost_order, "ann", "phone"), Answer(Code.RESERVED, START, "99")),
            (Confirm(kept_order), Answer(Code.CONFIRMED, START)),
            (Reserve(kept_order, "ann", "phone"), Answer(Code.RESERVED, START, "99", "confirmed")),
            (Confirm(lost_order), Answer(Code.NOT_FOUND, START)),
        ]:
            history.returned(history.invoked("sale", request), answer)

    def outcomes(loss: Loss) -> list[str]:
        without_lost(told, kept, [loss], {})
        lines = [msgspec.json.decode(line, type=Line) for line in kept.read_bytes().splitlines()]
        return [line.outcome for line in lines if isinstance(line, Returned)]

    assert outcomes(FLUSHED._replace(changes=lost)) == ["ok", "unknown", "unknown", "unknown", "refused"]
    assert outcomes(FLUSHED) == ["ok", "ok", "ok", "ok", "refused"]
    # Whatever was done by a log that was behind.
    assert outcomes(SERVED_BEHIND._replace(until_ns=0)) == ["unknown"] * 4 + ["refused"]
    assert outcomes(SERVED_BEHIND) == ["ok", "ok", "ok", "ok", "refused"]
