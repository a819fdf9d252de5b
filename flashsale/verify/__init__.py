"""Check an exported log, and what clients were told of it, without any server."""

from flashsale.verify.history import HISTORY_RULES, Counts, HistoryReport, HistoryViolation
from flashsale.verify.history_lines import Source
from flashsale.verify.log import Report, ShardReport, Violation, verify

__all__ = [
    "HISTORY_RULES",
    "Counts",
    "HistoryReport",
    "HistoryViolation",
    "Report",
    "ShardReport",
    "Source",
    "Violation",
    "verify",
]
