"""Whom the servers run as, and how a program is started as that user.

Postgres refuses to run as root. So root's servers run as `nobody`, a user that is there already; anybody else's run as
themselves. Nothing is created in /etc/passwd.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from flashsale.errors import BadInput, Unreachable

#: All that a server sees of the environment. The caller's may name other servers, libraries, time zones, or secrets.
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": "UTC"}

#: Root's servers run as this user.
UNPRIVILEGED_USER = "nobody"

_QUICK_COMMAND_S_MAX = 20
_NOWHERE = "/"
_REMEDY = "run this as another user, or set FLASHSALE_REDIS_URL and FLASHSALE_POSTGRES_URL to servers that run already"


class Account(NamedTuple):
    """The user and group of the servers."""

    uid: int
    gid: int
    #: this process is root, and has to become that user
    switches: bool

    def run(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        stdout: int = subprocess.DEVNULL,
        stderr: int = subprocess.DEVNULL,
        pass_fds: Sequence[int] = (),
        limit_s: float = _QUICK_COMMAND_S_MAX,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program to its end as this user: in a session of its own, where no Ctrl-C of a terminal arrives."""
        try:
            return subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=pass_fds,
                timeout=limit_s,
                env=ENVIRONMENT,
                cwd=_NOWHERE,
                umask=0o077,
                start_new_session=True,
                user=self.uid if self.switches else None,
                group=self.gid if self.switches else None,
                extra_groups=[] if self.switches else None,
            )
        except OSError as exc:
            # Python names the working directory when it is the change of user that failed.
            if self.switches and exc.filename == _NOWHERE:
                raise Unreachable(
                    f"Postgres does not run as root, and here root cannot become {UNPRIVILEGED_USER!r}"
                    f" ({exc.strerror}). The remedy: {_REMEDY}."
                ) from exc
            raise

    def can_enter(self, directory: Path) -> bool:
        """Whether this user gets into `directory`. Tried, not computed: modes are not the only thing that forbids."""
        return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", directory]).returncode == 0


def server_account() -> Account:
    """The account for servers that this process starts. Raises `BadInput` when Postgres cannot run as it."""
    uid = os.geteuid()
    if uid == 0:
        try:
            entry = pwd.getpwnam(UNPRIVILEGED_USER)
        except KeyError as exc:
            raise BadInput(
                "user",
                "root",
                f"Postgres does not run as root and there is no user {UNPRIVILEGED_USER!r}; {_REMEDY}",
            ) from exc
        return Account(entry.pw_uid, entry.pw_gid, switches=True)
    try:
        pwd.getpwuid(uid)
    except KeyError as exc:
        raise BadInput(
            "user id", uid, f"Postgres needs a user that has an entry in /etc/passwd; {_REMEDY}"
        ) from exc
    return Account(uid, os.getegid(), switches=False)
