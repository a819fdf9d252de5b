"""What unit tests share: how Hypothesis runs, and a process that a command may serve from.

Hypothesis runs without a clock, for a busy machine makes every test slow now and then.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

settings.register_profile("flashsale", deadline=None)
settings.load_profile("flashsale")


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the secret that signs tokens, in a home without settings."""
    file = tmp_path / "keys"
    file.write_text("s" * 40, encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FLASHSALE_GATEWAY_KEYS_FILE", str(file))
    return file


@pytest.fixture
def own_logs() -> Iterator[None]:
    """A command that serves sends the logs of its process to a stream that ends with the test: put them back."""
    handlers = logging.root.handlers[:]
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    logging.root.handlers[:] = handlers
