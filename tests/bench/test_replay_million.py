"""A million events, replayed beside a live sale: `make test-million`. Prints how long each part took."""

from __future__ import annotations

import sys
import time

import pytest

from flashsale.replay import Request
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until
from tests.integration.replay_kit import live, replay_of, sell_many

EVENTS = 1_000_000


@pytest.mark.timeout(1_200)
def test_a_million_events_replayed_while_it_sells(
    read_side: ReadSide, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = read_side.open_sale(quantity=900_000)
    began_s = time.monotonic()
    sell_many(read_side, shard, EVENTS)
    lines = [
        f"{read_side.checkpoint(shard).seq:,} events sold and applied in {time.monotonic() - began_s:.1f} s"
    ]
    replay = replay_of(read_side)
    quiet = replay.run(Request(sale=shard.sale, mode="verify"))
    lines.append(f"verify, nothing else going on: {quiet.events:,} events in {quiet.seconds:.1f} s")
    assert quiet.differing == 0
    with live(read_side, shard):
        done = replay.run(Request(sale=shard.sale))
        lines.append(f"replay and swap while it sells: {done.events:,} events in {done.seconds:.1f} s")
        assert (done.outcome, done.differing) == ("swapped", 0)
        swapped = read_side.checkpoint(shard)
        wait_until(lambda: read_side.checkpoint(shard) > swapped, 20, "it is applied to the new tables")
    read_side.assert_projected(shard)
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
