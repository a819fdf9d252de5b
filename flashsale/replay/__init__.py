"""Rebuild a sale's tables from the log: beside the live ones, compared with them, and put in their place."""

from flashsale.replay.replay import Replay
from flashsale.replay.request import ALL, Replayed, Request, Stopped, Watcher

__all__ = ["ALL", "Replay", "Replayed", "Request", "Stopped", "Watcher"]
