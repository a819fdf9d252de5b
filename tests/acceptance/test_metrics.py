"""`flashsale metrics run`, and daemons that serve metrics: what Prometheus is told in the life of a sale."""

from __future__ import annotations

import signal
import time

import flashsale
from flashsale.commands import Cancel, Confirm, Refund
from flashsale.keys import GROUP, shard_keys
from flashsale.metrics.names import METRICS, SEEN
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.acceptance.metrics_kit import AGAIN_S, ANY_PORT, exporter, orders, sell, serving, stock
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until

EVENTS = shard_keys(SALE, 0).events


def test_a_sale_with_its_stock_its_log_and_its_projector(shop: Shop) -> None:
    shop.open()
    shop.execute(*orders(1, 2, 3, 4), *orders(5, quantity=2))
    shop.execute(Confirm("0-00000001"), Confirm("0-00000005"), Cancel("0-00000002"))
    shop.execute(Refund("0-00000001", units="keep"))
    projector = shop.cli.start("projector", "run", "--name", "p1")
    started_s = time.time()
    served = exporter(shop.cli)
    wait_until(lambda: served.scrape().of_shard("projector_lag_events") == 0, AGAIN_S, "all is applied")

    seen = served.scrape()

    assert stock(seen) == {"available": 5, "held": 2, "sold": 2, "returned": 1}
    assert seen.of_shard("sale_state", state="open") == 1
    assert seen.of_shard("open_holds") == 2
    length = shop.log_length()
    of_log = ("log_events_total", "log_entries", "projected_events_total")
    assert {name: seen.of_shard(name) for name in of_log} == dict.fromkeys(of_log, length)
    none = ("projector_lag_seconds", "log_halted", "log_lost_events", "dead_letter_events")
    for name in (*none, "oldest_hold_overdue_seconds"):
        assert seen.of_shard(name) == 0, name
    assert seen.of_shard("projector_leading") == 1
    beat_s = seen.of_shard("projector_heartbeat_timestamp_seconds")
    assert beat_s is not None
    assert started_s - 5 < beat_s < time.time() + 1
    assert seen.get("up", server="redis") == seen.get("up", server="postgres") == 1
    assert seen.get("look_success") == 1
    assert seen.names == {"flashsale_build_info", *SEEN}
    assert any(dict(labels).get("version") == flashsale.__version__ for _, labels in seen.values)
    assert projector.stop().exit_code == served.process.stop().exit_code == 0


def test_labels_name_no_buyer_and_no_order(shop: Shop) -> None:
    shop.open()
    shop.execute(*orders(*range(50)))
    shop.project()

    seen = exporter(shop.cli).scrape()

    assert {label for _, labels in seen.values for label, _ in labels} == {
        *("server", "sale", "shard", "state", "version", "python")
    }
    assert not [labels for _, labels in seen.values if "0-000000" in repr(labels) or "buyer" in repr(labels)]
    assert {label for metric in METRICS.values() for label in metric.labels} & {"order", "buyer"} == set()


def test_events_that_wait_are_counted_and_aged_and_nobody_leads(shop: Shop) -> None:
    shop.open()
    shop.project()
    shop.execute(*orders(1, 2, 3))
    served = exporter(shop.cli)

    first = served.scrape()
    age_s = first.of_shard("projector_lag_seconds")

    assert first.of_shard("projector_lag_events") == 3
    assert first.of_shard("projector_leading") == 0
    assert first.of_shard("projector_heartbeat_timestamp_seconds") is not None, "it lived once"
    assert first.of_shard("projector_pending_events") == 0
    assert age_s is not None
    assert age_s > 0
    wait_until(lambda: (served.scrape().of_shard("projector_lag_seconds") or 0) > age_s, AGAIN_S, "it ages")


def test_what_was_handed_out_and_not_acknowledged_is_pending(shop: Shop) -> None:
    shop.open()
    shop.project()
    shop.execute(*orders(1, 2))
    shop.redis.xreadgroup(GROUP, "gone", {EVENTS: ">"}, count=2)

    seen = exporter(shop.cli).scrape()

    assert seen.of_shard("projector_pending_events") == 2
    assert (seen.of_shard("projector_oldest_pending_seconds") or -1) >= 0


def test_before_a_projector_ever_ran_nothing_is_known_of_pending_and_heartbeat(shop: Shop) -> None:
    sell(shop)

    seen = exporter(shop.cli).scrape()

    assert seen.of_shard("projector_lag_events") == 3
    for name in ("pending_events", "oldest_pending_seconds", "heartbeat_timestamp_seconds"):
        assert seen.of_shard(f"projector_{name}") is None, name
    assert seen.get("look_success") == 1


def test_holds_that_no_sweeper_ends_are_overdue(shop: Shop) -> None:
    shop.open(hold_ms=1_000)
    shop.execute(*orders(1, 2))
    shop.project()
    served = exporter(shop.cli)

    wait_until(
        lambda: (served.scrape().of_shard("oldest_hold_overdue_seconds") or 0) > 1, AGAIN_S, "it is late"
    )

    shop.cli.start("sweeper", "run")
    wait_until(lambda: served.scrape().of_shard("oldest_hold_overdue_seconds") == 0, AGAIN_S, "they end")


def test_dead_letters(shop: Shop) -> None:
    shop.connection.execute("ALTER TABLE orders ADD CONSTRAINT not_1 CHECK (buyer <> 'buyer-1')")
    shop.open()
    shop.execute(*orders(1, 2))
    shop.project()

    seen = exporter(shop.cli).scrape()

    assert seen.of_shard("dead_letter_events") == 1
    assert seen.of_shard("projector_lag_events") == 0


def test_an_archived_sale_is_told_no_more(shop: Shop) -> None:
    shop.open()
    shop.finished("sale", "close", SALE)
    shop.project()
    shop.finished("sale", "archive", SALE)

    assert exporter(shop.cli).scrape().of_shard("projected_events_total") is None


def test_those_who_ask_together_are_told_of_one_look(shop: Shop, postgres_proxy: Proxy) -> None:
    shop.open()
    shop.cli.env["FLASHSALE_POSTGRES_URL"] = postgres_proxy.url
    served = exporter(shop.cli)

    begun_s = time.monotonic()
    for _ in range(30):
        served.scrape()
    looks = (time.monotonic() - begun_s) / 2 + 1

    assert postgres_proxy.counts.connections <= looks


def test_a_projector_counts_what_it_does(shop: Shop, redis_proxy: Proxy) -> None:
    shop.open()
    shop.execute(*orders(1, 2, 3))
    shop.cli.env["FLASHSALE_REDIS_URL"] = redis_proxy.url
    served = serving(shop.cli.start("projector", "run", "--metrics-listen", ANY_PORT))
    applied = "projector_applied_events_total"
    wait_until(lambda: served.scrape().get(applied) == shop.log_length(), AGAIN_S, "all is applied")
    redis_proxy.behave(Mode.RESET)
    wait_until(lambda: served.scrape().get("daemon_errors_total", server="redis"), AGAIN_S, "it is counted")
    redis_proxy.heal()
    turns = served.scrape().get("daemon_turns_total") or 0
    wait_until(lambda: (served.scrape().get("daemon_turns_total") or 0) > turns, 20, "it goes on")

    seen = served.scrape()

    assert (seen.get("projector_batches_total") or 0) >= 1
    assert seen.get("daemon_errors_total", server="postgres") == 0
    assert time.time() - (seen.get("daemon_last_turn_timestamp_seconds") or 0) < 10
    assert served.process.stop().exit_code == 0


def test_a_reconcile_that_watches_tells_what_differs(shop: Shop) -> None:
    shop.open()
    shop.project()
    watching = shop.cli.start("reconcile", "--all", "--watch", "1s", "--metrics-listen", ANY_PORT)
    served = serving(watching)
    wait_until(lambda: served.scrape().of_shard("reconcile_differences") == 0, AGAIN_S, "nothing differs")
    shop.redis.hset(shard_keys(SALE, 0).stock, SKU, "11 0 0 0 0")

    wait_until(lambda: served.scrape().of_shard("reconcile_differences") == 1, AGAIN_S, "it differs")

    assert time.time() - (served.scrape().of_shard("reconcile_timestamp_seconds") or 0) < 30
    assert served.process.stop().exit_code == 0


def test_what_a_reconcile_found_that_ended_is_told_by_the_exporter(shop: Shop) -> None:
    shop.open()
    shop.project()
    shop.finished("reconcile", "--all")
    shop.redis.hset(shard_keys(SALE, 0).stock, SKU, "11 0 0 0 0")
    shop.cli.run("reconcile", "--all")

    seen = exporter(shop.cli).scrape()

    assert seen.of_shard("reconcile_differences") == 1
    assert time.time() - (seen.of_shard("reconcile_timestamp_seconds") or 0) < 60


def test_a_reconcile_that_ends_serves_no_metrics(shop: Shop) -> None:
    told = shop.refused(2, "reconcile", "--all", "--metrics-listen", ANY_PORT)
    assert "--watch" in told.stderr


def test_a_sweeper_counts_the_holds_that_it_ends(shop: Shop) -> None:
    shop.open(hold_ms=1_000)
    shop.execute(*orders(1, 2))
    served = serving(shop.cli.start("sweeper", "run", "--metrics-listen", ANY_PORT))

    wait_until(lambda: served.scrape().get("sweeper_expired_holds_total") == 2, AGAIN_S, "they end")

    served.process.send(signal.SIGINT)
    assert served.process.wait().exit_code == 130
