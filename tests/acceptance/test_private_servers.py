"""Without any configuration: private servers, started on demand, for the first sale and for `flashsale dev`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import assert_one_sentence
from tests.fixtures.places import server_home
from tests.fixtures.processes import Cli


@pytest.fixture(scope="module")
def data_dir() -> Iterator[str]:
    """A data directory for this module; the servers in it start with the first command that needs them."""
    with server_home() as home:
        where = str(home / "dev")
        yield where
        cli = Cli(home)
        cli.ok("dev", "destroy", "--yes", "--data-dir", where)
        assert not Path(where).exists()


def servers(cli: Cli, data_dir: str) -> dict[str, bool]:
    found = cli.ok("dev", "status", "--json", "--data-dir", data_dir).json()["servers"]
    return {server["name"]: server["running"] for server in found}


def test_the_first_sale_in_the_five_commands_of_the_help(cli: Cli, data_dir: str) -> None:
    here = ("--data-dir", data_dir)
    (cli.home / "drop.toml").write_text(cli.ok("sale", "example").stdout, encoding="utf-8")

    cli.ok("sale", "define", "drop.toml", *here)
    cli.ok("sale", "warm", "mega-drop", *here)
    cli.ok("sale", "open", "mega-drop", *here)
    order_id = cli.ok("order", "reserve", "mega-drop", "phone-15", "--buyer", "ada", *here).stdout.strip()
    projector = cli.start("projector", "run", *here)
    projector.wait_for_output("shard_started")
    projector.stop()

    shown = cli.ok("order", "show", "mega-drop", order_id, "--json", *here).json()
    assert (shown["redis"]["status"], shown["postgres"]["status"]) == ("held", "held")
    assert not (cli.home / ".local").exists(), "nothing is made elsewhere"


def test_down_and_up_again_keeps_everything(cli: Cli, data_dir: str) -> None:
    here = ("--data-dir", data_dir)
    cli.ok("dev", "up", *here)
    assert servers(cli, data_dir) == {"redis": True, "postgres": True}
    before = cli.ok("sale", "list", "--json", *here).stdout

    assert "Stopped " in cli.ok("dev", "down", *here).stderr
    assert servers(cli, data_dir) == {"redis": False, "postgres": False}
    assert "Next: flashsale dev up" in cli.ok("dev", "status", *here).stderr
    assert cli.ok("dev", "down", "--json", *here).json() == {"stopped": []}
    assert cli.ok("sale", "list", "--json", *here).stdout == before, "started on demand"


def test_up_prints_what_other_programs_need(cli: Cli, data_dir: str) -> None:
    urls = cli.ok("dev", "up", "--json", "--data-dir", data_dir).json()
    cli.env |= {"FLASHSALE_REDIS_URL": urls["redis_url"], "FLASHSALE_POSTGRES_URL": urls["postgres_url"]}

    cli.ok("sale", "list")

    assert "Other servers are configured" in cli.ok("dev", "up", "--data-dir", data_dir).stderr


def test_destroy_asks_first(cli: Cli, data_dir: str) -> None:
    cli.ok("dev", "up", "--data-dir", data_dir)

    done = cli.run("dev", "destroy", "--data-dir", data_dir)

    assert done.exit_code == 2
    assert "removes all sales and orders" in done.stderr
    assert "add --yes" in done.stderr
    assert servers(cli, data_dir) == {"redis": True, "postgres": True}


def test_a_directory_of_somebody_else_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "love.txt").write_text("dear", encoding="utf-8")

    done = cli.run("sale", "list", "--data-dir", str(tmp_path / "letters"))

    assert done.exit_code == 2
    assert "it holds other files" in done.stderr
    assert [file.name for file in (tmp_path / "letters").iterdir()] == ["love.txt"]


def test_doctor_finds_nothing_to_complain_of(cli: Cli, data_dir: str) -> None:
    done = cli.ok("doctor", "--data-dir", data_dir)
    report = cli.ok("doctor", "--json", "--data-dir", data_dir).json()

    assert "durability: D1, loses nothing when Redis or its machine dies" in done.stdout
    assert report["durability"]["name"] == "D1"
    assert {check["verdict"] for check in report["checks"]} == {"ok"}


def test_a_server_that_is_configured_is_not_started_again(
    cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> None:
    where = tmp_path_factory.mktemp("half") / "dev"
    here = ("--data-dir", str(where))
    try:
        done = cli.run("db", "status", "--postgres-url", "postgresql:///none?host=/nonexistent", *here)
        assert done.exit_code == 5
        assert servers(cli, str(where)) == {"redis": True, "postgres": False}
    finally:
        cli.ok("dev", "destroy", "--yes", *here)


@pytest.mark.parametrize(
    "command",
    [
        "projector run",
        "sweeper run",
        "metrics run",
        "reconcile --all",
        "sale warm-due",
        "doctor",
        "db migrate",
    ],
)
def test_who_wants_no_private_servers_is_told_which_url_is_missing(cli: Cli, command: str) -> None:
    """As the systemd units do."""
    cli.env["FLASHSALE_PRIVATE_SERVERS"] = "refuse"
    for name, given in (("redis_url", {}), ("postgres_url", {"FLASHSALE_REDIS_URL": "redis://127.0.0.1:1"})):
        cli.env |= given

        done = cli.run(*command.split())

        assert done.exit_code == 2, done.stderr
        assert_one_sentence(done)
        assert f"{name}: None is not accepted; set FLASHSALE_{name.upper()}" in done.stderr
    assert list(cli.home.iterdir()) == []


def test_who_asks_for_private_servers_by_name_gets_them(cli: Cli, data_dir: str) -> None:
    cli.env["FLASHSALE_PRIVATE_SERVERS"] = "refuse"

    cli.ok("dev", "up", "--data-dir", data_dir)

    assert servers(cli, data_dir) == {"redis": True, "postgres": True}
