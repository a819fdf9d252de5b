"""Read the settings: each from a flag, the environment, a credential, a file or its default, in that order.

Environment variables are `FLASHSALE_` and the setting's name in capitals. A value too secret for the environment may
stand in a file that `FLASHSALE_…_FILE` names, or in the file of its name in `$CREDENTIALS_DIRECTORY`, where systemd
puts what a unit's `LoadCredential=` names. The settings file is TOML with the same names.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import msgspec

from flashsale import redis_url
from flashsale.errors import BadInput
from flashsale.files import Unreadable, read_file
from flashsale.masking import masked_url
from flashsale.settings import ENV_PREFIX, KEYS, SECRET, TABLE, Settings

SYSTEM_FILE = Path("/etc/flashsale/flashsale.toml")
#: A settings file, or one with a secret, is a few lines.
FILE_BYTES_MAX = 1024 * 1024

_DIGITS = re.compile(r"[0-9]{1,12}")
_TYPE_REMEDIES: dict[Any, str] = {int: "use a whole number", str: "use text", str | None: "use text"}


class Value(msgspec.Struct, frozen=True):
    """A setting and where it came from: `flag`, `environment NAME`, `credential NAME`, `file PATH` or `default`."""

    value: Any
    origin: str


class Config(msgspec.Struct, frozen=True):
    """The settings in force, and the origin of each."""

    settings: Settings
    origins: dict[str, str]
    #: setting → the file that holds it, of those with a password in them
    secret_files: dict[str, Path]

    def shown(self) -> dict[str, Value]:
        """Every setting for people; passwords in URLs are masked."""
        values = msgspec.structs.asdict(self.settings)
        return {name: Value(_shown(name, value), self.origins[name]) for name, value in values.items()}


def load(
    flags: Mapping[str, Any], environ: Mapping[str, str], file: Path | None = None, home: Path | None = None
) -> Config:
    """Read the settings. `flags` holds those given on the command line, None for those not given.

    Raises `BadInput` for an unknown name, a value of the wrong type, or a password in a flag.
    """
    found: dict[str, Value] = {}
    path = _settings_file(environ, file, home)
    if path is not None:
        found |= {name: Value(value, f"file {path}") for name, value in _read_file(path).items()}
    found |= _read_credentials(environ)
    found |= _read_environment(environ)
    found |= {name: Value(value, "flag") for name, value in flags.items() if value is not None}
    for name in SECRET:
        if name in found and found[name].origin == "flag":
            _refuse_password(name, str(found[name].value))
    values = {name: _convert(name, item) for name, item in found.items()}
    origins = {name: found[name].origin if name in found else "default" for name in TABLE}
    files = {
        name: file
        for name in (*SECRET, *KEYS)
        if name in found and _shown(name, values[name]) != values[name]
        if (file := _file_of(name, origins[name], environ, path))
    }
    return Config(Settings(**values), origins, files)


def _file_of(name: str, origin: str, environ: Mapping[str, str], settings_file: Path | None) -> Path | None:
    variable = f"{TABLE[name].variable}_FILE"
    if origin == f"environment {variable}":
        return Path(environ[variable])
    return settings_file if origin.startswith("file ") else None


def _shown(name: str, value: Any) -> Any:
    """A setting as it may be shown."""
    if name in KEYS and value:
        return "***"
    return mask(value) if name in SECRET and type(value) is str else value


def mask(url: str) -> str:
    """The URL without its password; of one that nobody can read, nothing."""
    try:
        urlsplit(url)
    except ValueError:
        return "***"
    return masked_url(url)


def _settings_file(environ: Mapping[str, str], file: Path | None, home: Path | None) -> Path | None:
    named = file or (Path(environ[f"{ENV_PREFIX}CONFIG"]) if environ.get(f"{ENV_PREFIX}CONFIG") else None)
    if named is not None:
        if not _is_file(named):
            raise BadInput("config", str(named), "name a TOML file that exists")
        return named
    folder = (
        Path(environ["XDG_CONFIG_HOME"])
        if environ.get("XDG_CONFIG_HOME")
        else (home or Path.home()) / ".config"
    )
    own = folder / "flashsale" / "flashsale.toml"
    return next((path for path in (own, SYSTEM_FILE) if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - that of pathlib raises for a name that is too long


def _read_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(read_file(path, FILE_BYTES_MAX).decode())
    except (
        Unreadable,
        ValueError,
        RecursionError,
    ) as error:  # ValueError: no UTF-8, no TOML, a number of 5,000 digits
        raise BadInput("config", str(path), f"it cannot be read as TOML: {error}") from error
    for name in values:
        _check_name(name, f"in {path}")
    return values


def _read_environment(environ: Mapping[str, str]) -> dict[str, Value]:
    found = {}
    for name, setting in TABLE.items():
        variable = setting.variable
        if file := environ.get(f"{variable}_FILE"):
            found[name] = Value(_read_secret(f"{variable}_FILE", Path(file)), f"environment {variable}_FILE")
        if text := environ.get(variable):
            found[name] = Value(text, f"environment {variable}")
    return found


def _read_credentials(environ: Mapping[str, str]) -> dict[str, Value]:
    """What systemd hands over to this process alone."""
    if not (directory := environ.get("CREDENTIALS_DIRECTORY")):
        return {}
    files = {name: Path(directory) / name for name in TABLE}
    return {
        name: Value(_read_secret(f"credential {name}", file), f"credential {name}")
        for name, file in files.items()
        if file.is_file()
    }


def _read_secret(field: str, path: Path) -> str:
    try:
        return read_file(path, FILE_BYTES_MAX).decode().strip()
    except (Unreadable, UnicodeDecodeError) as error:
        raise BadInput(field, str(path), f"the file cannot be read: {error}") from error


def _check_name(name: str, where: str) -> None:
    if name not in TABLE:
        close = get_close_matches(name, TABLE, n=1)
        known = f"did you mean {close[0]}?" if close else f"known are {', '.join(TABLE)}"
        raise BadInput(name, where, f"there is no such setting; {known}")


def _convert(name: str, item: Value) -> Any:
    setting = TABLE[name]
    given = item.value
    # Only text from outside is converted: a TOML string is no number, and 1e3 is none anywhere.
    if (
        setting.type is int
        and type(given) is str
        and not item.origin.startswith("file")
        and _DIGITS.fullmatch(given)
    ):
        given = int(given)
    try:
        value = msgspec.convert(given, setting.type)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # the second: bytes that are no text
        choices = [choice for choice in get_args(setting.type) if type(choice) is str]
        remedy = f"use {', '.join(choices)}" if choices else _TYPE_REMEDIES[setting.type]
        raise BadInput(name, _shown(name, item.value), f"{remedy} ({item.origin})") from error
    if setting.least is not None and setting.most is not None and not setting.least <= value <= setting.most:
        raise BadInput(name, value, f"use {setting.least} to {setting.most} ({item.origin})")
    if name in SECRET and (
        problem := redis_url.problem(value) if name == "redis_url" else _postgres_url_problem(value)
    ):
        raise BadInput(name, mask(value), f"{problem} ({item.origin})")
    return value


def _postgres_url_problem(url: str) -> str | None:
    """Why it does not look like one; only libpq can tell more. It also takes `host=… dbname=…`."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is no number
        looks_right = parts.scheme in ("postgresql", "postgres") if "://" in url else "=" in url
    except ValueError:
        looks_right = False
    return None if looks_right else "write it like postgresql://USER@HOST:5432/DATABASE"


def _refuse_password(name: str, url: str) -> None:
    if mask(url) != url:
        raise BadInput(
            name.replace("_", "-"), mask(url),
            f"a password on the command line is seen by every user of this machine: set {ENV_PREFIX}{name.upper()}",
        )  # fmt: skip
