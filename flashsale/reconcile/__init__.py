"""Hold log, Redis and Postgres against each other at the same place, and put right what is derived from the log."""

from flashsale.reconcile.comparison import (
    Comparison,
    Drift,
    NotCaughtUp,
    compare,
    fold_log,
    state_hash,
    wait_for_checkpoint,
)
from flashsale.reconcile.each import Examination, examine_each
from flashsale.reconcile.examination import Examined, examine
from flashsale.reconcile.finding import CLASSES, Finding, Kind, Report
from flashsale.reconcile.mending import Outcome, apply_plan
from flashsale.reconcile.plan import Item, Plan, read_plan, write_plan

__all__ = [
    "CLASSES",
    "Comparison",
    "Drift",
    "Examination",
    "Examined",
    "Finding",
    "Item",
    "Kind",
    "NotCaughtUp",
    "Outcome",
    "Plan",
    "Report",
    "apply_plan",
    "compare",
    "examine",
    "examine_each",
    "fold_log",
    "read_plan",
    "state_hash",
    "wait_for_checkpoint",
    "write_plan",
]
