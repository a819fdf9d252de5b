"""The read side of the log: ranges of a shard's stream, and its consumer group.

Entry ids are positions (epoch-seq), so a place in the log needs no translation. A read may fail and be repeated freely.
"""

from flashsale.stream.entries import (
    Account,
    ConsumerInfo,
    DeadLetter,
    Entry,
    Fence,
    GroupInfo,
    NoGroup,
    Pending,
    ShardId,
    follows,
)
from flashsale.stream.group import Asked
from flashsale.stream.link import BLOCK_MS, PAGE_MAX, REPLY_TIMEOUT_MS, Route
from flashsale.stream.log import DEAD_LETTERS_KEPT, Log

__all__ = [
    "BLOCK_MS",
    "DEAD_LETTERS_KEPT",
    "PAGE_MAX",
    "REPLY_TIMEOUT_MS",
    "Account",
    "Asked",
    "ConsumerInfo",
    "DeadLetter",
    "Entry",
    "Fence",
    "GroupInfo",
    "Log",
    "NoGroup",
    "Pending",
    "Route",
    "ShardId",
    "follows",
]
