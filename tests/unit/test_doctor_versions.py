"""Which versions of the servers have holes that are known."""

from __future__ import annotations

import pytest

from flashsale.doctor.versions import HOLES, holes


@pytest.mark.parametrize(
    ("server", "version", "verdict"),
    [
        ("Redis", "7.0.15", "warn"),
        ("Redis", "7.2.10", "fail"),
        ("Redis", "7.2.11", "warn"),
        ("Redis", "7.2.16", "ok"),
        ("Redis", "7.4.5", "fail"),
        ("Redis", "7.4.11", "ok"),
        ("Redis", "8.0.3", "fail"),
        ("Redis", "8.2.1", "fail"),
        ("Redis", "8.2.2", "warn"),
        ("Redis", "8.2.8", "ok"),
        ("Redis", "8.6.5", "warn"),
        ("Redis", "8.8.2", "ok"),
        ("Redis", "9.0.0", "ok"),
        ("Valkey", "8.1.3", "fail"),
        ("Valkey", "8.1.4", "warn"),
        ("Valkey", "8.1.7", "ok"),
        ("Valkey", "9.0.4", "warn"),
        ("Valkey", "9.1.0", "warn"),
        ("Valkey", "9.1.2", "ok"),
        ("Redis", "7.2", "fail"),
        ("Redis", "", "ok"),
    ],
)
def test_known_holes(server: str, version: str, verdict: str) -> None:
    found = holes(server, version)
    assert found.verdict == verdict
    assert bool(found.remedy) == (verdict != "ok")


def test_the_worst_hole_of_a_branch_is_told_first() -> None:
    verdicts = [hole.verdict for hole in HOLES]
    assert verdicts == sorted(verdicts, key=["fail", "warn"].index)
