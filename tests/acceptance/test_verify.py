"""`verify --history`: what clients were told, held against an exported log."""

from __future__ import annotations

from pathlib import Path

import pytest

from flashsale.client_history import open_history
from flashsale.commands import Answer, OrderRequest, Reserve
from tests.acceptance.conftest import SALE, SKU, Shop

ORDERS = ("0-aaaaaaaa", "0-bbbbbbbb", "0-cccccccc")


@pytest.fixture
def directory(shop: Shop) -> Path:
    """A sale of two units, its log, and the history of a client that asked for three."""
    shop.open(quantity=2)
    directory = shop.cli.home  # where the commands run
    with open_history(directory / "shop.jsonl", "shop-1") as history:
        for order in ORDERS:
            request: OrderRequest = Reserve(order, "ada", SKU)
            asked = history.invoked(SALE, request)
            answers: list[Answer] = shop.client.execute(SALE, [request])
            history.returned(asked, answers[0])
        history.invoked(SALE, Reserve("0-dddddddd", "ada", SKU))  # a client that is killed now
    (directory / "log.ndjson").write_text(shop.finished("events", "export", SALE).stdout)
    return directory


def test_answers_that_agree_with_the_log(shop: Shop, directory: Path) -> None:
    done = shop.finished("verify", "log.ndjson", "--history", "shop.jsonl")

    assert "adds up" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["shop.jsonl", "4", "2", "1", "1"]
    assert done.stderr == "every answer agrees with the log\n"


def test_an_acknowledged_order_that_the_log_lost(shop: Shop, directory: Path) -> None:
    log = (directory / "log.ndjson").read_text().splitlines(keepends=True)
    (directory / "short.ndjson").write_text("".join(log[:-1]))
    files = ("short.ndjson", "--history", "shop.jsonl")

    done = shop.cli.run("verify", *files)
    report = shop.cli.run("verify", *files, "--json").json()

    assert done.exit_code == 6
    assert "adds up" in done.stdout  # as far as it goes
    first = done.stderr.splitlines()[0]
    assert first.startswith("error: shop.jsonl, request 2 breaks K1 (what was acknowledged stands in")
    assert first.endswith(
        f"reserve {ORDERS[1]}: it was answered RESERVED at 1-5, and the log has nothing there"
    )
    assert report["violations"] == []
    assert report["history"]["broken"] == {"K1": 1, "K5": 1}
    assert [(found["rule"], found["op"]) for found in report["history"]["violations"]] == [
        ("K1", 2),
        ("K5", 3),
    ]
    assert report["history"]["clients"] == [
        {"history": "shop.jsonl", "requests": 4, "ok": 2, "refused": 1, "unknown": 1}
    ]


def test_nobody_is_judged_by_a_log_that_does_not_add_up(shop: Shop, directory: Path) -> None:
    log = (directory / "log.ndjson").read_text().splitlines(keepends=True)
    (directory / "gap.ndjson").write_text("".join(log[:3] + log[4:]))

    done = shop.cli.run("verify", "gap.ndjson", "--history", "shop.jsonl")

    assert done.exit_code == 6
    assert f"{SALE}:0 breaks U4" in done.stderr
    assert "4 requests cannot be judged: their log does not add up" in done.stderr


def test_a_history_comes_after_standard_input(shop: Shop, directory: Path) -> None:
    log = (directory / "log.ndjson").read_text()

    shop.cli.ok("verify", "-", "--history", "shop.jsonl", stdin=log)


@pytest.mark.parametrize(
    ("history", "sentence"),
    [
        (["nowhere"], "--history: 'nowhere' is not accepted; it cannot be read: No such file or directory"),
        (["/"], "--history: '/' is not accepted; it cannot be read: Is a directory"),
        (["/dev/null"], "history: '/dev/null' is not accepted; it has no request to check"),
        (["/dev/zero"], "/dev/zero, line 1: "),
        (["shop.jsonl", "./shop.jsonl"], "--history: './shop.jsonl' is not accepted; it is named twice"),
        (["log.ndjson"], "log.ndjson, line 1: "),
        (["cut.jsonl"], "cut.jsonl, line 3: "),
    ],
)
def test_what_is_no_history_is_refused(
    shop: Shop, directory: Path, history: list[str], sentence: str
) -> None:
    whole = (directory / "shop.jsonl").read_bytes().splitlines(keepends=True)
    (directory / "cut.jsonl").write_bytes(b"".join([*whole[:2], whole[2][:20] + b"\n", *whole[3:]]))

    done = shop.cli.run("verify", "log.ndjson", *[word for file in history for word in ("--history", file)])

    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
