"""Logs and histories of a sale as the lines of files, for the tests of verify."""

from __future__ import annotations

from typing import Any

import msgspec

Record = dict[str, Any]


def lines(*records: Record) -> list[bytes]:
    return [msgspec.json.encode(record) + b"\n" for record in records]


def event(seq: int, kind: str, epoch: int = 1, **fields: Any) -> Record:
    head = {"sale": "s", "shard": 0, "epoch": epoch, "seq": seq, "type": kind, "v": 1, "at_ms": 5, "by": "x"}
    return head | fields


def counters(available: int, held: int, sold: int = 0) -> Record:
    return {"available": available, "held": held, "sold": sold, "returned": 0}
