"""What the tests of the development servers share: servers, other processes and users, questions to ask."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from flashsale.servers import DevServers, Urls

ROOT = Path(__file__).parents[2]
SITE_PACKAGES = Path(psycopg.__file__).parents[1]
IS_ROOT = os.geteuid() == 0
DEBIAN_REDIS = Path("/usr/bin/redis-server")
DEBIAN_POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[4]))
NORMAL_USER = "daemon"
OTHER_USER = "bin"
SCRIPT_WAIT_S_MAX = 60

needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")
needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")

#: makes DevServers: (name of the data directory, options)
Make = Callable[..., DevServers]


@contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that every user may pass through; pytest's own is closed to the user whom root's servers run as."""
    path = Path(tempfile.mkdtemp(prefix="flashsale-servers-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def servers_below(directory: Path) -> Iterator[Make]:
    """Servers without fsync, which are destroyed at the end."""
    with ExitStack() as cleaning:

        def make(name: str = "dev", **options: object) -> DevServers:
            servers = DevServers(directory / name, **{"durable": False, **options})  # type: ignore[arg-type]  # any option
            cleaning.callback(servers.destroy)
            return servers

        yield make


#: what other processes begin with
PRELUDE = """
import json, sys
from pathlib import Path
from flashsale.servers import *

servers = DevServers(Path(sys.argv[1]), durable=False)
pids = lambda: [server.pid for server in servers.status()]
"""
#: The interpreter of the tests may be where other users cannot run it.
PYTHON_FOR_ALL = "/usr/bin/python3"
ENVIRONMENT = {"PATH": os.defpath, "PYTHONPATH": f"{ROOT}:{SITE_PACKAGES}", "PYTHONDONTWRITEBYTECODE": "1"}


def script(data_dir: Path, code: str, *, user: str | int | None = None) -> subprocess.Popen[str]:
    """Another process, perhaps another user's, which controls the servers of `data_dir`."""
    return subprocess.Popen(
        [PYTHON_FOR_ALL if user else sys.executable, "-c", PRELUDE + code, data_dir],
        env=ENVIRONMENT,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        user=user,
        group=user and (user if isinstance(user, int) else pwd.getpwnam(user).pw_gid),
        extra_groups=[] if user else None,
    )


def output(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=SCRIPT_WAIT_S_MAX)[0].strip()


def pids(servers: DevServers) -> list[int]:
    found = [server.pid for server in servers.status()]
    assert None not in found
    return [pid for pid in found if pid]


def write(urls: Urls) -> None:
    with redis.Redis.from_url(urls.redis_url) as client, psycopg.connect(urls.postgres_url) as connection:
        client.rpush("kept", "1")
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS x")


def rows(urls: Urls) -> tuple[int, int]:
    with redis.Redis.from_url(urls.redis_url) as client, psycopg.connect(urls.postgres_url) as connection:
        found = connection.execute("SELECT count(*) FROM kept").fetchone()
        assert found is not None
        return int(client.llen("kept")), found[0]


def running_in(directory: Path) -> list[int]:
    """The processes that work in `directory`: a Redis, or a postmaster with its children."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").samefile(directory):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def bystander() -> subprocess.Popen[bytes]:
    """An innocent process of the servers' user."""
    uid = pwd.getpwnam("nobody").pw_uid if IS_ROOT else None
    return subprocess.Popen(["/bin/sleep", "100"], user=uid, cwd="/")
