"""Which versions of the servers have holes that are known."""

from __future__ import annotations

import pytest

from flashsale.doctor.versions import HOLES, holes, torn_scripts


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
        ("Redis", "8.0.6", "warn"),
        ("Redis", "8.2.8", "warn"),
        ("Redis", "8.2.9", "warn"),
        ("Redis", "8.2.10", "ok"),
        ("Redis", "8.4.5", "warn"),
        ("Redis", "8.4.6", "ok"),
        ("Redis", "8.6.5", "warn"),
        ("Redis", "8.8.2", "warn"),
        ("Redis", "8.8.3", "ok"),
        ("Redis", "8.10.1", "warn"),
        ("Redis", "8.10.2", "ok"),
        ("Redis", "9.0.0", "ok"),
        ("Valkey", "8.1.3", "fail"),
        ("Valkey", "8.1.4", "warn"),
        ("Valkey", "8.0.5", "fail"),
        ("Valkey", "8.0.9", "warn"),
        ("Valkey", "8.0.10", "ok"),
        ("Valkey", "8.1.7", "warn"),
        ("Valkey", "8.1.9", "ok"),
        ("Valkey", "9.0.4", "warn"),
        ("Valkey", "9.0.5", "ok"),
        ("Valkey", "9.1.0", "warn"),
        ("Valkey", "9.1.1", "warn"),
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


@pytest.mark.parametrize(
    ("server", "version", "verdict"),
    [
        ("Redis", "7.0.15", "warn"),
        ("Redis", "8.10.2", "warn"),
        ("Valkey", "8.0.10", "warn"),
        ("Valkey", "8.0.11", "ok"),
        ("Valkey", "8.1.9", "warn"),
        ("Valkey", "8.1.10", "ok"),
        ("Valkey", "9.0.6", "ok"),
        ("Valkey", "9.1.1", "warn"),
        ("Valkey", "9.1.2", "ok"),
        ("Valkey", "9.2.0", "ok"),
        ("Valkey", "", "warn"),
    ],
)
def test_which_mend_a_script_that_a_power_cut_tore(server: str, version: str, verdict: str) -> None:
    assert torn_scripts(server, version).verdict == verdict
