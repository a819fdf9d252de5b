"""`flashsale bench`, as small as can be: the figures have a shape, every check ran, and nothing is left. No timing."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.processes import Cli
from tests.fixtures.residents import needs_proc, processes_of
from tests.fixtures.roles import as_administrator

#: A few orders a contender, once.
TINY = ("--quick", "--rounds", "1", "--scale", "0.005")
TIMEOUT_S = 110

RATIOS = {
    "write": {
        "accepted_vs_row_lock",
        "accepted_vs_script_per_request",
        "accepted_vs_xadd",
        "refused_vs_get",
        "server_cpu_vs_xadd",
        "always_vs_everysec",
        "bytes_per_held_order",
    },
    "project": {"project_vs_copy", "project_vs_per_event"},
    "replay": {"replay_vs_copy"},
}


def measured(cli: Cli, what: str, *more: str) -> Any:
    cli.env["TMPDIR"] = str(cli.home)
    found = cli.ok("bench", what, *TINY, "--json", *more, timeout_s=TIMEOUT_S).json()
    assert found["failed"] == []
    assert list(cli.home.iterdir()) == [], "it works in a temporary directory of its own"
    return found


def assert_every_check_ran(found: Any) -> None:
    for group in found["groups"]:
        assert {row["role"] for row in group["rows"]} >= {"flashsale", "limit"}
        for row in group["rows"]:
            assert (row["failed"], row["rounds"]) == (None, 1), row
            assert 0 < row["per_s"]["low"] <= row["per_s"]["median"] <= row["per_s"]["high"]
            assert row["redis_cpu_us"] >= 0
            assert row["client_cpu_us"] >= 0
            assert (row["p50_ms"] is None) == (row["p99_ms"] is None)


def test_the_write_side(cli: Cli) -> None:
    found = measured(cli, "write")

    assert [group["name"] for group in found["groups"]] == ["accepted", "sold_out", "over_limit"]
    assert_every_check_ran(found)
    assert {ratio["name"] for ratio in found["ratios"]} >= RATIOS["write"]
    for ratio in found["ratios"]:
        assert ratio["low"] <= ratio["value"] <= ratio["high"]
        assert ratio["reached"] in ((None,) if ratio["target"] is None else (True, False))
    assert found["machine"]["private_servers"] == ["postgres", "redis"]
    assert found["machine"]["fsync_us"] > 0
    assert (found["durability"], found["mixed"], found["growth"]) == ("always", None, [])


@pytest.mark.parametrize("what", ["project", "replay"])
def test_the_read_side(cli: Cli, what: str) -> None:
    found = measured(cli, what)

    assert_every_check_ran(found)
    assert {ratio["name"] for ratio in found["ratios"]} >= RATIOS[what]


def test_load_that_is_offered_until_it_breaks(cli: Cli) -> None:
    found = measured(cli, "mixed")["mixed"]

    assert found["failed"] is None
    assert found["steps"]
    assert found["checked"]["orders"] >= found["checked"]["held"] + found["checked"]["sold"]


def test_the_cost_as_the_work_grows(cli: Cli) -> None:
    found = measured(cli, "growth", "--archived", "1000")["growth"]

    assert [curve["name"] for curve in found] == ["orders", "skus", "sales", "archived"]
    assert all(len(curve["points"]) >= 3 for curve in found)
    assert [point["size"] for point in found[2]["points"]] == [1, 10, 50, 200]


def test_another_durability_holds_for_all(cli: Cli) -> None:
    found = measured(cli, "write", "--durability", "everysec")

    assert found["durability"] == "everysec"
    assert "always_vs_everysec" not in {ratio["name"] for ratio in found["ratios"]}


def test_a_person_gets_tables_and_a_picture(cli: Cli, tmp_path: Path) -> None:
    cli.env["TMPDIR"] = str(tmp_path)
    picture = tmp_path / "bench.png"
    done = cli.ok("bench", "replay", *TINY, "--chart", str(picture), timeout_s=TIMEOUT_S)

    assert "replay ÷ COPY into event_log" in done.stdout
    assert "… A sale's tables rebuilt" in done.stderr.splitlines()
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("bench", "reads"), "what: 'reads' is not accepted; use write, project, replay, mixed, growth, all"),
        (("bench", "--durability", "never"), "durability: 'never' is not accepted; use always, everysec"),
        (("bench", "--chart", "bench.svg"), "name a file that ends with .png"),
        (("bench", "--chart", "nowhere/bench.png"), "its directory does not exist"),
    ],
    ids=["what", "durability", "no PNG", "no directory"],
)
def test_bad_input_is_refused_before_a_server_is_started(
    cli: Cli, args: tuple[str, ...], sentence: str
) -> None:
    done = cli.run(*args)

    assert done.exit_code == 2
    assert sentence in done.stderr
    assert "Starting servers" not in done.stderr


def test_given_servers_keep_their_settings_and_their_data(connected_cli: Cli, database_url: str) -> None:
    connected_cli.in_roles = False  # it is an administrator's, see test_roles.py
    connected_cli.env["FLASHSALE_POSTGRES_URL"] = as_administrator(database_url)
    done = connected_cli.run(
        "bench", "replay", *TINY, "--json", "--durability", "always", timeout_s=TIMEOUT_S
    )

    if done.exit_code == 4:  # the tests' Redis may write nothing to disk
        assert "let bench start private servers" in done.stderr
    else:
        assert done.exit_code == 0
        assert done.json()["machine"]["private_servers"] == []
    assert "bench" not in connected_cli.ok("sale", "list").stdout


@needs_proc
def test_ctrl_c_leaves_nothing(cli: Cli) -> None:
    directory = cli.home / "servers"
    process = cli.start("bench", "write", *TINY, "--data-dir", str(directory))
    process.wait_for_output("Reservations that are accepted", timeout_s=TIMEOUT_S)
    process.send(signal.SIGINT)
    done = process.wait(timeout_s=60)

    assert done.exit_code == 130
    assert "Traceback" not in done.stderr
    assert processes_of(directory) == []
    assert not (directory / "redis").exists()
