"""Clients of the write side: Redis is spoken here, and in `flashsale.stream`, and nowhere else."""

from flashsale.client.aio import AsyncClient
from flashsale.client.sync import Client, Expired
from flashsale.client.wire import Fences

__all__ = ["AsyncClient", "Client", "Expired", "Fences"]
