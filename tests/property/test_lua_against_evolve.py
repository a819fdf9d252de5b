"""Random histories on a real server: every answer is the model's, and the log folds to exactly the hot state."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from flashsale.commands import sale_state
from flashsale.ids import START
from tests.property.selling import Selling

EXAMPLES = 60
STEPS = 40


class Sale(Selling):
    """A sale on a Redis of its own."""

    @invariant()
    def everything_agrees(self) -> None:
        """The log, the hot state and the model are three tellings of the same history."""
        self.agree(self.shard.check())

    @invariant()
    def the_words_agree(self) -> None:
        """`sale list` says of the sale what its scripts answer."""
        snapshot = self.shard.snapshot()
        self.model.now_ms = snapshot.now_ms
        assert sale_state(snapshot, START) == (self.model.state_now or "defined")


def test_random_histories_are_answered_as_promised_and_add_up(redis_url: str, clean_redis: object) -> None:
    machine = type("Sale", (Sale,), {"redis_url": redis_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
