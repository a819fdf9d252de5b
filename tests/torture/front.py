"""The gateway's place in the world: how it is started, the proxies on both sides of it, and what its clients saw."""

from __future__ import annotations

import secrets
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.fixtures.proxy import Proxy
from tests.torture.fleet import daemon_command

#: Nobody connects from here, so the port is still free when a gateway is started again.
HOST = "127.0.0.2"
NAME = "gateway-1"


class Front:
    """One gateway between two networks, and the shops before it."""

    def __init__(self, home: Path, redis_url: str) -> None:
        self._keys = home / "gateway-keys"
        self._keys.touch(mode=0o600)
        self._keys.write_text(secrets.token_urlsafe(48), encoding="utf-8")
        self._seen_dir = home / "seen"
        self._seen_dir.mkdir()
        with socket.create_server((HOST, 0)) as free:
            self._address = f"{HOST}:{free.getsockname()[1]}"
        #: between the gateway and Redis
        self.redis = Proxy(redis_url)
        #: between shops and the gateway
        self.http = Proxy(f"http://{self._address}")

    @property
    def env(self) -> dict[str, str]:
        """What the gateway is told, beside what all processes are told."""
        return {"FLASHSALE_REDIS_URL": self.redis.url, "FLASHSALE_GATEWAY_KEYS_FILE": str(self._keys)}

    def gateway(self) -> Callable[[int], list[str]]:
        """The gateway's command."""
        return daemon_command("gateway", NAME, "--listen", self._address)

    def shop(self, history: Path, sale: str, lots: str, per_second: float) -> list[str]:
        """The command of a shop process that is named as its history."""
        return [
            *(sys.executable, "-m", "tests.torture.http_shop"),
            *(history.stem, str(history), sale, lots, str(per_second)),
            *(self.http.url, str(self._keys), str(self._seen_dir / history.stem)),
        ]

    def seen(self, words: Iterable[str]) -> int:
        """How often the shops have met one of these."""
        found = Counter[str]()
        for file in self._seen_dir.iterdir():
            found.update(file.read_text(encoding="utf-8").split())
        return sum(found[word] for word in words)
