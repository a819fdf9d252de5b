"""What nobody should type: a sentence that helps, exit code 2, and nothing changed."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from flashsale.commands import Reserve
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.fixtures.processes import Cli

ORDER = "0-aaaaaaaa"
RESERVE = ("order", "reserve", SALE, SKU, "--buyer", "ada")

BAD_SALES = ["", "{drop}", "drop:0", "dr op", "drop\n", "d" * 300, "Drop", "dröp", "drop\udcff"]
BAD_SKUS = ["", "{sku}", "a:b", "a b", "a\nb", "x" * 300, "téléphone", ".hidden"]
BAD_BUYERS = ["", "a b", "a:b", "ada\n", "b" * 300, "ädä", '"ada"']
BAD_ORDERS = [
    "",
    "aaaaaaaa",
    "0-short",
    "00-aaaaaaaa",
    "1000-aaaaaaaa",
    "0-aaaa aaaa",
    "0-" + "a" * 300,
    "0-aaaaaaaa\n",
]
BAD_QUANTITIES = [
    "0",
    "-1",
    "1.0",
    "1e3",
    "0x10",
    "nan",
    "inf",
    " 1",
    "1_000",
    "+1",
    "1000000",
    "9" * 300,
    "",
    "one",
    "١",
]
BAD_CHANGES = ["5", "+0", "-0", "0", "+1.5", "+1e3", "+0x10", "+nan", "+1000000", "++1", "-", ""]
BAD_TIMES = [
    "2027-03-01",
    "2027-03-01T10:00:00",
    "tomorrow",
    "1700000000",
    "2500-01-01T00:00:00Z",
    "1969-01-01T00:00:00Z",
    "",
]
BAD_DURATIONS = ["15", "15 m", "m", "-1m", "1.5h", "500ms", "31d", "0s", "1h 30m", ""]

BAD_LIMITS = ["phone", "=1", "phone=-1", "phone=1e3", "a b=1"]

Case = tuple[tuple[str, ...], str]

#: what is typed → what the answer must contain
CASES: list[Case] = [
    *((("sale", "show", bad), "sale: ") for bad in BAD_SALES),
    *((("order", "reserve", SALE, bad, "--buyer", "ada"), "sku: ") for bad in BAD_SKUS),
    *((("order", "reserve", SALE, SKU, "--buyer", bad), "buyer: ") for bad in BAD_BUYERS),
    *(((*RESERVE, "--order", bad), "order: ") for bad in BAD_ORDERS),
    *(
        ((*RESERVE, "--quantity", bad), "quantity: ")
        for bad in BAD_QUANTITIES
    ),
    *(((*RESERVE, "--idempotency-key", bad), "idempotency-key: ") for bad in ("", "a\nb", "k" * 201)),
    ((*RESERVE, "--order", ORDER, "--idempotency-key", "k"), "give either"),
    *((("order", verb, SALE, "nonsense"), "order: ") for verb in ("confirm", "cancel", "refund", "show")),
    *((("sale", "restock", SALE, SKU, bad), "change: ") for bad in BAD_CHANGES),
    (("sale", "restock", SALE, "a b", "+1"), "sku: "),
    (("sale", "restock", SALE, SKU, "+1", "--request-id", "a b"), "request id: "),
    *((("sale", "reconfigure", SALE, "--opens", bad), "opens: ") for bad in BAD_TIMES),
    *((("sale", "reconfigure", SALE, "--hold", bad), "hold: ") for bad in BAD_DURATIONS),
    *((("sale", "reconfigure", SALE, "--limit", bad), "limit") for bad in BAD_LIMITS),
    *((("sale", "watch", SALE, "--interval", bad), "interval: ") for bad in ("1", "0s", "-1s", "2d", "999999999d", "")),
    *((("sale", "watch", SALE, "--count", bad), "count: ") for bad in ("0", "-1", "x")),
    *((("events", "show", SALE, bad), "seq: ") for bad in ("0", "x", "1-0", "0-1", "1-2-3", "1e3", "")),
    *((("events", "tail", SALE, "-n", bad), "number: ") for bad in ("-1", "x", "1000000")),
    (("events", "export", SALE, "--from", "x"), "from: "),
    (("events", "export", SALE, "--from", "5", "--to", "4"), "to: "),
    *((("projector", "run", "--batch-max", bad), "batch-max: ") for bad in ("0", "10001", "1e3")),
    *((("projector", "run", "--max-rate", bad), "max-rate: ") for bad in ("-1", "1.5", "nan")),
    *((("projector", "run", "--name", bad), "name: ") for bad in ("", "a b", "p" * 41)),
    (("sweeper", "run", "--name", "a b"), "name: "),
    (("dev", "destroy"), "add --yes"),
]  # fmt: skip

#: Everything of a group that fails alike is one test: a process takes half a second, and they have nothing in common.
AT_ONCE = 2
GROUPS = [
    (name, list(cases))
    for name, cases in itertools.groupby(
        CASES, lambda case: " ".join(case[0][:2]) + " " + case[1].strip(": ")
    )
]


@pytest.fixture
def unconnected(cli: Cli) -> Cli:
    """The command with servers that do not exist: what is refused first never gets to them."""
    cli.env |= {
        "FLASHSALE_REDIS_URL": "unix:///nowhere/redis.sock",
        "FLASHSALE_POSTGRES_URL": "postgresql:///flashsale?host=/nowhere",
    }
    return cli


@pytest.mark.parametrize("cases", [cases for _, cases in GROUPS], ids=[name for name, _ in GROUPS])
def test_malformed_values_are_refused_before_anything_is_connected(
    unconnected: Cli, cases: list[Case]
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = list(pool.map(lambda case: unconnected.run(*case[0]), cases))
    for (args, words), done in zip(cases, ended, strict=True):
        assert done.exit_code == 2, f"{args}: {done.stderr}"
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1, "one line, whatever was typed"
        assert len(done.stderr) < 400


@pytest.mark.parametrize(
    "args",
    [
        ("order", "reserve", SALE, SKU, "--buyer", "ada", "--quantity", "0x10"),
        ("order", "reserve", SALE, SKU, "--buyer", "a:b"),
        ("order", "confirm", SALE, "nonsense"),
        ("sale", "restock", SALE, SKU, "+1e3"),
        ("sale", "reconfigure", SALE, "--hold", "31d"),
        ("sale", "open", "{drop}"),
    ],
    ids=" ".join,
)
def test_malformed_values_change_nothing_in_a_running_sale(shop: Shop, args: tuple[str, ...]) -> None:
    shop.open()
    shop.execute(Reserve(ORDER, "ada", SKU))

    shop.refused(2, *args)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("sale", "lst"), "No such command 'lst'. Did you mean 'list'?"),
        (("sale", "list", "--jsn"), "No such option: --jsn (Possible options: --json)"),
        (("sale", "show"), "Missing argument 'SALE'."),
        (("sale", "show", SALE, "more"), "Got unexpected extra argument(s) (more)"),
        (("order", "reserve", SALE, SKU), "Missing option '--buyer'."),
        (("sale", "define", "nothing.toml"), "nothing.toml: it cannot be read: No such file or directory"),
        (("sale", "define", "."), "it cannot be read: Is a directory"),
    ],
)
def test_usage_errors_are_one_sentence_and_a_hint(
    unconnected: Cli, args: tuple[str, ...], sentence: str
) -> None:
    done = unconnected.run(*args)

    assert done.exit_code == 2
    assert sentence in done.stderr.splitlines()[0]
    assert done.stdout == ""


def test_an_answer_to_bad_input_never_contains_what_could_steer_a_terminal(unconnected: Cli) -> None:
    done = unconnected.run("sale", "show", "\x1b[31mred\x07")
    assert done.exit_code == 2
    assert "\x1b" not in done.stderr
    assert "\x07" not in done.stderr
