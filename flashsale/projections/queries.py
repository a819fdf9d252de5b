"""SQL lives in .sql files, as blocks `-- name --`, a sentence of comment, the statement. Loaded once."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString, cast

from flashsale.ids import Position

_NAME = re.compile(r"^-- (?P<name>[a-z_]+) --$", re.MULTILINE)
#: What several statements must do alike stands once, as a block of its own.
_SHARED = re.compile(r"^-- as in (?P<file>[a-z_]+)\.(?P<name>[a-z_]+) --$", re.MULTILINE)


@cache
def query(file: str, name: str) -> LiteralString:
    """The statement `name` of `sql/FILE.sql`, whole. Raises `KeyError` when there is none."""
    return _SHARED.sub(lambda shared: query(shared["file"], shared["name"]), _load(file)[name])


def of_shard(sale: str, shard: int) -> dict[str, Any]:
    """The values by which a statement finds a shard."""
    return {"sale_id": sale, "shard": shard}


def of_position(position: Position) -> dict[str, Any]:
    """The values by which it finds an event of that shard."""
    return {"epoch": position.epoch, "seq": position.seq}


@cache
def _load(file: str) -> dict[str, LiteralString]:
    text = (files("flashsale.projections") / "sql" / f"{file}.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)
    # The files ship with the package and hold no user input: they are as literal as a string in this module.
    return {
        name: cast("LiteralString", body.strip().rstrip(";"))
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
