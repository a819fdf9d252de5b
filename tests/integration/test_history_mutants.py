"""Every lie that a log or a client's history can tell is found, by the check that is there for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flashsale.verify import HISTORY_RULES
from tests.integration import history_mutants_done, history_mutants_log, history_mutants_told
from tests.integration.history_kit import Recorded
from tests.integration.history_mutants import Change
from tests.integration.history_sale import record
from tests.integration.history_story import Op, Story

MUTANTS = history_mutants_done.MUTANTS | history_mutants_told.MUTANTS | history_mutants_log.MUTANTS

#: Places at which each is tried, at most.
PICKS_MAX = 6


@pytest.fixture(scope="module")
def recorded(module_redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return record(module_redis_url, tmp_path_factory.mktemp("histories"))


def test_a_real_sale_keeps_every_promise(recorded: Recorded) -> None:
    report = Story.of(recorded).verified()

    assert report.violations == []
    assert report.history is not None
    assert report.history.violations == []
    assert all(counts.requests > 1 for counts in report.history.clients.values())
    assert sum(counts.unknown for counts in report.history.clients.values()) > 3


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found_and_named(recorded: Recorded, name: str) -> None:
    change, rules = MUTANTS[name]
    mutants = list(mutants_of(recorded, change))
    assert mutants

    for pick, (mutant, op) in enumerate(mutants):
        report = mutant.verified()
        assert report.history is not None
        if op is None:
            named = {violation.rule for violation in report.violations} | set(report.history.broken)
        else:
            named = {
                violation.rule
                for violation in report.history.violations
                if (violation.history, violation.op) == op.key
            }
        assert named & rules, (pick, op, report.violations, report.history.violations)


def mutants_of(recorded: Recorded, change: Change) -> Iterator[tuple[Story, Op | None]]:
    """The same lie at one place after the other."""
    for pick in range(PICKS_MAX):
        mutant = Story.of(recorded)
        try:
            op = change(mutant, pick)
        except IndexError:
            return
        yield mutant, op


def test_every_promise_to_clients_has_a_mutant() -> None:
    assert {rule for _, rules in MUTANTS.values() for rule in rules} >= set(HISTORY_RULES)
