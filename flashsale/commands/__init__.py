"""Commands without IO: what can be asked, how it is sent, what the answer means."""

from flashsale.commands.answer import Answer, Code, Reply, parse_answer, parse_reply
from flashsale.commands.call import BATCH_MAX, Call, order_call, plan, sale_call, snapshot_call
from flashsale.commands.order import ANY_BUYER, Cancel, Confirm, OrderRequest, Refund, Reserve
from flashsale.commands.sale import (
    Archive,
    Close,
    Expire,
    Item,
    Load,
    Open,
    Pause,
    Reconfigure,
    Restock,
    Resume,
    SaleRequest,
    Trim,
)
from flashsale.commands.snapshot import Snapshot, parse_order, parse_snapshot

__all__ = [
    "ANY_BUYER",
    "BATCH_MAX",
    "Answer",
    "Archive",
    "Call",
    "Cancel",
    "Close",
    "Code",
    "Confirm",
    "Expire",
    "Item",
    "Load",
    "Open",
    "OrderRequest",
    "Pause",
    "Reconfigure",
    "Refund",
    "Reply",
    "Reserve",
    "Restock",
    "Resume",
    "SaleRequest",
    "Snapshot",
    "Trim",
    "order_call",
    "parse_answer",
    "parse_order",
    "parse_reply",
    "parse_snapshot",
    "plan",
    "sale_call",
    "snapshot_call",
]
