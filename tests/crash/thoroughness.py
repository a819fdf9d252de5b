"""How much of what can be enumerated is tried: `make test` takes a part, chosen with care; `make crash-full` all."""

import os


def every_case() -> bool:
    """Whether the run has time for every case."""
    return "FLASHSALE_TEST_EVERY_CASE" in os.environ
