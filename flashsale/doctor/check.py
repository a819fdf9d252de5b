"""One thing that was looked at, and what was found."""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal["ok", "warn", "fail", "halted", "unreachable"]


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    #: what was found, as a phrase
    found: str
    #: what to do about it; "" when nothing is to be done
    remedy: str = ""


def checked(name: str, found: str, remedy: str, *, holds: bool, verdict: Verdict = "fail") -> Check:
    """A check that holds, or has this verdict and remedy."""
    return Check(name, "ok", found) if holds else Check(name, verdict, found, remedy)


def few_left(name: str, used: int, most: int, unit: str, remedy: str) -> Check:
    """Whether less than four fifths of a limit are in use."""
    found = f"{used:,} of {most:,} {unit}"
    return checked(name, found, remedy, holds=used * 5 < most * 4, verdict="warn")
