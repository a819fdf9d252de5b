"""The same for what operators ask of the whole shard."""

from __future__ import annotations

from tests.property.model import Malformed, Model


class OperatedModel(Model):
    """One shard, with its operator's requests."""

    def load(self, opens: str, closes: str, hold: str, *flat: str) -> str:
        """Answer a warm-up; (sku, quantity, limit) of each item follow the times."""
        window = self._window(int(opens), int(closes), int(hold))
        if self.state:
            return self._refusal("ALREADY_LOADED", self.state_now)
        items = list(zip(flat[::3], map(int, flat[1::3]), map(int, flat[2::3]), strict=True))
        if len({sku for sku, _, _ in items}) < len(items):
            raise Malformed
        self.state = "warm"
        self.opens_ms, self.closes_ms, self.hold_ms = window
        self.capacity = {sku: quantity for sku, quantity, _ in items}
        self.limits = {sku: limit for sku, _, limit in items}
        self.seq = 1 + len(items)
        return self._refusal("LOADED")

    @staticmethod
    def _window(opens_ms: int, closes_ms: int, hold_ms: int) -> tuple[int, int, int]:
        if hold_ms < 1 or 0 < closes_ms <= opens_ms:
            raise Malformed
        return opens_ms, closes_ms, hold_ms

    def open(self, at_once: str) -> str:
        """Answer an opening."""
        if self.state != "warm" or self.is_over:
            return self._refusal("WRONG_STATE", self.state_now)
        if self.opens_ms == 0 or at_once == "1":
            self.opens_ms = min(self.opens_ms or self.now_ms, self.now_ms)
        self.state = "open"
        return f"OPENED {self._event()} {self.opens_ms}"

    def pause(self) -> str:
        """Answer a pause."""
        return self._move("paused", "PAUSED", allowed=self.state_now in {"scheduled", "open"})

    def resume(self) -> str:
        """Answer the end of a pause."""
        return self._move("open", "RESUMED", allowed=self.state_now == "paused")

    def close(self) -> str:
        """Answer the end of the sale."""
        return self._move("closed", "CLOSED", allowed=self.state != "closed")

    def _move(self, state: str, word: str, *, allowed: bool) -> str:
        if not allowed:
            return self._refusal("WRONG_STATE", self.state_now)
        self.state = state
        return f"{word} {self._event()}"

    def reconfigure(self, opens: str, closes: str, hold: str, *flat: str) -> str:
        """Answer a change; (sku, limit) of each SKU that changes follow the times."""
        if self.state == "closed":
            return self._refusal("WRONG_STATE", "closed")
        window = self._window(
            self.opens_ms if opens == "-" else int(opens),
            self.closes_ms if closes == "-" else int(closes),
            self.hold_ms if hold == "-" else int(hold),
        )
        changes = dict(zip(flat[::2], map(int, flat[1::2]), strict=True))
        if not changes.keys() <= self.capacity.keys():
            return self._refusal("UNKNOWN_SKU")
        self.opens_ms, self.closes_ms, self.hold_ms = window
        self.limits |= changes
        return f"RECONFIGURED {self._event()}"

    def room(self, mode: str, *_: str) -> str:
        """Answer new settings of the waiting room."""
        if self.state_now == "closed":
            return self._refusal("WRONG_STATE", "closed")
        self.is_guarded = mode != "pass-through"
        return f"ROOM_SET {self._event()}"

    def restock(self, name: str, *content: str) -> str:
        """Answer a restock: its id, then direction, SKU and quantity."""
        if name in self.restocks:
            before, answer = self.restocks[name]
            return f"{answer} repeated" if before == content else self._refusal("CONFLICT")
        direction, sku, quantity = content[0], content[1], int(content[2])
        if refused := self._why_no_restock(direction, sku, quantity):
            return refused
        self.capacity[sku] += quantity if direction == "add" else -quantity
        answer = f"RESTOCKED {self._event()} {self.available(sku)}"
        self.restocks[name] = (content, answer)
        return answer

    def _why_no_restock(self, direction: str, sku: str, quantity: int) -> str:
        if self.state_now == "closed":
            return self._refusal("WRONG_STATE", "closed")
        if sku not in self.capacity:
            return self._refusal("UNKNOWN_SKU")
        if direction == "remove" and self.available(sku) < quantity:
            return self._refusal("NOT_ENOUGH", self.available(sku))
        return ""
