"""One shop process that sells over HTTP, through a gateway: the same buyers, the same history.

python -m tests.torture.http_shop NAME HISTORY SALE SEED RATE URL KEYS SEEN

URL is the gateway's, KEYS its file of secrets. SEEN gets a line for each request without an
answer, with the reason, and for each pass that was used.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from flashsale.client_history import open_history
from flashsale.gateway.tokens import Tokens
from flashsale.loadtest.target import Target
from tests.torture.http_door import HttpDoor
from tests.torture.shop import SKUS, Shop, work


def main() -> None:
    name, history_file, sale, seed, per_second, url, keys, seen = sys.argv[1:]
    tokens = Tokens(Path(keys).read_text(encoding="utf-8").split())
    target = Target.at(url, sale, SKUS[0], tokens)
    with open_history(history_file, name) as history, Path(seen).open("a", buffering=1) as lines:
        door = HttpDoor(target, lambda word: lines.write(f"{word}\n"))
        asyncio.run(work(Shop(door, history, sale, name, seed), float(per_second)))


if __name__ == "__main__":
    main()
