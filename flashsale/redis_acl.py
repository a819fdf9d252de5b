"""The ACL files that Redis reads, made from the one that people read."""

from __future__ import annotations

#: What Redis 7.0 does not know, and says so by not starting.
_SINCE_7_2 = "+client|setinfo"


def acl_file(source: str, *, for_redis_7_0: bool = False) -> str:
    """One line a user, without comments. Indented lines of `source` go on with the user before them."""
    users: list[list[str]] = []
    for line in source.splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if not line[0].isspace():
            users.append([])
        users[-1] += [word for word in words if not (for_redis_7_0 and word == _SINCE_7_2)]
    return "".join(f"{' '.join(user)}\n" for user in users)
