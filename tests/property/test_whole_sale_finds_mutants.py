"""The machine of the whole sale can fail: each of these deliberately wrong scripts and statements is found by it."""

from __future__ import annotations

import psycopg
import pytest
import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import FlakyFailure, FlakyStrategyDefinition
from hypothesis.stateful import run_state_machine_as_test

from flashsale import scripts
from flashsale.errors import FlashsaleError
from flashsale.projections import apply, queries
from flashsale.scripts import Script
from tests.fixtures.read_side import ReadSide
from tests.lua import kit
from tests.property.stores import Stores
from tests.property.whole_sale import WholeSale

#: At most; most are found in the first ten.
EXAMPLES = 150
EXAMPLES_OF_THE_RIGHT = 5
#: What a wrong line leads to: an answer or a row that is not the model's, or a server that refuses what follows.
FOUND = (AssertionError, redis.ResponseError, psycopg.Error, FlashsaleError)
#: A busy machine may end a hold in one of two equal histories: then they are played again.
ATTEMPTS = 3
#: Found in a few seconds, and in many more while the machine is busy.
FOUND_S = 600

#: What is wrong: the script, the lines that are replaced, and by what.
LUA = {
    "cancelled units are not sold again": (
        "cancel",
        "left.available = left.available + order.quantity\nleft.held",
        "left.held",
    ),
    "units that expired are sold twice": (
        "expire",
        "left.available = left.available + order.quantity\n",
        "left.available = left.available + 2 * order.quantity\n",
    ),
    "holds end before their time": ("expire", "'-inf', now,", "'-inf', '+inf',"),
    "nobody asks for the limit": ("reserve", "left.limit > 0 and mine + quantity > left.limit", "false"),
    "a repeat is a new order": ("reserve", "if record then\nanswer =", "if false then\nanswer ="),
    "a late payment takes no units": ("confirm", "left.available = left.available - order.quantity\n", ""),
    "the buyer's units are not given back": (
        "refund",
        "release_units(batch, order)\nend\nlocal function refund",
        "end\nlocal function refund",
    ),
}
#: What is wrong in `apply_batch`: pairs of what is replaced, and by what.
SQL = {
    "no dedupe: neither fence nor checkpoint nor archive stops a repeat": [
        ("AND fence = %(fence)s\n      AND epoch = %(from_epoch)s AND seq = %(from_seq)s", ""),
        ("ON CONFLICT DO NOTHING", ""),
    ],
    "the first event of an order wins": [
        ("ORDER BY order_id, epoch DESC, seq DESC", "ORDER BY order_id, epoch, seq")
    ],
    "the last event of a batch is not archived": [
        ("WHERE EXISTS (SELECT 1 FROM moved)", "WHERE seq < %(to_seq)s AND EXISTS (SELECT 1 FROM moved)")
    ],
    "stock is only ever inserted": [
        ("WHERE (s.epoch, s.seq) < (excluded.epoch, excluded.seq)", "WHERE false")
    ],
}


class Calm(WholeSale):
    """Without what takes long: the wrong line is to be found, not the fault that it survives."""

    lose_a_server = replay = recover = damage_and_mend = back_up = None  # type: ignore[assignment]  # no rules any more

    def archived(self, side: ReadSide) -> None: ...


class Followed(Calm):
    """Only what makes events, and what applies them."""

    load = open = room = reconfigure = change_state = reserve_again = None  # type: ignore[assignment]  # the same
    meddle = trim = lose_the_session = clock_jumps = None  # type: ignore[assignment]  # the same


def look(stores: Stores, examples: int, machine: type[WholeSale] = Calm) -> None:
    """Run the machine, the same histories each time; raises what it finds."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    for attempt in range(1, ATTEMPTS + 1):
        try:
            run_state_machine_as_test(type(machine.__name__, (machine,), {"stores": stores}), settings=chosen)
        except FlakyFailure as found:  # once is enough
            raise found.exceptions[0] from found
        except FlakyStrategyDefinition:
            if attempt == ATTEMPTS:
                raise
        else:
            return


@pytest.mark.timeout(FOUND_S)
def test_nothing_is_found_where_nothing_is_wrong(stores: Stores) -> None:
    look(stores, EXAMPLES_OF_THE_RIGHT)


@pytest.mark.timeout(FOUND_S)
@pytest.mark.parametrize("wrong", LUA)
def test_a_wrong_script_is_found(stores: Stores, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    name, right_lines, wrong_lines = LUA[wrong]

    def mutant(asked: str) -> Script:
        script = scripts.script(asked)
        if asked != name:
            return script
        assert script.source.count(right_lines) == 1
        return script._replace(source=script.source.replace(right_lines, wrong_lines))

    monkeypatch.setattr(kit, "script", mutant)

    with pytest.raises(FOUND):
        look(stores, EXAMPLES)


@pytest.mark.timeout(FOUND_S)
@pytest.mark.parametrize("wrong", SQL)
def test_a_wrong_statement_is_found(stores: Stores, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    def mutant(file: str, name: str) -> str:
        statement: str = queries.query(file, name)
        for right, other in SQL[wrong] if name == "apply_batch" else []:
            assert right in statement
            statement = statement.replace(right, other)
        return statement

    monkeypatch.setattr(apply, "query", mutant)

    with pytest.raises(FOUND):
        look(stores, EXAMPLES, Followed)
