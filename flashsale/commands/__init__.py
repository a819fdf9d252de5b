"""Commands without IO: what can be asked, how it is sent, what the answer means."""

from flashsale.commands.answer import Answer, Code, Reply, parse_answer, parse_reply
from flashsale.commands.call import BATCH_MAX, Call, mend_call, order_call, plan, sale_call, snapshot_call
from flashsale.commands.mend import MEND_MAX, Mend
from flashsale.commands.order import ANY_BUYER, Cancel, Confirm, OrderRequest, Refund, Reserve
from flashsale.commands.sale import (
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
)
from flashsale.commands.snapshot import (
    REQUEST_FIELD,
    Hot,
    Snapshot,
    order_record,
    parse_hot,
    parse_order,
    parse_snapshot,
    restock_record,
)

__all__ = [
    "ANY_BUYER",
    "BATCH_MAX",
    "MEND_MAX",
    "REQUEST_FIELD",
    "Answer",
    "Call",
    "Cancel",
    "Close",
    "Code",
    "Confirm",
    "Expire",
    "Hot",
    "Item",
    "Load",
    "Mend",
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
    "mend_call",
    "order_call",
    "order_record",
    "parse_answer",
    "parse_hot",
    "parse_order",
    "parse_reply",
    "parse_snapshot",
    "plan",
    "restock_record",
    "sale_call",
    "snapshot_call",
]
