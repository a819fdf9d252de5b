"""Apply a plan: look again, then put back to what the log says whatever still differs as the plan has it.

Only derived state is written: hot records by one script that compares before it sets, rows while the projector is kept
out. What was mended before, by this plan or otherwise, shows no difference any more and is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from flashsale.commands import MEND_MAX, Code, Mend
from flashsale.errors import Halted
from flashsale.ids import Position
from flashsale.projections import reads
from flashsale.reconcile.examination import Examined, examine
from flashsale.reconcile.finding import HOT, Finding
from flashsale.reconcile.plan import Item
from flashsale.reconcile.rows import mend_rows
from flashsale.reconcile.tables import kept_back
from flashsale.shop import Shop
from flashsale.stream import PAGE_MAX, ShardId

#: A record may change between the look and the mend; then it is looked at again.
ATTEMPTS_MAX = 5
#: Pages of events read between the look and the mend, to see that nobody changed a setting.
PAGES_MAX = 1_000

CHANGED = "it changed meanwhile: make a new plan"
LIMIT_FIELD = "limit "


class Outcome(msgspec.Struct, frozen=True):
    """What became of one item."""

    #: its number in the plan
    number: int
    item: Item
    result: Literal["mended", "unchanged", "refused"]
    why: str = ""


def apply_plan(shop: Shop, items: Sequence[Item], *, timeout_s: float) -> list[Outcome]:
    """Apply a plan's items, shard by shard. Raises `Halted` for a log that forked, and `NotCaughtUp`."""
    outcomes: dict[int, Outcome] = {}
    numbered = dict(enumerate(items, 1))
    for shard in dict.fromkeys(item.where for item in items):
        pending = {number: item for number, item in numbered.items() if item.where == shard}
        for _ in range(ATTEMPTS_MAX):
            examined = examine(shop, shard, timeout_s=timeout_s)
            found = _apply(shop, examined, pending)
            outcomes |= found
            pending = {number: item for number, item in pending.items() if found[number].why == CHANGED}
            if not pending:
                break
    return [outcomes[number] for number in numbered]


def _apply(shop: Shop, examined: Examined, items: dict[int, Item]) -> dict[int, Outcome]:
    report = examined.report
    if report.is_forked:
        forks = "; ".join(finding.note for finding in report.findings if finding.kind == "fork")
        raise Halted(f"{report.shard}: {forks}: nothing is mended; see `flashsale recover`")
    if examined.hot is None:
        return {number: Outcome(number, item, "refused", report.skipped) for number, item in items.items()}
    done: dict[int, Outcome] = {}
    wanted: dict[int, Finding] = {}
    known = {(finding.kind, finding.key): finding for finding in report.findings}
    oversold = {finding.sku for finding in report.findings if finding.kind == "oversold"}
    letters, _ = kept_back(reads.withheld(shop.connection, report.shard))
    for number, item in items.items():
        finding = known.get((item.kind, item.key))
        if finding is None and item.kind not in HOT and item.key in letters:
            done[number] = Outcome(
                number, item, "refused", "it is a dead letter: see `flashsale dead-letter`"
            )
        elif finding is None:
            done[number] = Outcome(number, item, "unchanged", "nothing differs there")
        elif why := _refusal(item, finding, oversold):
            done[number] = Outcome(number, item, "refused", why)
        else:
            wanted[number] = finding
    hot = {number: finding for number, finding in wanted.items() if finding.kind in HOT}
    results = _mend_hot(shop, examined, hot)
    if rows := {number: finding for number, finding in wanted.items() if finding.kind not in HOT}:
        results |= mend_rows(shop, examined, rows)
    for number, why in results.items():
        done[number] = Outcome(number, items[number], "refused" if why else "mended", why)
    return done


def _refusal(item: Item, finding: Finding, oversold: set[str]) -> str:
    if finding.refusal:
        return finding.refusal
    if finding.sku in oversold:
        return f"{finding.sku} is oversold: mending would hide it"
    if not _agrees(item, finding):
        return f"the log says {finding.log!r} and there stands {finding.seen!r}: make a new plan"
    return ""


def _agrees(item: Item, finding: Finding) -> bool:
    """Whether the plan still says what differs. Counters move on while a sale is open, what they differ by does not."""
    if (item.seen, item.wanted) == (finding.seen, finding.log):
        return True
    if item.kind not in ("hot-counter", "buyer-limit"):
        return False
    planned, found = _change(item.seen, item.wanted), _change(finding.seen, finding.log)
    return planned is not None and planned == found


def _change(seen: str | None, wanted: str | None) -> list[int] | None:
    """What would be added to each number; a buyer without a record has 0."""
    before, after = ((text or "0").split(" ") for text in (seen, wanted))
    numbers = all(word.isascii() and word.isdecimal() for word in before + after)
    if len(before) != len(after) or not numbers:
        return None
    return [int(new) - int(old) for old, new in zip(before, after, strict=True)]


def _mend_hot(shop: Shop, examined: Examined, findings: dict[int, Finding]) -> dict[int, str]:
    """Item number → why it was refused; "" when it was mended."""
    assert examined.hot is not None
    why: dict[int, str] = {}
    # Orders first: a hold is judged by its order's record.
    numbers = sorted(findings, key=lambda number: (findings[number].kind != "hot-order", number))
    mended = examined.hot.mended
    for at in range(0, len(numbers), MEND_MAX):
        part = numbers[at : at + MEND_MAX]
        read = _quiet_until(shop, examined.report.shard, examined.hot.position)
        mends = [_mend(findings[number]) for number in part]
        answers = shop.client.mend(examined.report.shard, read, mended, mends)
        for number, answer in zip(part, answers, strict=True):
            why[number] = _meaning(examined.report.shard, answer.code)
        mended += any(answer.code is Code.MENDED for answer in answers)
    return why


_MENDS: dict[str, Literal["order", "units", "hold", "setting"]] = {
    "hot-order": "order",
    "buyer-limit": "units",
    "stuck-hold": "hold",
    "hot-setting": "setting",
}


def _mend(finding: Finding) -> Mend:
    key, seen, log = finding.key, finding.seen, finding.log
    if finding.kind == "hot-setting" and key.startswith(LIMIT_FIELD):
        return Mend("limit", key.removeprefix(LIMIT_FIELD), seen, log)
    change = _change(seen, log)
    if finding.kind == "buyer-limit" and change is not None:
        return Mend("owned", key, None, f"{change[0]:+d}")
    if finding.kind != "hot-counter":
        return Mend(_MENDS[finding.kind], key, seen, log, finding.guard)
    if seen is None or log is None or change is None:
        return Mend("stock", key, seen, log)
    return Mend("counters", key, None, " ".join(f"{number:+d}" for number in change))


def _meaning(shard: ShardId, code: Code) -> str:
    if code in (Code.MENDED, Code.DONE):
        return ""
    if code is Code.BELOW_ZERO:
        return "a counter would go below zero: mending would hide an oversell"
    if code in (Code.CHANGED, Code.STALE):
        return CHANGED
    raise Halted(f"{shard}: Redis answers {code}: see `flashsale recover`")


def _quiet_until(shop: Shop, shard: ShardId, after: Position) -> Position:
    """Up to where nobody changed a setting since the look; the script looks at what came later."""
    for _ in range(PAGES_MAX):
        page = shop.log.entries(shard, after)
        if page and not after.precedes(page[0].position):
            return after  # trimmed meanwhile: the script sees that something follows, and changes no setting
        for entry in page:
            if (entry.body or b"").startswith((b'["sale.', b'["stock.')):
                return after
            after = entry.position
        if len(page) < PAGE_MAX:
            break
    return after
