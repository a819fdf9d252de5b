"""A Redis of the torture: on a disk of its own, with the library of machine.py inside."""

from __future__ import annotations

from pathlib import Path

from flashsale.servers.account import ENVIRONMENT, Account
from tests.fixtures.machine import Control, Disk
from tests.fixtures.private_redis import START_TIMEOUT_S, PrivateRedis

#: Nobody else will want a copy; a link that is cut is noticed while the fault lasts.
OPTIONS = ("--repl-diskless-sync-delay", "0", "--repl-timeout", "5")


class RedisServer(PrivateRedis):
    """A master or a replica, killed and started at will."""

    def __init__(self, name: str, home: Path, program: Path, account: Account, library: Path | None) -> None:
        self.disk = Disk(home / name, account.uid, account.gid)
        self.control = Control(home / f"{name}.control")
        inside = self.control.environment(library) if library else {}
        super().__init__(
            home,
            program,
            name=name,
            data_dir=self.disk.directory,
            options=OPTIONS,
            account=account,
            environment=ENVIRONMENT | inside,
        )

    def follow(self, master: tuple[str, int]) -> None:
        """Start it as a replica of `master`."""
        self.start("--replicaof", master[0], str(master[1]))

    def promote(self) -> None:
        """A replica becomes a master, and stays one when it is started again."""
        with self.client(START_TIMEOUT_S) as commands:
            commands.replicaof("NO", "ONE")
        self._more_options = ()

    def close(self) -> None:
        super().close()
        self.disk.close()
