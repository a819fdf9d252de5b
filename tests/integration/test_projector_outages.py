"""Servers go away in the middle of everything: all is applied once when they are back, and nothing is parked."""

from __future__ import annotations

import signal

import psycopg
import pytest

from flashsale.errors import Unreachable
from flashsale.projections.database import connect
from flashsale.servers import DevServers
from tests.fixtures.meeting import Meeting
from tests.fixtures.own_servers import kill
from tests.fixtures.proxy import Mode, Proxy
from tests.fixtures.read_side import ReadSide, open_read_side, step_through
from tests.helpers import wait_until

FAIL_SOMETIMES = """
CREATE SEQUENCE failures;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('failures') <= 3 THEN RAISE 'not now' USING ERRCODE = '{state}'; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fail AFTER INSERT ON orders EXECUTE FUNCTION fail()
"""


def test_redis_is_killed_and_comes_back(servers: DevServers) -> None:
    urls = servers.up()
    with open_read_side(*urls) as side:
        shard = side.open_sale("redis-killed")
        projector = side.projector()
        side.sell(shard, 10)
        side.drain(projector)
        side.sell(shard, 10)
        kill(servers, "redis", signal.SIGKILL)
        for _ in range(3):
            with pytest.raises(Unreachable, match="Redis cannot be reached"):
                projector.step()
        assert side.checkpoint(shard).seq == 13

        servers.up()
        side.sell(shard, 10)
        side.drain(projector, patient=True)
        side.assert_projected(shard)
        assert side.checkpoint(shard).seq == 33


def test_postgres_is_stopped_at_once_in_the_middle_of_a_transaction(servers: DevServers) -> None:
    urls = servers.up()
    with open_read_side(*urls) as side:
        shard = side.open_sale("postgres-killed")
        projector = side.projector()
        side.drain(projector, shards=[shard])
        side.sell(shard, 10)
        meeting = Meeting(urls.postgres_url)
        with pytest.raises(psycopg.OperationalError), meeting, meeting.stepping(projector) as step:
            kill(servers, "postgres", signal.SIGQUIT)
        assert isinstance(step.exception(), Unreachable)
        for _ in range(3):
            with pytest.raises(Unreachable, match="Postgres cannot be reached"):
                projector.step()

        servers.up()
        side.postgres = connect(urls.postgres_url)
        assert side.checkpoint(shard).seq == 3
        side.drain(projector, shards=[shard], patient=True)
        side.assert_projected(shard)
        assert projector.totals.parked == 0
        side.postgres.close()


@pytest.mark.parametrize("function", ["pg_terminate_backend", "pg_cancel_backend"])
def test_a_transaction_is_ended_by_an_operator(read_side: ReadSide, function: str) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector()
    read_side.drain(projector)
    read_side.sell(shard, 10)
    with Meeting(read_side.postgres_url) as meeting, meeting.stepping(projector) as step:
        read_side.rows(
            f"SELECT {function}(pid) FROM pg_stat_activity WHERE application_name = 'flashsale projector p1' "
            "AND datname = current_database()"
        )
        wait_until(step.done)
    assert isinstance(step.exception(), Unreachable)
    assert read_side.checkpoint(shard).seq == 3

    read_side.drain(projector)
    read_side.assert_projected(shard)


@pytest.mark.parametrize("state", ["40001", "40P01", "53100", "53200", "53300", "55P03", "57014"])
def test_failures_that_pass_are_tried_again_and_held_against_nobody(read_side: ReadSide, state: str) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 10)
    read_side.postgres.execute(FAIL_SOMETIMES.format(state=state).encode())
    projectors = [read_side.projector(name) for name in ("p1", "p2", "p3")]
    for projector in projectors:
        with pytest.raises(Unreachable, match="not now"):
            projector.step()
    # Each of them took the entries over from the one before; none of them died.
    assert {pending.deliveries for pending in read_side.log.pending(shard)} == {1}

    read_side.drain(projectors[0])
    read_side.assert_projected(shard)


def test_a_fault_of_the_database_ends_the_projector_and_parks_nothing(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 10)
    read_side.postgres.execute("ALTER TABLE orders RENAME TO mislaid")
    for _ in range(8):  # a service manager would start it again and again
        projector = read_side.projector()
        with pytest.raises(psycopg.errors.UndefinedTable):
            projector.step()
        projector.close()
    assert {pending.deliveries for pending in read_side.log.pending(shard)} == {1}

    read_side.postgres.execute("ALTER TABLE mislaid RENAME TO orders")
    read_side.drain(read_side.projector())
    read_side.assert_projected(shard)


def test_a_table_that_is_locked_for_long_is_waited_out(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 10)
    projector = read_side.projector()
    with connect(read_side.postgres_url) as operator, operator.transaction():
        operator.execute("ALTER TABLE stock ADD COLUMN remark text")
        with pytest.raises(Unreachable, match="lock timeout"):
            projector.step()
    assert read_side.rows("SELECT * FROM event_log") == []

    read_side.drain(projector)
    read_side.assert_projected(shard)


@pytest.mark.parametrize("words", [b"BEGIN", b"COMMIT", b"FOR UPDATE SKIP LOCKED"])
def test_a_reply_of_postgres_is_lost(
    read_side: ReadSide, postgres_proxy: Proxy, redis_url: str, words: bytes
) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 10)
    read_side.postgres_url, direct = postgres_proxy.url, read_side.postgres_url
    projector = read_side.projector()
    read_side.postgres_url = direct
    postgres_proxy.behave(Mode.CUT_REPLY, when=words, times=1)
    with pytest.raises(Unreachable):
        projector.step()

    assert postgres_proxy.counts.replies_cut == 1
    read_side.drain(projector)
    read_side.assert_projected(shard)


@pytest.mark.parametrize("mode", [Mode.CUT_REPLY, Mode.RESET])
@pytest.mark.parametrize("command", [b"XREADGROUP", b"XACK", b"XINFO", b"XPENDING", b"XGROUP"])
def test_a_connection_to_redis_breaks_at_any_command(
    read_side: ReadSide, redis_proxy: Proxy, command: bytes, mode: Mode
) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 10)
    read_side.redis_url = redis_proxy.url
    projector = read_side.projector()
    redis_proxy.behave(mode, when=command, times=1)
    wait_until(
        lambda: step_through(projector) == 0 and redis_proxy.counts.replies_cut + redis_proxy.counts.resets
    )

    read_side.drain(projector)
    read_side.assert_projected(shard)
    wait_until(lambda: projector.step() == 0 and read_side.pending(shard) == 0)


def test_a_redis_that_breaks_again_and_again_is_no_crash(read_side: ReadSide, redis_proxy: Proxy) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 10)
    read_side.redis_url = redis_proxy.url
    projector, successor = read_side.projector("p1"), read_side.projector("p2")
    redis_proxy.behave(Mode.CUT_REPLY, when=b"XREADGROUP", times=1)
    wait_until(lambda: step_through(projector) == 0 and redis_proxy.counts.replies_cut)
    redis_proxy.behave(Mode.CUT_REPLY, when=b"GROUPS", times=8)  # after it took the entries over from itself
    wait_until(lambda: step_through(projector) == 0 and redis_proxy.counts.replies_cut == 9)
    projector.close()

    read_side.drain(successor)
    read_side.assert_projected(shard)


def test_a_session_is_pinned_to_durable_commits_and_bounded_waits(read_side: ReadSide) -> None:
    shown = {
        name: read_side.value(f"SHOW {name}")
        for name in ("synchronous_commit", "statement_timeout", "lock_timeout")
    }
    assert shown == {"synchronous_commit": "on", "statement_timeout": "15s", "lock_timeout": "5s"}
    assert read_side.value("SHOW idle_in_transaction_session_timeout") == "15s"
    parameters = read_side.postgres.info.get_parameters()
    assert (parameters["keepalives_idle"], parameters["tcp_user_timeout"]) == ("10", "25000")
