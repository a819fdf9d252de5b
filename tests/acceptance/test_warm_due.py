"""`flashsale sale warm-due`: what a timer warms, and what it leaves alone."""

import time

from tests.acceptance.conftest import Shop

MINUTE_MS = 60_000


def in_minutes(minutes: int) -> int:
    return time.time_ns() // 1_000_000 + minutes * MINUTE_MS


def test_what_opens_soon_is_warmed_once_and_nothing_else(shop: Shop) -> None:
    shop.define("soon", opens_ms=in_minutes(10))
    shop.define("overdue", opens_ms=in_minutes(-1))
    shop.define("tomorrow", opens_ms=in_minutes(24 * 60))
    shop.define("by-hand")
    shop.define("over", opens_ms=in_minutes(-9), closes_ms=in_minutes(-5))

    first = shop.finished("sale", "warm-due", "--json")
    second = shop.finished("sale", "warm-due", "--json")

    assert first.json() == {"warmed": ["overdue", "soon"], "failed": []}
    assert "soon is warm; it opens by itself at" in first.stderr
    assert second.json() == {"warmed": [], "failed": []}
    assert [shop.log_length(sale) for sale in ("soon", "overdue")] == [2, 2]
    assert "tomorrow" in shop.finished("sale", "warm-due", "--within", "2d").stderr


def test_one_that_fails_does_not_stop_the_others(shop: Shop) -> None:
    shop.define("broken", opens_ms=in_minutes(1))
    shop.define("whole", opens_ms=in_minutes(2))
    shop.redis.set("fs:{broken:0}:sale", "what no script wrote")

    refused = shop.cli.run("sale", "warm-due")

    assert refused.exit_code == 4
    assert "not warm: broken" in refused.stderr
    assert "whole is warm" in refused.stderr


def test_a_time_that_cannot_be_meant_is_refused(shop: Shop) -> None:
    refused = shop.cli.run("sale", "warm-due", "--within", "8d")
    assert refused.exit_code == 2
    assert "within" in refused.stderr
    assert "use at most" in refused.stderr
