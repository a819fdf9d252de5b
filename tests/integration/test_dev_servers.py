"""The development servers in everyday use, under kill -9, and in the hands of several processes at once."""

import os
import pwd
from pathlib import Path

import psycopg
import pytest
import redis

from flashsale.errors import BadInput, RefusedByState
from flashsale.servers import default_data_dir
from tests.integration.dev_servers_kit import (
    DEBIAN_POSTGRES,
    DEBIAN_REDIS,
    IS_ROOT,
    OTHER_USER,
    Make,
    needs_proc,
    pids,
    rows,
    running_in,
    write,
)

#: the least of all systems: macOS
SOCKET_PATH_BYTES_MAX = 103


@pytest.fixture(params=["bundled", "debian"])
def programs(request: pytest.FixtureRequest) -> dict[str, Path]:
    if request.param == "bundled":
        return {}
    if not DEBIAN_REDIS.exists() or not DEBIAN_POSTGRES:
        pytest.skip("apt-get install redis-server postgresql")
    return {"redis_binary": DEBIAN_REDIS, "postgres_bin_dir": DEBIAN_POSTGRES[-1]}


# ------------------------------------------------------------------------------------------------- the usual life


@needs_proc
def test_servers_start_are_found_again_and_keep_their_data(
    make_servers: Make, programs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")  # a habit of the user's, which must not lead astray
    servers = make_servers(**programs)
    assert [server.running for server in servers.status()] == [False, False]
    assert servers.down() == []
    urls = servers.up()
    write(urls)

    first = pids(servers)
    assert servers.up() == urls == servers.urls()
    assert pids(servers) == first
    assert [(server.name, server.running) for server in servers.status()] == [
        ("redis", True),
        ("postgres", True),
    ]
    assert all(server.version and server.log_file.exists() for server in servers.status())

    assert servers.down() == ["redis", "postgres"]
    assert [(server.running, server.pid) for server in servers.status()] == [(False, None), (False, None)]
    assert servers.down() == []
    assert servers.up() == urls
    assert rows(urls) == (1, 1)

    directories = [server.data_dir for server in servers.status()]
    servers.destroy()
    assert not directories[0].parent.exists()
    assert [running_in(directory) for directory in directories] == [[], []]


@needs_proc
def test_servers_are_configured_to_lose_nothing_and_to_listen_on_sockets_only(
    make_servers: Make, programs: dict[str, Path]
) -> None:
    servers = make_servers(durable=True, **programs)
    urls = servers.up()

    wanted = {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "port": "0",
    }
    with redis.Redis.from_url(urls.redis_url, decode_responses=True) as client:
        assert {name: client.config_get(name)[name] for name in wanted} == wanted
    wanted = {"listen_addresses": "", "fsync": "on", "server_encoding": "UTF8", "TimeZone": "UTC"}
    with psycopg.connect(urls.postgres_url) as connection:
        assert {name: connection.execute(f"SHOW {name}").fetchone() for name in wanted} == {
            name: (value,) for name, value in wanted.items()
        }
        locale = connection.execute(
            "SELECT datcollate FROM pg_database WHERE datname = 'flashsale'"
        ).fetchone()
        assert locale == ("C.UTF-8",)

    inodes = {str(fd.readlink()) for pid in pids(servers) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            assert f"socket:[{line.split()[9]}]" not in inodes


@needs_proc
def test_servers_are_detached_from_whoever_starts_them(
    make_servers: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET", "not for servers")
    monkeypatch.chdir(tmp_path)
    servers = make_servers()
    servers.up()

    for server in servers.status():
        process = Path(f"/proc/{server.pid}")
        names = {word.partition(b"=")[0].decode() for word in (process / "environ").read_bytes().split(b"\0")}
        assert names <= {"", "LC_ALL", "PATH", "TZ", "PWD", "OLDPWD", "SHLVL", "_"}
        assert (process / "cwd").resolve() == server.data_dir
        assert [str((process / "fd" / fd).readlink()) for fd in "012"] == [
            "/dev/null",
            *[str(server.log_file)] * 2,
        ]
        assert not [fd for fd in (process / "fd").iterdir() if fd.readlink().name == "lock"]
        assert server.pid
        assert os.getsid(server.pid) != os.getsid(0)


@pytest.mark.parametrize(
    "name",
    ["with space, comma and 100 % ?&#=+ü", "/".join(["x" * 98] * 3), "日本 語/" + "ü" * 70],
    ids=["comma", "300 characters", "not ASCII"],
)
def test_any_data_directory_will_do(make_servers: Make, name: str) -> None:
    servers = make_servers(name)
    urls = servers.up()
    write(urls)
    assert rows(urls) == (1, 1)

    for server in servers.status():
        assert len(os.fsencode(server.socket)) <= SOCKET_PATH_BYTES_MAX
        assert server.socket.parent.stat().st_mode & 0o777 == 0o700
    run_dir = servers.status()[0].socket.parent
    servers.destroy()
    assert not run_dir.exists()


def test_another_s_runtime_directory_is_not_trusted(make_servers: Make) -> None:
    servers = make_servers("x" * 200)
    run_dir = servers.status()[0].socket.parent
    run_dir.mkdir()
    run_dir.chmod(0o755)
    try:
        with pytest.raises(RefusedByState, match=str(run_dir)):
            servers.up()
        if IS_ROOT:
            run_dir.chmod(0o700)
            os.chown(run_dir, pwd.getpwnam(OTHER_USER).pw_uid, 0)
            with pytest.raises(RefusedByState, match="somebody else"):
                servers.up()
    finally:
        run_dir.rmdir()


def test_a_directory_with_other_files_is_neither_used_nor_emptied(make_servers: Make, open_dir: Path) -> None:
    (open_dir / "redis").mkdir()
    with pytest.raises(BadInput, match="it holds other files"):
        make_servers(".").up()
    assert [path.name for path in open_dir.iterdir()] == ["redis"]

    servers = make_servers()
    servers.up()
    note = open_dir / "dev" / "note"
    note.touch()
    servers.destroy()
    assert list((open_dir / "dev").iterdir()) == [note]


def test_the_data_directory_follows_the_xdg_specification() -> None:
    assert default_data_dir({"XDG_DATA_HOME": "/data", "HOME": "/h"}) == Path("/data/flashsale/dev")
    assert default_data_dir({"XDG_DATA_HOME": "data", "HOME": "/h"}) == Path("/h/.local/share/flashsale/dev")
    assert default_data_dir({}) == Path(pwd.getpwuid(os.getuid()).pw_dir, ".local/share/flashsale/dev")
