"""The plan: what would be put right, as a file that a person reads, shortens and hands back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from flashsale import ids
from flashsale.errors import BadInput
from flashsale.reconcile.finding import Finding, Kind
from flashsale.stream import ShardId

VERSION = 1
#: A plan is read whole.
PLAN_BYTES_MAX = 64 * 1024 * 1024


_NAMES = {"kind": "class", "seen": "from", "wanted": "to"}


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename=_NAMES):
    """One record: what was seen there, and what the log says. None: no record."""

    sale: str
    shard: int
    kind: Kind
    key: str
    seen: str | None
    wanted: str | None
    first_seq: str | None = None
    note: str = ""

    @property
    def where(self) -> ShardId:
        return ShardId(self.sale, self.shard)

    @classmethod
    def of(cls, shard: ShardId, finding: Finding) -> Item:
        first = None if finding.first_seq is None else str(finding.first_seq)
        return cls(*shard, finding.kind, finding.key, finding.seen, finding.log, first, finding.note)


class Plan(msgspec.Struct, frozen=True):
    """Items, numbered from 1 in their order in the file."""

    items: list[Item]


def write_plan(path: Path, items: Iterable[Item]) -> None:
    """Write a new file. Raises `BadInput` when there is one, or it cannot be written."""
    text = msgspec.json.format(
        msgspec.json.encode({"flashsale_plan": VERSION, "items": list(items)}), indent=2
    )
    try:
        with path.open("xb") as file:
            file.write(text + b"\n")
    except FileExistsError:
        raise BadInput("plan", str(path), "there is such a file already; name another") from None
    except OSError as error:
        raise BadInput("plan", str(path), f"it cannot be written: {error.strerror}") from error


def read_plan(path: Path) -> Plan:
    """Read a plan. Raises `BadInput` that names the item which is not one."""
    try:
        if path.stat().st_size > PLAN_BYTES_MAX:
            raise BadInput("apply", str(path), f"a plan has at most {PLAN_BYTES_MAX:,} bytes")
        raw = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise BadInput("apply", str(path), f"it cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput("apply", str(path), f"it is no plan: {error}") from error
    if (
        not isinstance(raw, dict)
        or raw.get("flashsale_plan") != VERSION
        or not isinstance(raw.get("items"), list)
    ):
        raise BadInput(
            "apply", str(path), f'it is no plan: "flashsale_plan": {VERSION} and "items" are missing'
        )
    return Plan([_item(number, value) for number, value in enumerate(raw["items"], 1)])


def _item(number: int, value: Any) -> Item:
    try:
        item = msgspec.convert(value, Item)
    except (msgspec.ValidationError, RecursionError) as error:
        raise BadInput(
            f"item {number}", value, f"leave it as reconcile wrote it, or delete it: {error}"
        ) from error
    ids.sale_id(item.sale, f"item {number}, sale")
    if not 0 <= item.shard <= ids.SHARD_MAX:
        raise BadInput(f"item {number}, shard", item.shard, f"use 0 to {ids.SHARD_MAX}")
    return item
