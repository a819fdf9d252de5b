"""The log's vocabulary: event types, their bytes, and the state they add up to. Pure: no clock, no socket, no file."""

from flashsale.events.audit import Audit, Told
from flashsale.events.codec import NewerEvent, Recorded, UndecodableEvent, decode, encode, trace_of, why_of
from flashsale.events.evolution import continues, evolve, fold
from flashsale.events.state import RULES, InvariantBroken, Order, Restocked, Room, ShardState, Stock
from flashsale.events.types import EVENT_TYPES, AnyEvent, Event, OrderEvent, type_name

__all__ = [
    "EVENT_TYPES",
    "RULES",
    "AnyEvent",
    "Audit",
    "Event",
    "InvariantBroken",
    "NewerEvent",
    "Order",
    "OrderEvent",
    "Recorded",
    "Restocked",
    "Room",
    "ShardState",
    "Stock",
    "Told",
    "UndecodableEvent",
    "continues",
    "decode",
    "encode",
    "evolve",
    "fold",
    "trace_of",
    "type_name",
    "why_of",
]
