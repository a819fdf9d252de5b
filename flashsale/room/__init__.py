"""What can be told of a waiting room without asking anybody: places and tickets of a draw. Pure."""

from flashsale.room.shuffle import Shuffle

__all__ = ["Shuffle"]
