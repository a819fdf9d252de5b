"""Development servers that are killed, suspended or robbed of their files, and several who start them at one time."""

import fcntl
import json
import os
import signal
import threading
from pathlib import Path

import psycopg
import pytest

from tests.helpers import wait_until
from tests.integration.dev_servers_kit import (
    Make,
    bystander,
    needs_proc,
    output,
    pids,
    rows,
    running_in,
    script,
    write,
)

# ------------------------------------------------------------------------------------- kills, and two at one time


@needs_proc
def test_killed_servers_come_back_with_their_data(make_servers: Make) -> None:
    servers = make_servers(durable=True)
    urls = servers.up()
    write(urls)
    for _ in range(2):
        for pid in pids(servers):
            os.kill(pid, signal.SIGKILL)
        assert servers.up() == urls
        assert rows(urls) == (1, 1)


@needs_proc
@pytest.mark.parametrize(
    "moment", ["lock", "redis.pid", "postgres.new", "postgres.new/PG_VERSION", "postgres", "postgres.pid"]
)
def test_a_killed_starter_leaves_nothing_that_the_next_one_cannot_use(
    make_servers: Make, open_dir: Path, moment: str
) -> None:
    servers = make_servers()
    starter = script(open_dir / "dev", "servers.up()")
    wait_until((open_dir / "dev" / moment).exists, description=f"{moment} appears")
    starter.kill()
    output(starter)

    urls = servers.up()
    write(urls)
    assert rows(urls) == (1, 1)
    for server, data_dir in zip(servers.status(), ("redis", "postgres"), strict=True):
        found = running_in(open_dir / "dev" / data_dir)
        assert server.pid in found
        assert [
            pid for pid in found if pid != server.pid and os.getsid(pid) == os.getsid(server.pid or 0)
        ] == []


def test_servers_outlive_ctrl_c_and_the_terminal(make_servers: Make, open_dir: Path) -> None:
    servers = make_servers()
    starter = script(open_dir / "dev", "import signal; servers.up(); print('up', flush=True); signal.pause()")
    assert starter.stdout is not None
    assert starter.stdout.readline() == "up\n"
    found = pids(servers)
    os.killpg(starter.pid, signal.SIGINT)
    assert "KeyboardInterrupt" in output(starter)
    os.kill(found[0], 0)
    write(servers.up())
    assert pids(servers) == found


def test_of_several_that_start_them_at_once_one_does(make_servers: Make, open_dir: Path) -> None:
    servers = make_servers()
    starters = [script(open_dir / "dev", "print(json.dumps([*servers.up(), *pids()]))") for _ in range(3)]
    answers = [json.loads(output(starter)) for starter in starters]
    assert answers == [[*servers.up(), *pids(servers)]] * 3


def test_starting_stopping_and_destroying_at_once_end_well(make_servers: Make, open_dir: Path) -> None:
    servers = make_servers()
    code = "for _ in range(3): servers.up(); servers.{}()"
    others = [script(open_dir / "dev", code.format(word)) for word in ("down", "destroy", "up")]
    assert [output(other) for other in others] == ["", "", ""]
    write(servers.up())


@needs_proc
def test_a_suspended_server_can_be_stopped(make_servers: Make) -> None:
    servers = make_servers()
    servers.up()
    for pid in pids(servers):
        os.kill(pid, signal.SIGSTOP)
    assert servers.down() == ["redis", "postgres"]


def test_a_database_that_was_dropped_is_made_again(make_servers: Make) -> None:
    servers = make_servers()
    urls = servers.up()
    with psycopg.connect(urls.postgres_url, dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE flashsale")
    write(servers.up())


def test_a_log_that_has_grown_large_is_put_aside(make_servers: Make) -> None:
    servers = make_servers()
    servers.up()
    servers.down()
    log_file = servers.status()[0].log_file
    log_file.write_bytes(b"x" * 5_000_000)
    servers.up()
    assert log_file.stat().st_size < 100_000
    assert log_file.with_name("redis.log.1").stat().st_size == 5_000_000


def test_a_server_whose_socket_was_removed_is_started_again(make_servers: Make) -> None:
    servers = make_servers()
    urls = servers.up()
    write(urls)
    servers.status()[0].socket.unlink()
    assert servers.up() == urls
    assert rows(urls) == (1, 1)


@needs_proc
def test_a_process_that_merely_has_the_pid_is_left_alone(make_servers: Make, open_dir: Path) -> None:
    servers = make_servers()
    servers.up()
    redis_pid, postgres_pid = pids(servers)
    other = bystander()
    try:
        # Postgres: its own files name the bystander, and it looks only whether that one is alive.
        socket = servers.status()[1].socket
        for file in (
            open_dir / "dev" / "postgres" / "postmaster.pid",
            socket.with_name(f"{socket.name}.lock"),
        ):
            text = file.read_text()
            os.kill(postgres_pid, signal.SIGKILL)
            wait_until(
                lambda: not running_in(open_dir / "dev" / "postgres"),
                description="Postgres and its children end",
            )
            file.write_text(text.replace(str(postgres_pid), str(other.pid)))
        write(servers.up())

        # Redis: our own file names it, and something holds the lock.
        os.kill(redis_pid, signal.SIGKILL)
        pid_file = open_dir / "dev" / "redis.pid"
        wait_until(lambda: not servers.status()[0].running, description="Redis ends")
        pid_file.write_text(pid_file.read_text().replace(str(redis_pid), str(other.pid)))
        descriptor = os.open(pid_file, os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert (servers.status()[0].running, servers.status()[0].pid) == (True, None)
        threading.Timer(0.3, os.close, [descriptor]).start()
        servers.down()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
