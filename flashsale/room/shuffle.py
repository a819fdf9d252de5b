"""The draw of a line: which place each ticket gets, for anybody who wants to check.

The same as `place_of` and `ticket_at` in lua/prelude/draw.lua, by which the scripts go.
"""

from __future__ import annotations

import hashlib
import math

ROUNDS = 4
#: Hexadecimal digits of a hash: 52 bits, which numbers of Lua hold exactly.
_DIGITS = 13


class Shuffle:
    """The places of the tickets 0 to `count` - 1 of a sale, as a seed has them; later tickets are their places.

    A Feistel network permutes the numbers below `side` squared, the smallest square from `count` on; it is walked until
    it comes to one below `count`. So each place is given once, and found without the others.
    """

    def __init__(self, sale: str, count: int, seed: str) -> None:
        self.count = count
        self._side = math.isqrt(count - 1) + 1 if count else 0
        self._key = _sha1(f"{seed}:{sale}:{count}")

    def place_of(self, ticket: int) -> int:
        """Where a ticket stands."""
        if ticket >= self.count:
            return ticket
        at = ticket
        while True:
            left, right = divmod(at, self._side)
            for turn in range(1, ROUNDS + 1):
                left, right = right, (left + self._hash(turn, right)) % self._side
            at = left * self._side + right
            if at < self.count:
                return at

    def ticket_at(self, place: int) -> int:
        """Whose place it is."""
        if place >= self.count:
            return place
        at = place
        while True:
            left, right = divmod(at, self._side)
            for turn in range(ROUNDS, 0, -1):
                left, right = (right - self._hash(turn, left)) % self._side, left
            at = left * self._side + right
            if at < self.count:
                return at

    def _hash(self, turn: int, half: int) -> int:
        return int(_sha1(f"{self._key}:{turn}:{half}")[:_DIGITS], 16) % self._side


def _sha1(text: str) -> str:
    """The only hash that Redis's scripts have; what it must do here is to look like chance."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
