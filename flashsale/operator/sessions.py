"""Who is logged in: sessions in the memory of this process, so that a logout is one. A restart ends them all."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict

import msgspec

from flashsale.operator.people import Person

#: More people do not look after one shop; the session that was begun first ends for a new one.
SESSIONS_MAX = 1_000


class Login(msgspec.Struct):
    """One session."""

    person: Person
    #: Unix time: that of the token it began with
    ends_s: int
    #: what each form of this session carries
    form_token: str
    #: what is shown on the next page, once
    notice: str = ""

    def take_notice(self) -> str:
        """What is to be shown now, and not again."""
        told, self.notice = self.notice, ""
        return told


class Sessions:
    """Each by an id that nobody can guess. For one process."""

    def __init__(self) -> None:
        self._logins: OrderedDict[str, Login] = OrderedDict()

    def begin(self, person: Person, ends_s: int) -> str:
        """A new session; returns its id."""
        while len(self._logins) >= SESSIONS_MAX:
            self._logins.popitem(last=False)
        session = secrets.token_urlsafe(32)
        self._logins[session] = Login(person, ends_s, secrets.token_urlsafe(32))
        return session

    def find(self, session: str | None) -> Login | None:
        """The session of this id, unless it has ended."""
        login = self._logins.get(session or "")
        if login is not None and login.ends_s <= time.time():
            self.end(session)
            return None
        return login

    def end(self, session: str | None) -> None:
        """Log out. Twice is harmless."""
        self._logins.pop(session or "", None)


class Attempts:
    """Failed logins: so many from one address within a minute, and it has to wait.

    Times are given by the caller, in seconds of one clock.
    """

    #: Somebody who pastes the wrong text needs a few.
    FAILURES_MAX = 10
    WINDOW_S = 60.0
    #: Addresses that are remembered; the one that failed longest ago is forgotten for a new one.
    ADDRESSES_MAX = 1_000

    def __init__(self) -> None:
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> float:
        """How long this address has to wait before it may try again; 0: it may."""
        recent = self._recent(address, now_s)
        return recent[0] + self.WINDOW_S - now_s if len(recent) >= self.FAILURES_MAX else 0.0

    def failed(self, address: str, now_s: float) -> None:
        """An attempt that was wrong."""
        self._failures[address] = [*self._recent(address, now_s), now_s]
        self._failures.move_to_end(address)
        while len(self._failures) > self.ADDRESSES_MAX:
            self._failures.popitem(last=False)

    def _recent(self, address: str, now_s: float) -> list[float]:
        return [at_s for at_s in self._failures.get(address, ()) if at_s > now_s - self.WINDOW_S]
