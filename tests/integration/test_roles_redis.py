"""What each user of Redis must be refused; and that a script it may not finish, it does not begin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from redis.exceptions import AuthenticationError, NoPermissionError

from flashsale.client import Client
from flashsale.commands import Reserve
from flashsale.errors import NotReplicated
from flashsale.ids import Position
from flashsale.keys import dead_letters_key, shard_keys
from flashsale.projections.halting import SaleHalter
from flashsale.scripts import script
from flashsale.stream import ShardId
from flashsale.units import server_files
from tests.fixtures.redis_client import redis_client
from tests.fixtures.roles import REWRITER, ROLES, Guarded
from tests.helpers import wait_until
from tests.lua.kit import Shard
from tests.lua.scenes import GOOD, WRITERS, prepare

KEYS = shard_keys("sale", 0)
DEAD = dead_letters_key("sale", 0)
#: Nobody's business, whoever asks: other data, the whole server, code and time.
FOR_NOBODY = (
    *("FLUSHALL", "FLUSHDB", "SHUTDOWN NOSAVE", "MONITOR", "SAVE", "BGREWRITEAOF", "KEYS *", "SCAN 0"),
    *("CONFIG SET appendfsync no", "CONFIG REWRITE", "CONFIG RESETSTAT", "REPLICAOF NO ONE", "MODULE LIST"),
    *(
        "ACL SETUSER me on",
        "ACL LIST",
        "ACL LOAD",
        "ACL GENPASS",
        "CLIENT KILL TYPE normal",
        "CLIENT PAUSE 1",
    ),
    *("FUNCTION FLUSH", "SCRIPT FLUSH", "SCRIPT KILL", "SWAPDB 0 1", "SELECT 1", "RESTORE fs:{x:0}:sale 0 x"),
    *("SUBSCRIBE news", "PUBLISH news 1", "MULTI", "WATCH fs:{sale:0}:sale"),
    *("GET other", "SET other 1", "DEL other", "HSET other a 1", "XADD other * a 1", "XRANGE other - +"),
    *("HMGET other a", "XLEN other", "EVALSHA 0000000000000000000000000000000000000000 1 other"),
    *("EVAL return(1) 0", f"EVAL return(1) 1 {KEYS.sale}", f"DEL {KEYS.sale}", f"EXPIRE {KEYS.orders} 1"),
    *(f"XDEL {KEYS.events} 1-1", f"XSETID {KEYS.events} 9-9", f"XGROUP DESTROY {KEYS.events} projector"),
    *(f"XGROUP SETID {KEYS.events} projector $", f"SORT {KEYS.holds}", f"DUMP {KEYS.sale}"),
)
_ADD = f"XADD {KEYS.events} * e x"
_CUT = f"XTRIM {KEYS.events} MAXLEN 0"
_TAKE = f"HSET {KEYS.stock} A x"
_STATE = f"HSET {KEYS.sale} state open"
_READ_GROUP = f"XREADGROUP GROUP projector me COUNT 1 STREAMS {KEYS.events} >"
_GONE = f"UNLINK {KEYS.orders}"
_ORDERS = f"HGETALL {KEYS.orders}"
_EVENTS = f"XRANGE {KEYS.events} - + COUNT 1"
_SETTING = "CONFIG GET requirepass"
#: Of what another role may do.
FOR_OTHERS = {
    "gateway": (_CUT, _READ_GROUP, _GONE, _ORDERS, _EVENTS, _SETTING, "INFO", f"XADD {DEAD} * e x"),
    "sweeper": (_CUT, _READ_GROUP, _GONE, _ORDERS, _EVENTS, f"XADD {DEAD} * e x"),
    "projector": (
        _ADD,
        _CUT,
        _TAKE,
        _GONE,
        _ORDERS,
        f"ZREM {KEYS.holds} a",
        f"HDEL {KEYS.sale} lost",
    ),
    "operator": ("SLOWLOG RESET", "CLIENT LIST", "LATENCY RESET"),
    "auditor": (_ADD, _CUT, _TAKE, _STATE, _READ_GROUP, _GONE, _SETTING, f"XACK {KEYS.events} projector 1-1"),
    "archiver": (
        _ADD,
        _TAKE,
        _READ_GROUP,
        _SETTING,
        f"XACK {KEYS.events} projector 1-1",
        f"ZREM {KEYS.holds} a",
    ),
    "metrics": (
        _ADD,
        _CUT,
        _TAKE,
        _STATE,
        _READ_GROUP,
        _GONE,
        _ORDERS,
        _EVENTS,
        _SETTING,
        f"HGETALL {KEYS.stock}",
    ),
}
REFUSED = [(role, words) for role in ROLES for words in (*FOR_NOBODY, *FOR_OTHERS[role])]


#: The scripts that each may carry out, of those that write events; all others are refused.
_COMMITS = {
    "admit",
    "room",
    "cancel",
    "close",
    "confirm",
    "open",
    "pause",
    "reconfigure",
    "refund",
    "reserve",
    "restock",
    "resume",
}
CARRIED_OUT: dict[str, set[str]] = {
    "gateway": _COMMITS,
    "sweeper": (_COMMITS - {"admit", "room"}) | {"expire"},
    "operator": set(WRITERS),
    "projector": set(),
    "auditor": set(),
    "archiver": set(),
    "metrics": set(),
}
#: By Valkey; by Redis 7.0; when EVALSHA itself is refused, or one of its keys.
SAID_BY_SCRIPTS = (
    r"^ACL failure in script|user executing the script can't|has no permissions|permissions to access a key"
)


@pytest.fixture
def shard(guarded: Guarded) -> Iterator[Shard]:
    """A shard of an empty server, as the administrator has it."""
    with Shard(guarded.redis_url("admin")) as shard:
        shard.redis.flushall()
        yield shard


@pytest.mark.parametrize(("role", "words"), REFUSED, ids=lambda value: value)
def test_is_refused(guarded: Guarded, role: str, words: str) -> None:
    with guarded.redis(role) as client, pytest.raises(NoPermissionError):
        client.execute_command(*words.split())


def test_the_rewriter_has_the_log_written_anew_and_can_do_nothing_else(guarded: Guarded) -> None:
    with guarded.redis() as admin, guarded.redis(REWRITER) as rewriter:
        assert rewriter.execute_command("BGREWRITEAOF")
        wait_until(
            lambda: admin.info("persistence")["aof_last_rewrite_time_sec"] >= 0, 10, "it is written anew"
        )
        for words in (*FOR_NOBODY, *FOR_OTHERS["metrics"], "INFO"):
            if words != "BGREWRITEAOF":
                with pytest.raises(NoPermissionError):
                    rewriter.execute_command(*words.split())


@pytest.mark.parametrize("words", ["DEBUG SLEEP 0", "MODULE LOAD /x.so", "CONFIG SET dir /tmp"])
def test_the_configuration_refuses_even_an_administrator(guarded: Guarded, words: str) -> None:
    with guarded.redis() as admin, pytest.raises(redis.ResponseError, match=r"not allowed|protected"):
        admin.execute_command(*words.split())


@pytest.mark.parametrize("role", ROLES)
def test_nobody_gets_in_without_the_password(guarded: Guarded, role: str) -> None:
    url = f"unix://{guarded.server.socket}"
    for wrong in (
        url,
        f"{url}?username={role}&password=wrong",
        f"{url}?password=",
        f"{url}?username=default",
    ):
        with redis_client(wrong) as client, pytest.raises(AuthenticationError):
            client.ping()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", WRITERS)
def test_a_script_is_carried_out_whole_or_not_begun(
    guarded: Guarded, shard: Shard, role: str, name: str
) -> None:
    """Redis rolls nothing back: had the right to write been refused half way, stock would be gone without an event."""
    prepare(shard, name)
    before = shard.dump()
    shard.redis.script_load(script(name).source)  # also for who may not
    keys = shard.keys_of(name)
    call = ("EVALSHA", script(name).sha, len(keys), *keys, "0-0", "test", *GOOD[name])

    with guarded.redis(role) as client:
        if name in CARRIED_OUT[role]:
            client.execute_command(*call)
            assert shard.dump() != before
            shard.check()
            return
        with pytest.raises(redis.ResponseError, match=SAID_BY_SCRIPTS):
            client.execute_command(*call)
    assert shard.dump() == before


def test_a_restart_keeps_what_was_acknowledged(guarded: Guarded, shard: Shard) -> None:
    """Redis loads its log as the user `default`: what a script did and that one may not do, it drops, and goes on."""
    prepare(shard, "reserve")
    before = shard.dump()
    assert before

    guarded.server.stop()
    guarded.server.restart()

    with Shard(guarded.redis_url("admin")) as restarted:
        assert restarted.dump() == before
    for wrong in (
        f"unix://{guarded.server.socket}",
        f"unix://{guarded.server.socket}?username=default&password=",
    ):
        with redis_client(wrong) as nobody, pytest.raises(AuthenticationError):
            nobody.ping()


def test_a_projector_can_halt_a_sale_and_change_nothing_else(guarded: Guarded, shard: Shard) -> None:
    prepare(shard, "reserve")
    before = shard.dump()

    with Client(guarded.redis_url("projector"), by="test") as client:
        SaleHalter(client)(ShardId("sale", 0), Position(1, 1))

    assert shard.redis.hget(shard.keys.sale, "lost") == b"2-1"
    shard.redis.hdel(shard.keys.sale, "lost")
    assert shard.dump() == before


@pytest.mark.parametrize("role", ["gateway", "operator"])
def test_who_sells_may_wait_for_replicas(guarded: Guarded, shard: Shard, role: str) -> None:
    prepare(shard, "reserve")
    request = Reserve("0-order-00000001", "ann", "A")
    told_nothing = pytest.raises(NotReplicated, match="0 of 1 replicas")
    with Client(guarded.redis_url(role), replicas=1, timeout_ms=1_000) as client, told_nothing:
        client.execute("sale", [request])
    with guarded.redis(role) as raw, pytest.raises(NoPermissionError):
        raw.execute_command("SPUBLISH", "news", "1")


def test_the_file_for_redis_7_0_lacks_one_word_only() -> None:
    files = server_files()
    assert files["users.acl"].replace(" +client|setinfo", "") == files["users-7.0.acl"]
    users = [line.split()[1] for line in files["users.acl"].splitlines()]
    assert sorted(users) == sorted(["default", REWRITER, *ROLES])
