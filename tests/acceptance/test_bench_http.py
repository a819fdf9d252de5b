"""`flashsale bench http`, as small as can be: every check ran, and the figures have their names. No timing."""

from __future__ import annotations

from tests.fixtures.processes import Cli

RATIOS = {
    "http_order_vs_bare_post",
    "http_sold_out_vs_bare_post",
    "http_poll_vs_static",
    "http_poll_304_vs_static",
    "http_feeds_2000_core_share",
    "http_order_p99_ms",
}


def test_orders_and_pages_over_http(cli: Cli) -> None:
    cli.env["TMPDIR"] = str(cli.home)
    found = cli.ok(
        "bench", "http", "--quick", "--rounds", "1", "--scale", "0.01", "--json", timeout_s=110
    ).json()

    assert found["failed"] == []
    race, feeds, half = found["groups"]
    assert [row["name"] for row in race["rows"]] == [
        "bare_post",
        "order",
        "sold_out",
        "static",
        "poll",
        "poll_304",
    ]
    assert [row["name"] for row in feeds["rows"]] == ["feeds"]
    assert [row["name"] for row in half["rows"]] == ["half_knee"]
    assert all(
        (row["failed"], row["rounds"]) == (None, 1) for group in found["groups"] for row in group["rows"]
    )
    assert {ratio["name"] for ratio in found["ratios"]} == RATIOS
    assert found["http"]["knee_per_s"] >= found["http"]["steps"][0]["offered_per_s"]
    assert found["http"]["checked"]["orders"] > 0
    assert list(cli.home.iterdir()) == [], "it works in a temporary directory of its own"
