"""What a URL of Redis may say. Checked here, because redis-py ignores what it does not understand, or fails later.

It also obeys every option of a connection in a URL, retries of a write among them: only those here are let through.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

LOOKS = "redis://HOST:6379/0, rediss://… or unix:///PATH"

_DATABASE = re.compile(r"0|[1-9][0-9]{0,8}")
_ANYTHING = re.compile(r".+", re.DOTALL)
_OPTIONS = {
    "db": _DATABASE,
    "username": _ANYTHING,
    "password": _ANYTHING,
    "client_name": re.compile(r"[!-~]+"),
}
_TLS_OPTIONS = {
    "ssl_ca_certs": _ANYTHING,
    "ssl_ca_path": _ANYTHING,
    "ssl_certfile": _ANYTHING,
    "ssl_keyfile": _ANYTHING,
    "ssl_password": _ANYTHING,
    "ssl_cert_reqs": re.compile(r"none|optional|required"),
    "ssl_check_hostname": re.compile(r"[Tt]rue|[Ff]alse"),
}


def problem(url: str) -> str | None:
    """What is wrong with it, as a remedy for whoever wrote it; None when only the server can tell more."""
    try:
        parts = urlsplit(url)
        port = parts.port  # raises for a port that is no number, or no port
    except ValueError:
        return f"write it like {LOOKS}"
    if parts.scheme not in ("redis", "rediss", "unix"):
        return f"write it like {LOOKS}"
    if parts.fragment:
        return "write # as %23"
    place = _socket_problem(parts) if parts.scheme == "unix" else _host_problem(parts, port)
    return place or _options_problem(parts)


def _socket_problem(parts: SplitResult) -> str | None:
    if parts.hostname or parts.port or not Path(unquote(parts.path)).is_absolute():
        return "write the whole path of the socket, after three slashes: unix:///PATH"
    return "its path holds a character that no path can hold" if "\0" in unquote(parts.path) else None


def _host_problem(parts: SplitResult, port: int | None) -> str | None:
    if not parts.hostname:
        return "name its host: redis://HOST:6379/0"
    try:
        unquote(parts.hostname).encode("idna")
    except UnicodeError:
        return "its host is no name that a host can have"
    if port == 0:
        return "use a port from 1 to 65535"
    if _DATABASE.fullmatch(parts.path.removeprefix("/") or "0") is None:
        return "after its host comes the number of a database, or nothing: redis://HOST:6379/0"
    return None


def _options_problem(parts: SplitResult) -> str | None:
    known = _OPTIONS | _TLS_OPTIONS if parts.scheme == "rediss" else _OPTIONS
    seen = {"db"} if parts.scheme != "unix" and parts.path.strip("/") else set()
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            return f"it has an option that is not known; known are {', '.join(known)}"
        if name in seen:
            return f"say {name} once"
        if known[name].fullmatch(value) is None:
            return (
                f"its {name} is none: use a number, 0 or more"
                if name == "db"
                else f"its {name} is not understood"
            )
        seen.add(name)
    return None
