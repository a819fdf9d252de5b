"""Have the scripts of one shard refuse everything, whoever asks, until `recover` founds the log anew."""

from __future__ import annotations

import structlog

from flashsale.client import Client
from flashsale.commands import Expire
from flashsale.errors import FlashsaleError, Halted
from flashsale.ids import Position
from flashsale.stream import ShardId

log = structlog.get_logger(__name__)


def halt_sale(client: Client, shard: ShardId, position: Position) -> int:
    """Show the scripts a fence that no log can reach; returns Redis's clock."""
    client.fences.saw(shard.sale, shard.shard, position)
    try:
        return client.expire(shard.sale, Expire(), shard.shard).now_ms
    except Halted:
        # Damaged so that scripts stop by themselves. The clock of any script will do.
        return client.now_ms()


class SaleHalter:
    """For a projector that has proof of a fork: what is sold on is sold behind a history that will not be kept."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __call__(self, shard: ShardId, checkpoint: Position) -> None:
        """Halt the sale. What goes wrong is logged: the projector looks again, and has it halted then."""
        try:
            halt_sale(self._client, shard, Position(checkpoint.epoch + 1, 1))
        except FlashsaleError as error:
            log.warning(str(error), action="sale_not_halted", shard=str(shard))
