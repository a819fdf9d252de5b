"""The Postgres of a data directory."""

from __future__ import annotations

import signal
from pathlib import Path
from urllib.parse import quote

from flashsale.errors import RefusedByState, Unreachable
from flashsale.servers import binaries, directories, process, wire
from flashsale.servers.binaries import Program
from flashsale.servers.location import POSTGRES_SOCKET, Place
from flashsale.servers.server import PROBE_WAIT_S_MAX, Answer

USER = "flashsale"
DATABASE = "flashsale"

_INITDB_WAIT_S_MAX = 120
_CREATE_WAIT_S_MAX = 30
_PID_LENGTH_MAX = 24

_CANNOT_CONNECT_NOW = "57P03"
_TOO_MANY_CONNECTIONS = "53300"
_UNKNOWN_DATABASE = "3D000"


class Postgres:
    """A cluster with one database, without passwords, on a socket only its user can reach."""

    name = "postgres"
    title = "Postgres"
    # Fast shutdown; immediate shutdown, which loses nothing either and is made good by the next start; the end.
    stop_signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)

    def __init__(self, place: Place, bin_dir: Path | None, *, durable: bool) -> None:
        self._place = place
        self._bin_dir = bin_dir
        self._durable = durable
        self.data_dir = place.root / "postgres"
        self.socket = place.run_dir / POSTGRES_SOCKET
        self.process = process.Process(
            place.root / "postgres.pid", place.root / "postgres.log", place.account
        )

    @property
    def url(self) -> str:
        """For libpq. It names the port, because the caller's PGPORT must not."""
        port = POSTGRES_SOCKET.rpartition(".")[2]
        return f"postgresql:///{DATABASE}?host={quote(str(self._place.run_dir))}&port={port}&user={USER}"

    def launch(self, claim: int) -> None:
        """Start the server, on a new cluster if there is none; it becomes ready later."""
        program = binaries.postgres_program(self._place, self._bin_dir)
        if self.data_dir.exists():
            self._check_version(program)
            self._remove_stale_files()
        else:
            self._make_cluster(claim, program)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._place.run_dir),
            "unix_socket_permissions": "0700",
            "fsync": "on" if self._durable else "off",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process.launch(claim, program.version, [program.path, "-D", self.data_dir, *options])

    def ask(self) -> Answer:
        """Connect to the database and run an empty statement. A database that is missing is made."""
        try:
            wire.execute(self.socket, USER, DATABASE, "", PROBE_WAIT_S_MAX)
        except (FileNotFoundError, ConnectionRefusedError):
            return Answer.NOBODY
        except (TimeoutError, BlockingIOError, ConnectionError):
            return Answer.NOT_YET
        except wire.ServerError as exc:
            if exc.code == _CANNOT_CONNECT_NOW:
                return Answer.NOT_YET
            if exc.code == _UNKNOWN_DATABASE:
                self._create_database()
            elif exc.code != _TOO_MANY_CONNECTIONS:
                raise
        return Answer.READY

    def _create_database(self) -> None:
        wire.execute(self.socket, USER, "postgres", f"CREATE DATABASE {DATABASE}", _CREATE_WAIT_S_MAX)

    def _make_cluster(self, claim: int, program: Program) -> None:
        """Run initdb. The cluster gets its name at the end: one that was cut short is never taken for a whole one."""
        new = self.data_dir.with_name("postgres.new")
        directories.remove(new)
        directories.make_private(new, self._place.account)
        command: list[Path | str] = [
            *(program.path.with_name("initdb"), "-D", new, "--username", USER, "--auth=trust"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"),
        ]
        with self.process.opened_log() as log:
            # initdb holds the claim, too: when we are killed, the next one waits until it has finished.
            done = self._place.account.run(
                command, stdout=log, stderr=log, pass_fds=[claim], limit_s=_INITDB_WAIT_S_MAX
            )
        if done.returncode != 0:
            raise Unreachable(f"Postgres cannot make its data directory. {self.process.log_tail()}")
        new.rename(self.data_dir)

    def _check_version(self, program: Program) -> None:
        made_by = (self.data_dir / "PG_VERSION").read_text(encoding="ascii").strip()
        major = program.version.partition(".")[0]
        if made_by != major:
            raise RefusedByState(
                f"The data in {self.data_dir} was made by Postgres {made_by}, and this is {program.version}, which"
                " cannot read it. `flashsale dev destroy` removes it, and all that is stored there; to keep it, go on"
                f" with Postgres {made_by}."
            )

    def _remove_stale_files(self) -> None:
        # They outlive a kill. Postgres looks whether the pid in them is alive, and would refuse for the sake of any
        # process that has it by now. We hold the claim: the server that wrote them is gone, with all its children.
        for file in (self.data_dir / "postmaster.pid", self.socket.with_name(f"{POSTGRES_SOCKET}.lock")):
            try:
                with file.open(encoding="utf-8", errors="replace") as lines:
                    pid = abs(int(lines.readline(_PID_LENGTH_MAX)))
            except FileNotFoundError:
                continue
            except ValueError:
                pid = 0
            # Unless somebody has started one by hand, which Postgres's own check is for.
            if not (pid and process.works_in(pid, self.data_dir)):
                file.unlink()
