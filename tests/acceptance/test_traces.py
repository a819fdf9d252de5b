"""A trace id that comes with a request is found wherever its event is."""

from __future__ import annotations

import json

from tests.acceptance.conftest import SALE, SKU, Shop

TRACE, OTHER = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
ORDER, ALSO = "0-aaaaaaaa", "0-bbbbbbbb"


def test_a_trace_id_is_followed_from_the_request_to_the_tables(shop: Shop) -> None:
    shop.open()
    bought = ("order", "reserve", SALE, SKU, "--buyer", "ada", "--order", ORDER, "--trace-id", TRACE)
    shop.finished(*bought)
    shop.finished("order", "confirm", SALE, ORDER, "--trace-id", OTHER)
    shop.finished("order", "reserve", SALE, SKU, "--buyer", "bob", "--order", ALSO)
    shop.finished("order", "cancel", SALE, ALSO)

    told = shop.finished("events", "tail", SALE).stdout.splitlines()
    assert [line.rpartition("trace_id=")[2] for line in told[3:5]] == [TRACE, OTHER]
    assert "trace" not in "".join(told[:3] + told[5:])
    assert ["trace_id", TRACE] in [
        line.split() for line in shop.finished("events", "show", SALE, "4").stdout.splitlines()
    ]
    exported = shop.finished("events", "export", SALE).json_lines()
    assert [line.get("trace_id") for line in exported] == [None] * 3 + [TRACE, OTHER, None, None]

    shop.project()

    assert shop.connection.execute(
        "SELECT convert_from(body, 'UTF8')::jsonb -> -1 ->> 'trace' FROM event_log ORDER BY seq"
    ).fetchall() == [(None,)] * 3 + [(TRACE,), (OTHER,), (None,), (None,)]
    timeline = shop.finished("order", "show", SALE, ORDER)
    assert [line.split()[-1] for line in timeline.stdout.splitlines()[-2:]] == [TRACE, OTHER]
    assert "trace" not in shop.finished("order", "show", SALE, ALSO).stdout
    events = shop.finished("order", "show", SALE, ORDER, "--json").json()["events"]
    assert [event["trace_id"] for event in events] == [TRACE, OTHER]
    (shop.cli.home / "log.ndjson").write_text("".join(f"{json.dumps(line)}\n" for line in exported))
    shop.finished("verify", "log.ndjson")


def test_a_projector_logs_what_became_of_a_traced_event(shop: Shop) -> None:
    shop.connection.execute("ALTER TABLE orders ADD CONSTRAINT not_bob CHECK (buyer <> 'bob')")
    shop.open()
    shop.finished("order", "reserve", SALE, SKU, "--buyer", "ada", "--order", ORDER, "--trace-id", TRACE)
    shop.finished("order", "reserve", SALE, SKU, "--buyer", "bob", "--order", ALSO, "--trace-id", OTHER)
    shop.finished("order", "cancel", SALE, ALSO)

    running = shop.cli.start("projector", "run", "--log-level", "debug")
    running.wait_for_output("events_parked")
    lines = [json.loads(line) for line in running.stop().stderr.splitlines()]

    applied = [line for line in lines if line["action"] == "event_applied"]
    assert [(line["position"], line["trace_id"], line["level"]) for line in applied] == [
        ("1-4", TRACE, "debug")
    ]
    parked = [line for line in lines if line["action"] == "event_parked"]
    assert [
        (line["position"], line["trace_id"], line["order_id"], line["error_class"]) for line in parked
    ] == [
        ("1-5", OTHER, ALSO, "CheckViolation"),
        ("1-6", None, ALSO, "follower"),
    ]
    letter = shop.finished("dead-letter", "show", SALE, "5", "--json").json()
    assert letter["event"]["trace_id"] == OTHER


def test_a_bad_trace_id_is_refused_before_anything_is_asked(shop: Shop) -> None:
    shop.open()
    done = shop.refused(2, "order", "cancel", SALE, ORDER, "--trace-id", f"00-{TRACE}-00f067aa0ba902b7-01")

    assert "trace id: " in done.stderr
    assert "as in a traceparent" in done.stderr
