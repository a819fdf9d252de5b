"""A sale's whole life with the shipped roles: each command as the least privileged user, and Redis refuses nothing.

`make test-roles` runs the other tests of this directory in the same way; this one is part of every run.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flashsale.client import AsyncClient, Client, Fences
from flashsale.client.aio_reads import AsyncReads
from flashsale.commands import Code, Confirm, Reserve, RoomState
from flashsale.keys import dead_letters_key, shard_keys
from flashsale.projections.database import connect
from flashsale.stream import DEAD_LETTERS_KEPT
from tests.acceptance.metrics_kit import exporter
from tests.fixtures.cast import password, role_of
from tests.fixtures.processes import Cli
from tests.fixtures.roles import Guarded
from tests.helpers import free_port, wait_until

DEFINITION = """
sale = "drop"
title = "Drop"
currency = "EUR"
hold = "1s"

[[items]]
sku = "phone"
title = "Phone"
quantity = 10
unit_price_minor = 100
limit = 5
"""
KEYS = shard_keys("drop", 0)
#: Of no role: service → what it needs beside its URLs.
SECRETS = {
    "flashsale-gateway.service": {"gateway_keys": "flashsale.gateway_keys"},
    "flashsale-operator.service": {"gateway_keys": "flashsale.gateway_keys"},
}
NUMBERS = (
    *("PING", "INFO", "SLOWLOG LEN", "LATENCY LATEST", f"XLEN {KEYS.events}", f"XINFO STREAM {KEYS.events}"),
    *(
        f"XINFO GROUPS {KEYS.events}",
        f"XINFO CONSUMERS {KEYS.events} projector",
        f"XPENDING {KEYS.events} projector",
    ),
    *(f"XLEN {dead_letters_key('drop', 0)}", f"HMGET {KEYS.sale} epoch seq lost"),
)


@pytest.fixture
def roles(guarded: Guarded, cli: Cli) -> Cli:
    """The command, which takes the role of what it does."""
    cli.env |= {
        "FLASHSALE_REDIS_URL": guarded.redis_url("admin"),
        "FLASHSALE_POSTGRES_URL": guarded.role_postgres_url("operator"),
    }
    cli.in_roles = True
    (cli.home / "drop.toml").write_text(DEFINITION, encoding="utf-8")
    return cli


@pytest.mark.timeout(400)  # some forty commands
def test_a_sale_lives_and_ends_and_nothing_that_is_needed_is_refused(guarded: Guarded, roles: Cli) -> None:
    define = ("sale define drop.toml", "sale warm-due --within 15m", "sale warm drop", "sale open drop")
    for command in ("doctor", *define):
        roles.ok(*command.split())
    projector = roles.start("projector", "run", "--name", "p1")
    sell(guarded, roles)
    roles.start("sweeper", "run")
    with Client(guarded.redis_url("operator")) as client:
        wait_until(lambda: not client.snapshot("drop", everything=True).state.units.get(("eve", "phone")), 20)
    for command in (
        *(
            "sale pause drop",
            "sale resume drop",
            "sale restock drop phone +2",
            "sale reconfigure drop --limit phone=3",
        ),
        *("reconcile --all", "sale list", "sale show drop", "sale watch drop --count 1", "projector status"),
        *("events tail drop", "events show drop 1", "events export drop", "order show drop 0-aaaaaaaa"),
        *("dead-letter list", "replay status", "db status", "replay run drop", "replay rollback drop"),
        *("replay run drop --verify", "replay run drop", "replay finish drop", "replay run drop --in-place"),
        *(
            "room set drop --rate 5 --active 5",
            "room message drop hello",
            "room show drop",
            "room audit drop",
        ),
        *("trim drop --keep 2", "sale close drop", "reconcile drop", "sale archive drop", "reconcile --all"),
    ):
        roles.ok(*command.split())
    assert projector.stop().exit_code == 0
    assert guarded.refused() == []


def sell(guarded: Guarded, roles: Cli) -> None:
    """Orders of all kinds, by the command and by a shop's client; Eve does not pay."""
    roles.ok("order", "reserve", "drop", "phone", "--buyer", "eve")
    with Client(guarded.redis_url("gateway")) as shop:
        for order in ("0-aaaaaaaa", "0-bbbbbbbb", "0-cccccccc"):
            assert shop.reserve("drop", order, "ada", "phone").code is Code.RESERVED
        assert shop.confirm("drop", "0-aaaaaaaa").code is Code.CONFIRMED
        assert shop.cancel("drop", "0-bbbbbbbb").code is Code.CANCELLED
        assert shop.confirm("drop", "0-cccccccc").code is Code.CONFIRMED
    roles.ok("order", "refund", "drop", "0-cccccccc")


async def test_a_shop_of_many_callers_is_refused_nothing(guarded: Guarded, roles: Cli) -> None:
    text = DEFINITION.replace('"drop"', '"crowd"')
    (roles.home / "crowd.toml").write_text(text, encoding="utf-8")
    for command in ("sale define crowd.toml", "sale warm crowd", "sale open crowd"):
        roles.ok(*command.split())
    async with AsyncClient(guarded.redis_url("gateway")) as shop:
        assert (await shop.reserve("crowd", "0-aaaaaaaa", "ada", "phone")).code is Code.RESERVED
        assert (await shop.cancel("crowd", "0-aaaaaaaa")).code is Code.CANCELLED
        roles.ok("room", "set", "crowd", "--rate", "5", "--active", "5")
        assert (await shop.join("crowd", "ada")).code is Code.WAITING
        assert (await shop.admit("crowd", 1_000)).code is Code.CALLED
        assert (await shop.stand("crowd", "ada")).code is Code.WAITING
        assert (await shop.join("crowd", "ada")).code is Code.ADMITTED
        assert (await shop.reserve("crowd", "0-bbbbbbbb", "ada", "phone")).code is Code.RESERVED
        assert (await shop.leave("crowd", "ada")).code is Code.LEFT
    reads = AsyncReads(guarded.redis_url("gateway"), Fences())
    (room,) = await reads.rooms(["crowd"])
    await reads.close()
    assert isinstance(room, RoomState)
    assert guarded.refused() == []


@pytest.mark.timeout(400)
def test_what_went_wrong_is_mended_and_nothing_that_is_needed_is_refused(
    guarded: Guarded, roles: Cli
) -> None:
    text = DEFINITION.replace('"drop"', '"bad"').replace('"1s"', '"1h"')
    (roles.home / "bad.toml").write_text(text, encoding="utf-8")
    keys = shard_keys("bad", 0)
    for command in ("sale define bad.toml", "sale warm bad", "sale open bad"):
        roles.ok(*command.split())
    with (
        connect(guarded.role_postgres_url("operator")) as owner,
        Client(guarded.redis_url("gateway")) as shop,
    ):
        owner.execute("ALTER TABLE orders ADD CONSTRAINT not_bob CHECK (buyer <> 'bob')")
        shop.execute("bad", [Reserve("0-aaaaaaaa", "bob", "phone"), Reserve("0-bbbbbbbb", "ada", "phone")])
        shop.execute("bad", [Confirm("0-aaaaaaaa")])
        projector = roles.start("projector", "run", "--name", "p1")
        with guarded.redis() as admin:
            wait_until(
                lambda: admin.xlen(dead_letters_key("bad", 0)) == 2, 20, "both dead letters are copied"
            )
            owner.execute("ALTER TABLE orders DROP CONSTRAINT not_bob")
            roles.ok("dead-letter", "show", "bad", "4")
            roles.ok("dead-letter", "retry", "bad", "--all")

            admin.hset(keys.stock, "phone", "9 9 9 9 5")  # drift, then a plan, then its repair
            assert roles.run("reconcile", "bad", "--plan", "plan.json").exit_code == 6
            roles.ok("reconcile", "--apply", "plan.json", "--yes")
            roles.ok("reconcile", "bad")
            projector.stop()

            admin.delete(*keys)  # Redis lost it all
        assert roles.run("recover", "bad").exit_code == 7
        roles.ok("recover", "bad", "--yes")
        roles.start("projector", "run", "--name", "p1")
        roles.ok("reconcile", "bad")
    assert guarded.refused() == []


def test_metrics_reads_its_numbers(guarded: Guarded, roles: Cli) -> None:
    with guarded.redis() as admin, guarded.redis("metrics") as metrics:
        for key in (KEYS.events, dead_letters_key("drop", 0)):
            admin.xadd(key, {"e": "x"}, maxlen=DEAD_LETTERS_KEPT)
        admin.xgroup_create(KEYS.events, "projector")
        for words in NUMBERS:
            metrics.execute_command(*words.split())
        admin.delete(KEYS.events, dead_letters_key("drop", 0))
    assert guarded.refused() == []


@pytest.mark.parametrize(
    "unit",
    sorted((Path(__file__).parents[2] / "ops/systemd").glob("*.service")),
    ids=lambda path: str(path.name),
)
def test_each_service_gets_the_credentials_of_the_role_in_which_it_works(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    (command,) = re.findall(r"^ExecStart=/opt/flashsale/bin/flashsale (.+)$", text, re.MULTILINE)
    credentials = dict(re.findall(r"^LoadCredential=(\w+):(\S+)$", text, re.MULTILINE))
    assert credentials == {
        name: f"flashsale.{role_of(tuple(command.split()))}.{name}" for name in ("redis_url", "postgres_url")
    } | SECRETS.get(unit.name, {})


def test_the_exporter_sees_a_sale_in_its_role(guarded: Guarded, roles: Cli) -> None:
    (roles.home / "seen.toml").write_text(DEFINITION.replace('"drop"', '"seen"'), encoding="utf-8")
    for words in ("sale define seen.toml", "sale warm seen", "sale open seen"):
        roles.ok(*words.split())
    roles.start("projector", "run", "--name", "p2")
    served = exporter(roles)

    def is_told() -> bool:
        return served.scrape().of_shard("stock_units", "seen", state="available") == 10

    wait_until(is_told, 20, "the exporter tells the stock")
    seen = served.scrape()
    assert (seen.get("up", server="redis"), seen.get("up", server="postgres")) == (1, 1)
    assert seen.get("look_success") == 1
    assert [line for line in guarded.refused() if line.startswith("auditor")] == []


@pytest.mark.parametrize(
    ("role", "command", "why"),
    [
        ("projector", "trim --all --keep 0", "xlen"),
        ("auditor", "sale pause no-auditor", "hset|can't run this command"),
        ("metrics", "sale pause no-metrics", "evalsha|script"),
    ],
)
def test_a_command_in_the_wrong_role_ends_with_5_and_says_what_was_refused(
    guarded: Guarded, roles: Cli, role: str, command: str, why: str
) -> None:
    sale = f"no-{role}"
    (roles.home / "no.toml").write_text(DEFINITION.replace('"drop"', f'"{sale}"'), encoding="utf-8")
    for words in ("sale define no.toml", f"sale warm {sale}", f"sale open {sale}"):
        roles.ok(*words.split())
    roles.env["FLASHSALE_REDIS_URL"] = guarded.redis_url(role)

    done = roles.run(*command.split())

    assert done.exit_code == 5, done.stderr
    assert "Redis refuses to work: " in done.stderr
    assert re.search(why, done.stderr)
    assert "unexpected" not in done.stderr
    with guarded.redis() as admin:
        admin.acl_log_reset()


@pytest.mark.parametrize(
    ("allowed", "why"),
    [
        ("nothing", "this Postgres user may not create the database that bench works in"),
        ("Postgres", "this Redis user may not use all keys of bench"),
    ],
)
@pytest.mark.parametrize("command", ["bench replay --quick", "loadtest"])
def test_what_makes_a_database_for_itself_is_for_administrators(
    guarded: Guarded, roles: Cli, command: str, allowed: str, why: str
) -> None:
    """And leaves nothing behind for the want of a right."""
    roles.in_roles = False
    roles.env["FLASHSALE_REDIS_URL"] = guarded.redis_url("operator")
    if allowed == "Postgres":
        roles.env["FLASHSALE_POSTGRES_URL"] = guarded.postgres_url
    with guarded.redis() as admin:
        before = sorted(admin.scan_iter())
        done = roles.run(*command.split())
        assert sorted(admin.scan_iter()) == before
        admin.acl_log_reset()

    assert done.exit_code == 4, done.stderr
    assert why in done.stderr
    assert "or let bench start private servers" in done.stderr
    with connect(guarded.postgres_url) as administrator:
        made = administrator.execute("SELECT datname FROM pg_database WHERE datname LIKE 'flashsale_bench_%'")
        assert made.fetchall() == []


def test_doctor_over_a_network_is_refused_nothing(guarded: Guarded, roles: Cli) -> None:
    """There it also asks what its own account may do."""
    with guarded.redis() as admin:
        port = free_port()
        admin.config_set("port", port)
        roles.in_roles = False
        roles.env["FLASHSALE_REDIS_URL"] = f"redis://operator:{password('operator')}@127.0.0.1:{port}"
        try:
            done = roles.ok("doctor")
        finally:
            admin.config_set("port", 0)
    assert "a user who may not ask for its rights" in done.stdout
    assert guarded.refused() == []


def test_doctor_without_the_right_to_read_settings_warns(guarded: Guarded, roles: Cli) -> None:
    roles.env["FLASHSALE_REDIS_URL"] = guarded.redis_url("auditor")
    done = roles.ok("doctor")
    assert "appendfsync is hidden" in done.stdout
    with guarded.redis() as admin:
        admin.acl_log_reset()


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("order reserve drop phone", "gateway"),
        ("order show drop 0-aaaaaaaa", "auditor"),
        ("reconcile --all", "auditor"),
        ("reconcile --apply plan.json --yes", "operator"),
        ("events export drop", "auditor"),
        ("sale archive drop", "archiver"),
        ("loadtest --url http://127.0.0.1:1 --sale drop", "auditor"),
        ("sale warm drop", "operator"),
    ],
)
def test_the_cast(command: str, role: str) -> None:
    assert role_of(tuple(command.split())) == role
