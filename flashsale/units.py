"""The systemd units that come with flashsale, and the servers' roles, and how they are written into a system."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal

import msgspec

from flashsale.errors import BadInput, RefusedByState
from flashsale.redis_acl import acl_file
from flashsale.settings import environment_file

#: Where the units, as they are shipped, expect flashsale's virtual environment.
SHIPPED_PLACE = "/opt/flashsale"
UNIT_DIRECTORY = "etc/systemd/system"
SETTINGS_FILE = "etc/flashsale/flashsale.env"
#: For the servers, Prometheus and Grafana, wherever they run: the operator takes them there.
SERVERS_DIRECTORY = "etc/flashsale"
#: Directories that `ProtectHome=` and `PrivateTmp=` take away from the units.
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - named so that they are refused

#: Files whose place is another than that of the units.
_PLACES = {
    "sysusers.conf": "etc/sysusers.d/flashsale.conf",
    "tmpfiles.conf": "etc/tmpfiles.d/flashsale.conf",
}

What = Literal["new", "changed", "same", "kept"]


class Written(msgspec.Struct, frozen=True):
    """One file, and what becomes of it: `kept` is a settings file that is the operator's own by now."""

    path: str
    what: What
    text: str


def plan(root: Path, place: Path) -> list[Written]:
    """What an installation under `root` would write, for a flashsale whose virtual environment is `place`.

    Raises `RefusedByState` when the units could not reach it there, `BadInput` when a file there cannot be read.
    """
    if any(place.is_relative_to(hidden) for hidden in HIDDEN):
        raise RefusedByState(
            f"this flashsale lives in {place}, which its units cannot see (ProtectHome, PrivateTmp); "
            f"install it where they can: `python3 -m venv {SHIPPED_PLACE}`, "
            f"then `{SHIPPED_PLACE}/bin/pip install flashsale`"
        )
    planned = [
        _compared(root / target, text.replace(SHIPPED_PLACE, str(place)))
        for target, text in sorted(_shipped().items())
    ]
    settings = _compared(root / SETTINGS_FILE, environment_file())
    if settings.what == "changed":  # never over the operator's own
        settings = msgspec.structs.replace(settings, what="kept")
    return [*planned, settings]


def write(planned: list[Written]) -> None:
    """Write what is new or changed. Raises `RefusedByState` when a place cannot be written."""
    for file in planned:
        if file.what not in ("new", "changed"):
            continue
        path = Path(file.path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text, encoding="utf-8")
        except OSError as error:
            raise RefusedByState(f"{path} cannot be written: {error.strerror}; run it as root") from error


def _shipped() -> dict[str, str]:
    """Their places under the root of a system, and their texts."""
    found = {}
    for entry in (files("flashsale") / "systemd").iterdir():
        if entry.is_dir():
            for drop_in in entry.iterdir():
                found[f"{UNIT_DIRECTORY}/{entry.name}/{drop_in.name}"] = drop_in.read_text(encoding="utf-8")
        elif entry.name != Path(SETTINGS_FILE).name:
            target = _PLACES.get(entry.name, f"{UNIT_DIRECTORY}/{entry.name}")
            found[target] = entry.read_text(encoding="utf-8")
    elsewhere = server_files() | _monitoring_files()
    return found | {f"{SERVERS_DIRECTORY}/{name}": text for name, text in elsewhere.items()}


def server_files() -> dict[str, str]:
    """What makes the servers safe to share: their names, and their texts."""
    redis, postgres = files("flashsale") / "redis", files("flashsale") / "postgres"
    users = (redis / "users.acl.in").read_text(encoding="utf-8")
    return {
        "redis.conf": (redis / "redis.conf").read_text(encoding="utf-8"),
        "users.acl": acl_file(users),
        "redis-rewrite.conf": (redis / "rewrite.conf").read_text(encoding="utf-8"),
        "users-7.0.acl": acl_file(users, for_redis_7_0=True),
        "roles.sql": (postgres / "roles.sql").read_text(encoding="utf-8"),
    }


def _monitoring_files() -> dict[str, str]:
    """What Prometheus and Grafana are given: their names, and their texts."""
    package = files("flashsale")
    return {
        "prometheus-rules.yml": (package / "prometheus" / "rules.yml").read_text(encoding="utf-8"),
        "grafana-dashboard.json": (package / "grafana" / "flashsale.json").read_text(encoding="utf-8"),
    }


def _compared(path: Path, text: str) -> Written:
    try:
        present = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Written(str(path), "new", text)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("prefix", str(path), f"it cannot be read: {error}") from error
    return Written(str(path), "same" if present == text else "changed", text)
