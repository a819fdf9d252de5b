"""The table of settings: each with its default, what it is for, and what it may be.

`config` reads them from a flag, the environment, a credential, a file or the default. The environment file that an
operator edits is written from here.
"""

from __future__ import annotations

import textwrap
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

ENV_PREFIX = "FLASHSALE_"
#: Settings that may hold a password: masked where they are shown, refused on the command line.
SECRET = ("redis_url", "postgres_url")
#: Settings that are secret as a whole: never shown.
KEYS = ("gateway_keys",)

#: Replicas that can be waited for; more is a mistake.
REPLICAS_MAX = 16

_WIDTH = 100
_HEAD = """\
# Settings of every flashsale process on this machine, read by its systemd units.
# A line without # is in force after: systemctl restart flashsale.target
# What holds a password stands better in /etc/credstore/, see the units; it is left out here then.
"""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be configured. `None` URLs mean the private development servers, if any."""

    redis_url: Annotated[
        str | None,
        Meta(
            description="URL of Redis or Valkey: redis://, rediss:// (TLS) or unix://; "
            "none: a private development server",
            examples=["redis://projector:PASSWORD@127.0.0.1:6379/0"],
        ),
    ] = None
    postgres_url: Annotated[
        str | None,
        Meta(
            description="postgresql:// URL, or conninfo, of PostgreSQL; none: a private development server",
            examples=["postgresql://flashsale_projector:PASSWORD@127.0.0.1:5432/flashsale"],
        ),
    ] = None
    data_dir: Annotated[
        str | None,
        Meta(
            description="where the private development servers keep their data; none: ~/.local/share/flashsale/dev",
            examples=["/var/lib/flashsale/dev"],
        ),
    ] = None
    private_servers: Annotated[
        Literal["start", "refuse"],
        Meta(
            description="without a URL: start a private development server, or refuse to work, which the systemd "
            "units do: start or refuse"
        ),
    ] = "start"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="least level that is logged: debug, info, warning or error"),
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "plain"],
        Meta(
            description="how logs are written: json for machines, plain for people; auto: plain on a terminal"
        ),
    ] = "auto"
    batch_max: Annotated[
        int, Meta(ge=1, le=10_000, description="events a projector applies in one transaction at most")
    ] = 4000
    max_rate: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000,
            description="events a projector applies in a second at most, to spare the database; 0: no limit",
        ),
    ] = 0
    reply_timeout_ms: Annotated[
        int,
        Meta(
            ge=10,
            le=600_000,
            description="a reply of Redis that takes longer is lost, and the outcome unknown",
        ),
    ] = 5000
    replicas: Annotated[
        int,
        Meta(
            ge=0,
            le=REPLICAS_MAX,
            description="replicas of Redis that must have what was decided before anybody hears of it (D2); 0: none",
        ),
    ] = 0
    gateway_keys: Annotated[
        str | None,
        Meta(
            description="secrets that sign the tokens of buyers and services, the newest first, with spaces or line "
            "ends between; each 32 characters or more",
            examples=["(better in /etc/credstore/flashsale.gateway_keys)"],
        ),
    ] = None
    gateway_buyer_header: Annotated[
        str | None,
        Meta(
            description="header in which a proxy in front of the gateway names the buyer; none: buyers show tokens",
            examples=["X-Buyer"],
        ),
    ] = None
    gateway_proxies: Annotated[
        str,
        Meta(description="addresses and networks of the proxies whose header the gateway believes"),
    ] = "127.0.0.1 ::1"
    unsafe_servers: Annotated[
        Literal["refuse", "accept"],
        Meta(
            description="what daemons do at their start when Redis or Postgres would lose orders or takes none: "
            "refuse or accept"
        ),
    ] = "refuse"

    @property
    def gateway_secrets(self) -> list[str]:
        """What signs tokens, the newest first."""
        return (self.gateway_keys or "").split()


class Setting(msgspec.Struct, frozen=True):
    """One row of the table."""

    name: str
    #: int, str, or a Literal of the choices
    type: Any
    default: Any
    description: str
    #: least and greatest of a number
    least: int | None
    most: int | None
    example: str | None

    @property
    def variable(self) -> str:
        """What it is called in the environment."""
        return ENV_PREFIX + self.name.upper()


def _setting(field: msgspec.structs.FieldInfo) -> Setting:
    meta = field.type.__metadata__[0]
    least, most = (None if limit is None else int(limit) for limit in (meta.ge, meta.le))
    return Setting(
        name=field.name,
        type=field.type.__origin__,
        default=field.default,
        description=meta.description,
        least=least,
        most=most,
        example=meta.examples[0] if meta.examples else None,
    )


TABLE = {field.name: _setting(field) for field in msgspec.structs.fields(Settings)}


def environment_file() -> str:
    """Every setting, explained and commented out, as systemd reads it with `EnvironmentFile=`."""
    parts = [_HEAD]
    for setting in TABLE.values():
        text = setting.description[0].upper() + setting.description[1:] + "."
        if setting.least is not None:
            text += f" From {setting.least:,} to {setting.most:,}."
        comment = textwrap.fill(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
        value = setting.example if setting.default is None else setting.default
        parts.append(f"{comment}\n#{setting.variable}={value}\n")
    return "\n".join(parts)
