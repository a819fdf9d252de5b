"""What the tests of the settings share."""

from __future__ import annotations

from pathlib import Path

import pytest

from flashsale.config import load
from flashsale.errors import BadInput


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def refusal(environ: dict[str, str], home: Path, flags: dict[str, object] | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        load(flags or {}, environ, home=home)
    return str(caught.value)
