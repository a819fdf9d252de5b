"""A Redis with the shipped configuration and users has, after a restart, all that it acknowledged."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from flashsale.client import Client
from flashsale.commands import Code, Confirm, Item, Load, Open, Reserve
from flashsale.servers import location
from flashsale.servers.account import server_account
from flashsale.servers.binaries import redis_program
from tests.fixtures.roles import Guarded, guarded_redis
from tests.fixtures.servers import private_binaries

ASKED = [Reserve(f"0-order-{number:08d}", "ada", "phone") for number in range(5)]


def test_a_restart_with_the_shipped_users_loses_nothing(pytestconfig: pytest.Config) -> None:
    """Redis loads its log as the user `default`, and leaves out the transactions of scripts that it may not do."""
    with tempfile.TemporaryDirectory(prefix="flashsale-test-") as home:
        place = location.locate(Path(home, "dev"), server_account())
        program = redis_program(place, private_binaries(pytestconfig)[0])
        servers = Guarded(Path(home, "redis.sock"), postgres_url="")
        with guarded_redis(program, Path(home), servers), Client(servers.redis_url("operator")) as operator:
            operator.control("drop", Load((Item("phone", 10, 0),), hold_ms=60_000))
            operator.control("drop", Open())
            with Client(servers.redis_url("gateway")) as shop:
                told = shop.execute("drop", ASKED)
                told += shop.execute("drop", [Confirm(ASKED[0].order_id)])
            assert {answer.code for answer in told} == {Code.RESERVED, Code.CONFIRMED}
            before = operator.snapshot("drop", everything=True)

        with guarded_redis(program, Path(home), servers), Client(servers.redis_url("operator")) as operator:
            after = operator.snapshot("drop", everything=True)
            assert (after.state, after.holds) == (before.state, before.holds)
            with Client(servers.redis_url("gateway")) as shop:
                again = shop.execute("drop", ASKED)
            assert {(answer.code, answer.repeated) for answer in again} == {(Code.RESERVED, True)}
