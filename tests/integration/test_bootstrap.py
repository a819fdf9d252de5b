"""What the composition root hands on of the settings."""

from __future__ import annotations

import time

import pytest

from flashsale.bootstrap import Parts
from flashsale.client.wire import REPLY_TIMEOUT_MS
from flashsale.config import load
from flashsale.errors import Unreachable
from tests.fixtures.proxy import Mode, Proxy

TIMEOUT_MS = 200


def test_a_daemon_waits_for_a_reply_as_long_as_the_settings_say(redis_proxy: Proxy) -> None:
    environ = {
        "FLASHSALE_REDIS_URL": redis_proxy.url,
        "FLASHSALE_POSTGRES_URL": "postgresql:///nowhere",
        "FLASHSALE_REPLY_TIMEOUT_MS": str(TIMEOUT_MS),
    }
    with Parts(load({}, environ).settings).daemon_client("sweeper-1") as client:
        client.snapshot("sale-1")
        redis_proxy.behave(Mode.BLACK_HOLE)
        began_s = time.monotonic()
        with pytest.raises(Unreachable):
            client.snapshot("sale-1")
        waited_s = time.monotonic() - began_s

    assert TIMEOUT_MS <= waited_s * 1_000 < REPLY_TIMEOUT_MS
