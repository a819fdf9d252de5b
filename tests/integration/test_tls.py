"""TLS to Redis and Postgres: a whole sale over it, and everything that may be wrong with a certificate."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest

from flashsale import tls_files
from flashsale.client import AsyncClient, Client
from flashsale.commands import Code
from flashsale.doctor import examine
from flashsale.errors import BadInput, Unreachable
from flashsale.projections.database import connect
from flashsale.stream import Log
from tests.fixtures.processes import Cli
from tests.fixtures.proxy import Proxy
from tests.fixtures.read_side import SKU, open_read_side
from tests.fixtures.tls import HOST, PASSWORD, TlsServers, needs_tls
from tests.helpers import free_port, wait_until
from tests.integration.client_kit import order
from tests.integration.doctor_kit import finding
from tests.integration.silence_kit import Life, Silence, connected_to

SALE = "sale-1"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServers]:
    needs_tls()
    with TlsServers.running(tmp_path_factory.mktemp("tls")) as servers:
        yield servers


@pytest.fixture
def servers(running: TlsServers) -> Iterator[TlsServers]:
    """Both with a good certificate, and so again afterwards."""
    yield running
    running.show("good")


def reach_sync(url: str) -> None:
    with Client(url, timeout_ms=1_000) as client:
        client.snapshot(SALE)


def reach_async(url: str) -> None:
    async def reserve() -> None:
        async with AsyncClient(url, timeout_ms=1_000) as client:
            await client.reserve("no-sale", order(1), "ann", SKU)

    asyncio.run(reserve())


def reach_log(url: str) -> None:
    with Log(url, timeout_ms=1_000) as log:
        log.server()


def reach_postgres(url: str) -> None:
    connect(url).close()


REACHES = (reach_sync, reach_async, reach_log)


@contextmanager
def unreachable(*words: str) -> Iterator[None]:
    """In one sentence, with these words, and without the password; nothing was done."""
    with pytest.raises(Unreachable) as caught:
        yield
    assert type(caught.value) is Unreachable
    told = str(caught.value)
    assert [word for word in words if word not in told] == [], told
    assert PASSWORD not in told
    assert "\n" not in told


# ---------------------------------------------------------------------------------------------------------- it works


def test_a_sale_over_tls(servers: TlsServers) -> None:
    with open_read_side(servers.redis_url, servers.postgres_url) as side:
        shard = side.open_sale(SALE, quantity=100)
        before = side.redis.info("stats")["total_connections_received"]

        async def sell() -> list[Code]:
            async with AsyncClient(servers.redis_url) as client:
                found = [await client.reserve(SALE, order(i), f"b{i}", SKU) for i in range(20)]
                many = (client.reserve(SALE, order(i), f"b{i}", SKU) for i in range(20, 120))
                return [answer.code for answer in found + await asyncio.gather(*many)]

        codes = asyncio.run(sell())
        with Client(servers.redis_url) as client:
            codes += [client.confirm(SALE, order(i)).code for i in range(20)]
        side.drain(side.projector())

        assert [codes.count(code) for code in (Code.RESERVED, Code.SOLD_OUT, Code.CONFIRMED)] == [100, 20, 20]
        side.assert_projected(shard)
        # A session ticket that comes after the greeting must not look like the end of the connection.
        after = side.redis.info("stats")["total_connections_received"]
        assert after - before <= 6


def test_the_doctor_sees_it_and_urls_come_from_credentials(
    servers: TlsServers, cli: Cli, tmp_path: Path
) -> None:
    for name, url in (("redis_url", servers.redis_url), ("postgres_url", servers.postgres_url)):
        (tmp_path / name).write_text(f"{url}\n", encoding="utf-8")
    cli.env["CREDENTIALS_DIRECTORY"] = str(tmp_path)

    checks = {check["name"]: check for check in cli.run("doctor", "--json").json()["checks"]}

    assert checks["encryption"] == {"name": "encryption", "verdict": "ok", "found": "TLS", "remedy": ""}
    assert checks["Postgres encryption"]["found"] == "TLS"
    assert checks["access"]["verdict"] == "ok"
    assert "unreachable" not in {check["verdict"] for check in checks.values()}


def test_the_doctor_warns_of_a_certificate_that_nobody_looks_at(servers: TlsServers) -> None:
    servers.show("stranger")
    by_address = servers.postgres_url.replace(HOST, "0.0.0.0").partition("?")[0]  # noqa: S104 - no loopback name
    redis_url = servers.redis_url + "&ssl_cert_reqs=none"

    report = examine(lambda: Log(redis_url), lambda: connect(f"{by_address}?sslmode=require"))

    for name in ("encryption", "Postgres encryption"):
        assert (finding(report, name).verdict, finding(report, name).found) == (
            "warn",
            "TLS, its certificate not checked",
        )
    assert not Log(servers.redis_url + "&ssl_check_hostname=false").route.is_verified


# ------------------------------------------------------------------------------------------------------ it is refused


@pytest.mark.parametrize(
    ("shown", "of_redis", "of_postgres"),
    [
        ("expired", "the certificate of localhost has expired: renew it", "it has expired, or another authority"),
        ("stranger", "is of no authority that is trusted here", "than that in sslrootcert has signed it"),
        ("elsewhere", "the certificate is not for localhost: use a name", "use a name that its certificate is for"),
    ],
)  # fmt: skip
def test_a_certificate_that_is_not_accepted(
    servers: TlsServers, shown: str, of_redis: str, of_postgres: str
) -> None:
    servers.show(shown)

    for reach in REACHES:
        with unreachable("Redis cannot be reached: ", of_redis):
            reach(servers.redis_url)
    with unreachable("Postgres cannot be reached: ", of_postgres):
        wait_until(lambda: reach_postgres(servers.postgres_url), 10)  # it reads its files anew a moment later


def test_commands_end_with_5_and_a_daemon_waits_for_the_new_certificate(
    servers: TlsServers, cli: Cli
) -> None:
    cli.env |= {"FLASHSALE_REDIS_URL": servers.redis_url, "FLASHSALE_POSTGRES_URL": servers.postgres_url}
    cli.env["FLASHSALE_UNSAFE_SERVERS"] = "accept"
    servers.show("expired")

    done = cli.run("events", "tail", SALE)
    sweeper = cli.start("sweeper", "run")
    sweeper.wait_for_output("has expired: renew it")
    servers.show("good")

    assert done.exit_code == 5
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    with open_read_side(servers.redis_url, servers.postgres_url) as side:
        shard = side.open_sale("renewed", hold_ms=1)
        side.sell(shard, 1)
        wait_until(lambda: side.client.snapshot("renewed").state.stock[SKU].held == 0, 20, "it sweeps")


@pytest.mark.parametrize("reach", REACHES)
def test_a_port_without_tls(servers: TlsServers, reach: Callable[[str], None]) -> None:
    plain = free_port()
    servers.set_redis("port", plain)
    try:
        with unreachable("if its port does not speak TLS, name the one that does"):
            reach(servers.redis_url.replace(str(servers.redis_port), str(plain)))
    finally:
        servers.set_redis("port", 0)


@pytest.mark.parametrize("reach", REACHES)
def test_a_port_with_tls_that_is_called_without(servers: TlsServers, reach: Callable[[str], None]) -> None:
    with unreachable("if its port speaks TLS, write rediss://"):
        reach(f"redis://{HOST}:{servers.redis_port}")


@pytest.mark.parametrize("reach", REACHES)
def test_a_server_that_wants_a_certificate_of_the_client(
    servers: TlsServers, reach: Callable[[str], None]
) -> None:
    files = servers.certificates
    servers.set_redis("tls-auth-clients", "yes")
    try:
        with unreachable("certificate of this client"):
            reach(servers.redis_url)
        with unreachable("certificate of this client"):
            reach(
                f"{servers.redis_url}&ssl_certfile={files.pem('stranger')}&ssl_keyfile={files.key('stranger')}"
            )
        reach(
            f"{servers.redis_url}&ssl_certfile={files.pem('elsewhere')}&ssl_keyfile={files.key('elsewhere')}"
        )
    finally:
        servers.set_redis("tls-auth-clients", "no")


@pytest.mark.parametrize("silence", get_args(Silence))
@pytest.mark.parametrize("live", [Life.sync, Life.asyncio, Life.reads])
def test_nothing_stays_open_to_a_server_that_falls_silent(
    servers: TlsServers, nothing_collected: None, live: Callable[[Life], bool], silence: Silence
) -> None:
    with Proxy(servers.redis_url) as network:
        url = network.url.replace("127.0.0.1", HOST)
        is_answered = live(Life(network, url, silence))

        assert is_answered == (silence == "end")
        assert connected_to(url) == []


def test_a_postgres_that_is_called_without_tls_or_does_not_speak_it(servers: TlsServers) -> None:
    bare = servers.postgres_url.partition("?")[0]
    with unreachable("no pg_hba.conf entry", "if it wants TLS, add sslmode=verify-full"):
        reach_postgres(f"{bare}?sslmode=disable")
    with unreachable('"/nowhere" does not exist; name the authority\'s certificate with sslrootcert'):
        reach_postgres(f"{bare}?sslmode=verify-full&sslrootcert=/nowhere")
    servers.set_postgres("ssl", "off")
    try:
        with unreachable("server does not support SSL", "have it speak TLS (ssl = on)"):
            wait_until(lambda: reach_postgres(servers.postgres_url), 10)
    finally:
        servers.set_postgres("ssl", "on")


# ---------------------------------------------------------------------------------------------------------- the files


@pytest.fixture(scope="module")
def files(running: TlsServers) -> Path:
    """The certificates, a key with a password, and a file that is no certificate."""
    directory = running.certificates.directory
    command = (
        f"openssl pkey -in {directory}/good.key -aes256 -passout pass:{PASSWORD} -out {directory}/locked.key"
    )
    subprocess.run(command.split(), check=True)
    (directory / "garbage").write_text("no certificate\n", encoding="utf-8")
    return directory


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ("ssl_ca_certs=/nowhere/ca.pem", "ssl_ca_certs of redis_url: '/nowhere/ca.pem' is not accepted; it cannot be"),
        ("ssl_ca_certs={}/garbage", "name a PEM file with the certificate of the authority"),
        ("ssl_ca_certs={}", "Is a directory; name a file that this user can read"),
        ("ssl_ca_certs=%00", "name a file that this user can read"),
        ("ssl_keyfile={}/good.key", "name its certificate with ssl_certfile"),
        ("ssl_certfile={}/good.pem", "its own key with ssl_keyfile"),
        ("ssl_certfile={0}/good.pem&ssl_keyfile={0}/stranger.key", "its own key with ssl_keyfile"),
        ("ssl_certfile={0}/good.pem&ssl_keyfile={0}/locked.key", "the password of the key, if it has one"),
        ("ssl_certfile={0}/good.pem&ssl_keyfile={0}/locked.key&ssl_password=wrong", "the password of the key"),
        ("sslrootcert=/nowhere/ca.pem", "sslrootcert of postgres_url: '/nowhere/ca.pem' is not accepted"),
        ("sslrootcert={}/garbage", "name a PEM file with the certificate of the authority"),
        ("sslcert={0}/good.pem&sslkey={0}/stranger.key", "its own key with sslkey"),
    ],
)  # fmt: skip
def test_files_that_are_refused(files: Path, options: str, refusal: str) -> None:
    with pytest.raises(BadInput) as caught:
        tls_files.check(*setting(options.format(files)))
    assert refusal in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        "ssl_ca_certs={0}/ca.pem&ssl_certfile={0}/good.pem&ssl_keyfile={0}/good.key",
        f"ssl_certfile={{0}}/good.pem&ssl_keyfile={{0}}/locked.key&ssl_password={PASSWORD}",
        "sslmode=verify-full&sslrootcert={0}/ca.pem&sslcert={0}/good.pem&sslkey={0}/good.key",
        "sslmode=verify-full&sslrootcert=system&sslcert={0}/good.pem",
    ],
)
def test_files_that_are_accepted(files: Path, options: str) -> None:
    tls_files.check(*setting(options.format(files)))


def setting(options: str) -> tuple[str, str]:
    """The name of the setting, and a URL with these options."""
    return (
        ("redis_url", f"rediss://h/0?{options}")
        if "ssl_" in options
        else ("postgres_url", f"postgresql://h/?{options}")
    )


def test_a_file_that_is_missing_ends_a_command_with_2(cli: Cli) -> None:
    cli.env["FLASHSALE_REDIS_URL"] = "rediss://:hidden@h/0?ssl_ca_certs=/nowhere/ca.pem"
    done = cli.run("sweeper", "run")
    assert done.exit_code == 2
    assert "'/nowhere/ca.pem' is not accepted; it cannot be read: No such file" in done.stderr
    assert "hidden" not in done.stderr
