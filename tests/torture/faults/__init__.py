"""The faults, grouped by what they strike. Importing this registers them all."""

from tests.torture.faults import (  # importing registers
    disk_and_memory,
    group,
    log_loss,
    network,
    postgres,
    processes,
    redis_process,
    waiting_room,
)
from tests.torture.faults.registry import FAULTS, Fault

__all__ = [
    "FAULTS",
    "Fault",
    "disk_and_memory",
    "group",
    "log_loss",
    "network",
    "postgres",
    "processes",
    "redis_process",
    "waiting_room",
]
