"""Looks on demand: one at a time, a young one is shown again, and nobody waits for one longer than a bound."""

from __future__ import annotations

import threading
import time

import structlog

from flashsale.metrics.look import SERVERS, Examiner, Seen
from flashsale.metrics.names import Sample

log = structlog.get_logger(__name__)

#: A look this young is shown again: several who ask do not multiply the work of the servers.
FRESH_S = 2.0
#: Who asks is answered within this time, whatever the servers do. Prometheus itself gives up after 10 s.
ANSWER_S = 5.0
#: So long a look that was cut short may take to say which server it was waiting for.
LEAVE_S = 0.5


class Looks:
    """Safe for use by several threads at once."""

    def __init__(self, examiner: Examiner) -> None:
        self._examiner = examiner
        self._lock = threading.Lock()
        self._seen = Seen()
        self._done = threading.Event()
        #: when the look under way, or the last one, began; None before the first
        self._begun_s: float | None = None

    def samples(self) -> list[Sample]:
        """What there is to see now. A look that takes too long shows which servers have answered, and nothing else."""
        seen, done = self._current()
        is_complete = done.wait(ANSWER_S)
        if not is_complete:
            seen.interrupt()
            is_complete = done.wait(LEAVE_S)
        up = dict(seen.up)
        if not is_complete and (awaited := next((name for name in SERVERS if name not in up), None)):
            up[awaited] = False
        return [
            *(Sample("flashsale_up", is_up, (server,)) for server, is_up in sorted(up.items())),
            Sample("flashsale_look_success", is_complete and seen.is_whole),
            *(seen.samples if is_complete else ()),
        ]

    def _current(self) -> tuple[Seen, threading.Event]:
        """The look under way, or a young one, or a new one."""
        with self._lock:
            now_s = time.monotonic()
            is_old = self._begun_s is None or (self._done.is_set() and now_s - self._begun_s > FRESH_S)
            if is_old:
                self._begun_s = now_s
                self._seen, self._done = Seen(), threading.Event()
                work = (self._seen, self._done)
                threading.Thread(target=self._look, args=work, name="metrics-look", daemon=True).start()
            return self._seen, self._done

    def _look(self, seen: Seen, done: threading.Event) -> None:
        try:
            self._examiner.look(seen)
        except Exception as error:  # the exporter outlives what nobody thought of, and says so
            log.exception("the look failed", action="look_failed")
            seen.failed(error)
        finally:
            done.set()
