"""How much of what could be enumerated is tried: `make test` takes a part that is chosen with care, `make crash` all."""

import os


def every_case() -> bool:
    """Whether the run has time for every case."""
    return "FLASHSALE_TEST_EVERY_CASE" in os.environ
