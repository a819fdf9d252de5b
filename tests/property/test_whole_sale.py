"""Whatever happens to a sale and its servers: nothing is oversold, lost, or applied twice. See `make model-deep`."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.helpers import wait_until
from tests.property.course import Trouble
from tests.property.stores import Failpoint, Stores
from tests.property.whole_sale import WholeSale

#: Set by `make model-deep`; else the test takes 30 s, and ends its last round.
DEEP_MINUTES = float(os.environ.get("FLASHSALE_MODEL_MINUTES", "0"))
SECONDS = DEEP_MINUTES * 60 or 30
EXAMPLES_A_ROUND = 25 if DEEP_MINUTES else 5
STEPS = 50 if DEEP_MINUTES else 30
#: A failing history is made smaller before it is shown.
SHRINKING_S = 600


@pytest.mark.timeout(SECONDS + SHRINKING_S)
def test_any_history_keeps_every_promise(stores: Stores) -> None:
    machine = type("WholeSale", (WholeSale,), {"stores": stores})
    began_s = time.monotonic()
    while time.monotonic() < began_s + SECONDS:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES_A_ROUND,
                stateful_step_count=STEPS,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    if DEEP_MINUTES:
        assert {point.name for point in Failpoint} <= {name.partition(",")[0] for name in stores.bites}


@pytest.mark.parametrize("dies", [False, True], ids=["lives", "dies"])
@pytest.mark.parametrize("failpoint", Failpoint, ids=lambda point: point.name.lower())
def test_each_failpoint_bites(stores: Stores, failpoint: Failpoint, *, dies: bool) -> None:
    machine = type("WholeSale", (WholeSale,), {"stores": stores})()
    orders = iter(range(1_000))

    def reserve() -> None:
        machine.reserve([(f"0-order-{next(orders)}", f"buyer-{i}", "A", "1") for i in range(2)], "head")

    def bites() -> bool:
        stores.slots["p1"].step(failpoint, dies=dies)
        return stores.bites.total() > before

    machine.begin(limit="0", hold="3600000", first=[("0-first", "ann", "A", "1")], begin="selling")
    machine.drain()
    reserve()
    trouble = Trouble(stores.side, machine.place)
    trouble.steal(2)  # what it has in hand is there to be claimed
    if failpoint is Failpoint.GROUP_MADE_UNHEARD:
        trouble.destroy(0)
    stores.slots["p0"].end()
    before = stores.bites.total()
    wait_until(bites, 30, f"{failpoint} bites")
    reserve()

    machine.teardown()  # brings it to its end, and compares everything
