"""Connections are open files, of which a process may have few unless it asks for more."""

from __future__ import annotations

import resource

from flashsale.errors import RefusedByState


def allow_files(files: int) -> None:
    """Let this process, and those that it starts, have so many. Raises `RefusedByState`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= files:
        return
    if hard != resource.RLIM_INFINITY and hard < files:
        raise RefusedByState(
            f"a process may have {hard:,} open files here, and {files:,} are needed: see ulimit -Hn"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
