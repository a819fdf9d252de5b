"""Every metric there is: its kind, its meaning and its labels. No label ever names a buyer or an order."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Metric(NamedTuple):
    kind: Literal["gauge", "counter", "histogram"]
    #: one sentence
    meaning: str
    labels: tuple[str, ...] = ()


class Distribution(NamedTuple):
    """The value of a histogram."""

    #: (bound, how many values were at most so large): bounds as text, rising, the last one +Inf
    buckets: tuple[tuple[str, int], ...]
    #: of all values
    total: float


class Sample(NamedTuple):
    """One value of one metric. What is unknown has no sample."""

    name: str
    value: float | Distribution
    #: values of the labels, in the order of `Metric.labels`
    labels: tuple[str, ...] = ()


_SHARD = ("sale", "shard")

#: Seen by the exporter, of every sale that was warmed and is not archived.
SEEN = {
    "flashsale_up": Metric("gauge", "1: the server answers, 0: it does not.", ("server",)),
    "flashsale_look_success": Metric("gauge", "1: every sale could be looked at, 0: some could not."),
    "flashsale_look_duration_seconds": Metric("gauge", "How long the look at both servers took."),
    "flashsale_sale_state": Metric(
        "gauge", "Always 1; the label says in which state Redis has the sale.", (*_SHARD, "state")
    ),
    "flashsale_stock_units": Metric(
        "gauge", "Units in Redis: available, held, sold or returned, of all SKUs.", (*_SHARD, "state")
    ),
    "flashsale_open_holds": Metric("gauge", "Orders in Redis that are held and not paid yet.", _SHARD),
    "flashsale_oldest_hold_overdue_seconds": Metric(
        "gauge", "Time since the oldest hold should have ended; 0: none should have.", _SHARD
    ),
    "flashsale_log_events_total": Metric("counter", "Events ever written to the log of this epoch.", _SHARD),
    "flashsale_log_entries": Metric("gauge", "Events that the log in Redis holds now, not trimmed.", _SHARD),
    "flashsale_log_halted": Metric(
        "gauge", "1: the log is lost, forked or halted, so nothing is sold or nothing is applied.", _SHARD
    ),
    "flashsale_log_lost_events": Metric("gauge", "Events that Postgres has and the log lacks.", _SHARD),
    "flashsale_projected_events_total": Metric(
        "counter", "Events of this epoch that Postgres has, dead letters included.", _SHARD
    ),
    "flashsale_projector_lag_events": Metric("gauge", "Events in the log that Postgres lacks.", _SHARD),
    "flashsale_projector_lag_seconds": Metric(
        "gauge", "Age of the oldest event that is not applied; 0: there is none.", _SHARD
    ),
    "flashsale_projector_pending_events": Metric(
        "gauge", "Events that projectors were given and have not acknowledged.", _SHARD
    ),
    "flashsale_projector_oldest_pending_seconds": Metric(
        "gauge", "Time since the oldest of those was handed out last; 0: there is none.", _SHARD
    ),
    "flashsale_projector_leading": Metric(
        "gauge", "1: a projector that is connected leads this shard, 0: none does.", _SHARD
    ),
    "flashsale_projector_heartbeat_timestamp_seconds": Metric(
        "gauge", "When a projector last said that it leads this shard, Unix time.", _SHARD
    ),
    "flashsale_dead_letter_events": Metric("gauge", "Events that were parked and wait for somebody.", _SHARD),
}

#: Counted by a projector itself since it began.
PROJECTOR = {
    "flashsale_projector_applied_events_total": Metric("counter", "Events that this process has applied."),
    "flashsale_projector_batches_total": Metric("counter", "Batches that this process has applied."),
    "flashsale_projector_parked_events_total": Metric("counter", "Events that this process has parked."),
    "flashsale_projector_ack_missing_events_total": Metric(
        "counter", "Events that somebody else had acknowledged before this process could."
    ),
}

#: Counted by a sweeper itself since it began.
SWEEPER = {
    "flashsale_sweeper_expired_holds_total": Metric("counter", "Holds that this process has ended."),
}

#: Found by the newest `reconcile`: told by the exporter, and by a `reconcile --watch` of itself.
RECONCILE = {
    "flashsale_reconcile_differences": Metric(
        "gauge", "Differences between the log, Redis and Postgres at the same place of the log.", _SHARD
    ),
    "flashsale_reconcile_timestamp_seconds": Metric(
        "gauge", "When they were last compared, Unix time.", _SHARD
    ),
}

#: Counted by a gateway itself since it began, or there now.
GATEWAY = {
    "flashsale_gateway_requests_total": Metric(
        "counter", "Requests that were answered; operation none: it was for none.", ("operation", "status")
    ),
    "flashsale_gateway_request_duration_seconds": Metric(
        "histogram", "From a request's headers to its answer; of a feed, to its beginning.", ("operation",)
    ),
    "flashsale_gateway_orders_total": Metric(
        "counter", "What the engine answered about orders; unknown: its reply was lost.",
        ("sale", "command", "answer"),
    ),
    "flashsale_gateway_batch_requests": Metric("histogram", "Requests in one call of a script."),
    "flashsale_gateway_waiting_requests": Metric("gauge", "Requests that wait for a call of a script."),
    "flashsale_gateway_connections": Metric("gauge", "Connections that are open."),
    "flashsale_gateway_feed_clients": Metric("gauge", "Of these, how many follow a sale."),
    "flashsale_gateway_called_people_total": Metric(
        "counter", "People whom this process has called from the waiting rooms."
    ),
    "flashsale_gateway_page_age_seconds": Metric(
        "gauge", "How old the pages of the sales are; from 5 s on they are not shown."
    ),
}  # fmt: skip

#: Counted by every daemon's loop.
DAEMON = {
    "flashsale_daemon_turns_total": Metric("counter", "Turns of the work that came to their end."),
    "flashsale_daemon_errors_total": Metric(
        "counter", "Turns that ended because a server was away, and were tried again.", ("server",)
    ),
    "flashsale_daemon_last_turn_timestamp_seconds": Metric(
        "gauge", "When a turn of the work last came to its end, Unix time."
    ),
}

BUILD = {
    "flashsale_build_info": Metric("gauge", "Always 1; the labels say what runs.", ("version", "python")),
}

METRICS: dict[str, Metric] = {**BUILD, **SEEN, **DAEMON, **PROJECTOR, **SWEEPER, **RECONCILE, **GATEWAY}
