"""`flashsale loadtest`, with few buyers: on servers of its own, and on a gateway that runs. No timing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flashsale.client import Client
from flashsale.commands import Open
from flashsale.projections import catalog
from flashsale.projections.database import connect
from tests.acceptance.gateway_kit import NEW_SECRET, Front, running
from tests.fixtures.processes import Cli
from tests.helpers import wait_until

TIMEOUT_S = 110


def little(cli: Cli, *args: str) -> Any:
    cli.env["TMPDIR"] = str(cli.home)
    found = cli.ok("loadtest", *args, "--seconds", "1", "--json", timeout_s=TIMEOUT_S).json()
    assert (found["broken"], found["turned_away"], found["unfinished"]) == ([], 0, 0)
    return found


def kinds(found: Any) -> dict[str, Any]:
    return {kind["name"]: kind for kind in found["kinds"]}


def test_a_crowd_on_servers_of_its_own_while_postgres_is_slow(cli: Cli, tmp_path: Path) -> None:
    """One sale sells out, is paid and given up; log, Redis and Postgres agree, and so does what everybody was told."""
    history, picture = tmp_path / "told.jsonl", tmp_path / "load.png"
    found = little(
        cli,
        "slow-postgres",
        "--rate",
        "120",
        "--units",
        "30",
        "--history",
        str(history),
        "--chart",
        str(picture),
    )

    checked, of = found["checked"], kinds(found)
    assert (checked["units"], checked["drift"]) == (30, 0)
    assert checked["sold"] + checked["held"] + checked["left"] == 30
    assert checked["sold"] == of["pay"]["answers"]["CONFIRMED"] > 0
    assert of["order"]["answers"]["SOLD_OUT"] > 0
    assert checked["requests"] == sum(of[kind]["requests"] for kind in ("order", "pay", "cancel"))
    for kind in of.values():
        assert sum(kind["answers"].values()) == kind["requests"]
        assert 0 < kind["p50_ms"] <= kind["p99_ms"] <= kind["max_ms"]
    assert sum(second["due"] for second in found["timeline"]) == sum(kind["requests"] for kind in of.values())
    assert history.read_bytes().startswith(b'{"type":"history"')
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert list(cli.home.glob("flashsale*")) == [], "it works in a temporary directory of its own"


@pytest.fixture
def near(
    front: Front, redis_url: str, module_database_url: str, tmp_path: Path, pytestconfig: pytest.Config
) -> Cli:
    """Commands on the servers and with the secret of the gateway that runs."""
    keys = tmp_path / "keys"
    keys.write_text(NEW_SECRET, encoding="utf-8")
    env = {
        "FLASHSALE_REDIS_URL": redis_url,
        "FLASHSALE_POSTGRES_URL": module_database_url,
        "FLASHSALE_GATEWAY_KEYS_FILE": str(keys),
    }
    home = tmp_path / "home"
    home.mkdir()
    return Cli(home, env, pytestconfig.getoption("--roles"))


def test_bots_at_a_gateway_that_runs(front: Front, near: Cli) -> None:
    at = ("--url", front.url, "--sale", "drop", "--sku", "one-each")
    found = little(near, "bot-flood", "--rate", "60", *at)

    answers = kinds(found)["order"]["answers"]
    assert answers["RESERVED"] < sum(answers.values()), "a bot has one, and the other orders are refused"
    assert found["checked"]["drift"] is None, "whether a projector runs there is not known"
    stock = front.client.snapshot("drop").state.stock["one-each"]
    assert (found["checked"]["sold"], found["checked"]["held"]) == (stock.sold, stock.held)


def test_a_gateway_that_is_killed_in_the_rush_loses_no_order_that_it_acknowledged(
    front: Front, near: Cli, tmp_path: Path
) -> None:
    """Whoever was under way asks another one at the same place with the same key, and is told the same."""
    servers = near.env["FLASHSALE_REDIS_URL"], near.env["FLASHSALE_POSTGRES_URL"]

    def orders() -> int:
        return front.client.snapshot("drop").order_count

    before = orders()
    with running(tmp_path / "first", *servers, in_roles=near.in_roles) as first:
        at = ("--url", first.url, "--sale", "drop", "--sku", "phone")
        crowd = near.start("loadtest", *at, "--rate", "60", "--seconds", "4", "--json")
        wait_until(lambda: orders() > before + 20, 30, "the rush has begun")
        first.process.kill()
        at_kill = orders()
        listen = ("--listen", first.url.removeprefix("http://"))
        with running(tmp_path / "second", *servers, *listen, in_roles=near.in_roles):
            done = crowd.wait(timeout_s=TIMEOUT_S)

    found = done.json()
    assert (found["broken"], found["unfinished"], done.exit_code) == ([], 0, 0), done.stderr
    assert found["checked"]["unknown"] > 0, "some were under way"
    assert orders() > at_kill, "the other one sold to those who came after"


def test_whoever_was_told_what_the_log_does_not_have_is_named(
    front: Front, near: Cli, redis_url: str, module_database_url: str
) -> None:
    """The gateway is believed, and the log that is read is another one: as if all that it sold were lost."""
    other = f"{redis_url}{'&' if '?' in redis_url else '?'}db=7"
    with Client(other, by="test") as client, connect(module_database_url) as connection:
        client.control("drop", catalog.get(connection, "drop").load())
        client.control("drop", Open(at_once=True))
    near.env["FLASHSALE_REDIS_URL"] = other
    near.in_roles = False  # roles have database 0
    at = ("--url", front.url, "--sale", "drop", "--sku", "phone")
    done = near.run("loadtest", "--rate", "20", "--seconds", "1", "--json", *at, timeout_s=TIMEOUT_S)

    assert done.exit_code == 6, done.stderr
    found = done.json()
    assert found["checked"]["sold"] + found["checked"]["held"] == 0
    assert any(sentence.startswith("K1: reserve 0-") for sentence in found["broken"])
    assert "and the log has nothing of it" in done.stderr


@pytest.mark.parametrize(
    ("args", "exit_code", "sentence"),
    [
        (
            ("gold-rush",),
            2,
            "scenario: 'gold-rush' is not accepted; use opening-second, refresh-storm, bot-flood",
        ),
        (("--rate", "0"), 2, "rate: '0' is not accepted"),
        (("--url", "http://127.0.0.1:1"), 2, "--url needs --sale"),
        (("--sale", "drop"), 2, "go with --url"),
        (("slow-postgres", "--url", "http://127.0.0.1:1", "--sale", "drop"), 2, "run it without --url"),
        (("--url", "http://127.0.0.1:1", "--sale", "drop"), 5, "no gateway answers at 127.0.0.1:1"),
        (("--url", "{url}", "--sale", "paused"), 4, "sale paused is paused: open it"),
        (("--url", "{url}", "--sale", "nowhere"), 3, "sale nowhere is not defined"),
    ],
)
def test_a_crowd_that_cannot_be_sent_is_refused(
    front: Front, near: Cli, args: tuple[str, ...], exit_code: int, sentence: str
) -> None:
    done = near.run("loadtest", *(arg.format(url=front.url) for arg in args))

    assert done.exit_code == exit_code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
