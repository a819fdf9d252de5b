"""How much of its rate a room may use, by how far Postgres is behind: orders that nobody can read yet help nobody."""

from __future__ import annotations

#: The checkpoint that a gateway knows may be a few seconds old itself.
FULL_UNTIL_MS = 5_000
#: So late, and later, the line moves as slowly as it ever does.
SLOWEST_FROM_MS = 30_000
#: Lag slows the line and does not hold it: Redis sells all the same, and Postgres catches up.
SLOWEST_PERMILLE = 100


def share_permille(lag_ms: int | None) -> int:
    """The part of the rate, by the age of the oldest event that Postgres lacks, 0 for none; None: not known."""
    if lag_ms is None or lag_ms >= SLOWEST_FROM_MS:
        return SLOWEST_PERMILLE
    if lag_ms <= FULL_UNTIL_MS:
        return 1_000
    slowed = (1_000 - SLOWEST_PERMILLE) * (lag_ms - FULL_UNTIL_MS) // (SLOWEST_FROM_MS - FULL_UNTIL_MS)
    return 1_000 - slowed
