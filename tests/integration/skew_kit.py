"""An earlier release, as far as what it knows of events goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flashsale.events import codec
from flashsale.events.types import OrderRefunded


@contextmanager
def earlier_release() -> Iterator[None]:
    """What runs within was written before a refund said where its units go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OrderRefunded, "VERSION", 1)
        known = dict(codec._CURRENT)  # noqa: SLF001 - what a release knows is no setting
        patch.setattr(codec, "_CURRENT", known | {OrderRefunded: 1})
        yield
