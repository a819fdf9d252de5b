"""What a crowd measures of itself and of the gateway, as it happens."""

from __future__ import annotations

from collections import Counter

from flashsale.loadtest.histogram import Histogram

#: What a buyer may do, in this order.
KINDS = ("look", "join", "order", "pay", "cancel")
#: Sentences about wrong answers that are kept; the others are counted.
WRONG_MAX = 20


class Measured:
    """Latencies, words and rates of one run."""

    def __init__(self) -> None:
        self.latency = {kind: Histogram() for kind in KINDS}
        #: how late the crowd itself was to send what was due
        self.late = Histogram()
        #: kind → word of the answer → how often
        self.words: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        #: second of the run → requests that were due, and that were answered, in it
        self.due_in, self.answered_in = Counter[int](), Counter[int]()
        self.journeys = 0
        #: arrivals for whom there was no room in this process
        self.turned_away = 0
        #: buyers who did not come to their end
        self.unfinished = 0
        self.wrong_count = 0
        self.wrong_first: list[str] = []

    def sent(self, due_s: float, now_s: float) -> None:
        """A request leaves, or stands in line for a connection."""
        self.late.add(now_s - due_s)
        self.due_in[int(due_s)] += 1

    def answered(self, kind: str, due_s: float, now_s: float) -> None:
        """An answer came; or it is known that none will: whoever waited for it waited so long."""
        self.latency[kind].add(now_s - due_s)
        self.answered_in[int(now_s)] += 1

    def word(self, kind: str, word: str) -> None:
        """What it said."""
        self.words[kind][word] += 1

    def wrong(self, sentence: str) -> None:
        """An answer that cannot be right, whatever the log says."""
        self.wrong_count += 1
        if len(self.wrong_first) < WRONG_MAX:
            self.wrong_first.append(sentence)
