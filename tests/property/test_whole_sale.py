"""Whatever happens to a sale and its servers: nothing is oversold, lost, or applied twice. See `make model-deep`.

Some tests here take a deliberately wrong script or statement, and fail unless the machine finds it.
"""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.stores import Failpoint, Stores
from tests.property.whole_sale import WholeSale

#: Set by `make model-deep`; else the test may take 40 s and one more round.
DEEP_MINUTES = float(os.environ.get("FLASHSALE_MODEL_MINUTES", "0"))
SECONDS = DEEP_MINUTES * 60 or 40
EXAMPLES_A_ROUND = 100 if DEEP_MINUTES else 8
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
