"""What every command takes: the shared options, and a session with the settings and the parts they lead to."""

from __future__ import annotations

import functools
import getpass
import inspect
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, get_type_hints

import typer

from flashsale import ids
from flashsale.bootstrap import Parts
from flashsale.config import Config, load
from flashsale.errors import BadInput
from flashsale.shop import Shop

if TYPE_CHECKING:
    from flashsale.stream import ShardId

PANEL = "Options of every command"

#: A reading command's `--json`.
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
#: Of a daemon, as the next one.
Slot = Annotated[str, typer.Option(metavar="SLOT", help="Its name, which stands in the log.")]
AcceptUnsafe = Annotated[
    bool, typer.Option("--accept-unsafe-servers", help="Run on servers that lose orders, too: a rehearsal.")
]
SaleId = Annotated[str, typer.Argument(metavar="SALE", help="Id of the sale.", show_default=False)]

P = ParamSpec("P")


class Session:
    """One run of a command."""

    def __init__(self, flags: dict[str, Any], file: Path | None) -> None:
        self._flags, self._file = flags, file
        self.config: Config = load(flags, os.environ, file, _home())
        self.parts = Parts(self.config.settings)

    def with_flags(self, **flags: Any) -> Session:
        """The same, with settings that only this command takes as options."""
        return Session(self._flags | flags, self._file)

    def of_daemon(self, accept_unsafe_servers: bool, **flags: Any) -> Session:
        """The same for a daemon, which says on stderr what it does."""
        session = self.with_flags(unsafe_servers="accept" if accept_unsafe_servers else None, **flags)
        session.configure_log()
        return session

    @property
    def actor(self) -> str:
        """Who is named in the log for what this command does: `cli:USER`."""
        try:
            return ids.actor(f"cli:{getpass.getuser()}")
        except (BadInput, OSError, KeyError):  # a user without a name, or with a name that does not fit
            return "cli"

    def connected(self) -> AbstractContextManager[Shop]:
        """Connections to everything, closed at the end."""
        return self.parts.connected(self.actor)

    def configure_log(self) -> None:
        """Send logs to stderr."""
        from flashsale import log

        log.configure(self.config.settings.log_level, self.config.settings.log_format)


def open_session(
    *,
    data_dir: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Where the private development servers live.", rich_help_panel=PANEL
        ),
    ] = None,
    redis_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Redis or Valkey to use; none: a private one.", rich_help_panel=PANEL
        ),
    ] = None,
    postgres_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="PostgreSQL to use; none: a private one.", rich_help_panel=PANEL),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings file (TOML).", rich_help_panel=PANEL)
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="debug, info, warning or error.", rich_help_panel=PANEL),
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="auto, json or plain.", rich_help_panel=PANEL)
    ] = None,
    debug: Annotated[  # flashsale.cli.run looks for it, too: a wrong option must be traceable
        bool, typer.Option("--debug", help="Show where an error came from.", rich_help_panel=PANEL)
    ] = False,
) -> Session:
    """Read the settings: from these options, the environment, the file and the defaults, in that order."""
    flags = {
        "data_dir": data_dir,
        "redis_url": redis_url,
        "postgres_url": postgres_url,
        "log_level": log_level,
        "log_format": log_format,
    }
    session = Session(flags, config)
    if debug or os.environ.get("FLASHSALE_DEBUG"):
        session.configure_log()
    return session


def shard_of(sale: str) -> ShardId:
    """The shard of a sale that was typed. Raises `BadInput` for what is no id."""
    from flashsale.stream import ShardId

    return ShardId(ids.sale_id(sale), 0)


def shared(command: Callable[Concatenate[Session, P], int | None]) -> Callable[..., int | None]:
    """Give a command the shared options, and in their place a session as its first parameter.

    It returns its exit code; None is 0.
    """
    own = list(_parameters(command).values())[1:]
    options = _parameters(open_session)

    @functools.wraps(command)
    def run(**given: Any) -> int | None:
        session = open_session(**{name: given.pop(name) for name in options})
        return command(session, **given)  # type: ignore[call-arg]  # typer gives what the signature below says

    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    run.__signature__ = inspect.Signature([*parameters, *options.values()])  # type: ignore[attr-defined]  # as PEP 362 has it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *options.values()]}
    return run


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a function, their annotations as types instead of text."""
    hints = get_type_hints(function, include_extras=True)
    found = inspect.signature(function).parameters
    return {name: parameter.replace(annotation=hints[name]) for name, parameter in found.items()}


def _home() -> Path | None:
    """Where the settings file is looked for; a user may have none."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/nonexistent")
