"""`flashsale gateway`: what needs no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from flashsale.cli.run import run
from flashsale.gateway.tokens import Caller, Tokens

SECRET = "s" * 40


pytestmark = pytest.mark.usefixtures("keys", "own_logs")


def test_a_new_secret_is_long_enough_and_new(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gateway", "secret"]) == run(["gateway", "secret"]) == 0
    first, second = capsys.readouterr().out.split()
    assert first != second
    Tokens([first, second])


def test_a_token_for_whoever_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gateway", "token", "--buyer", "ada"]) == 0
    assert run(["gateway", "token", "--service", "till", "--lifetime", "5"]) == 0
    buyer, service = capsys.readouterr().out.split()
    assert Tokens([SECRET]).read(buyer) == Caller("buyer", "ada")
    assert Tokens([SECRET]).read(service) == Caller("service", "till")


@pytest.mark.parametrize(
    "args",
    [
        ("token",),
        ("token", "--buyer", "ada", "--service", "till"),
        ("token", "--buyer", "a b"),
        ("token", "--buyer", "ada", "--lifetime", "0"),
        ("run", "--listen", "8080"),
        ("run", "--connections-max", "0"),
        ("run", "--available-max", "9"),
        ("run", "--name", "a b"),
        ("run", "--demo-auth", "--listen", "0.0.0.0:0"),
    ],
)
def test_what_is_typed_wrong_is_told_in_a_sentence(
    args: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["gateway", *args]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")


@pytest.mark.parametrize("content", ["", "short", f"{SECRET} short"])
def test_without_a_secret_worth_the_name_it_does_not_start(
    content: str, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys.write_text(content, encoding="utf-8")
    assert run(["gateway", "run", "--listen", "127.0.0.1:0"]) == 2
    told = capsys.readouterr().err
    assert "gateway_keys" in told
    assert "short" not in told
    assert SECRET not in told
    # Another secret, made because this one was forgotten, would sign nothing that a gateway believes.
    assert ("/etc/credstore/flashsale.gateway_keys; if no gateway has one yet" in told) == (content == "")


def test_secrets_are_not_shown_when_they_are_written_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FLASHSALE_GATEWAY_KEYS_FILE")
    file = tmp_path / "flashsale.toml"
    file.write_text(f'gateway_keys = ["{SECRET}"]', encoding="utf-8")
    assert run(["config", "show", "--config", str(file)]) == 2
    told = capsys.readouterr().err
    assert "gateway_keys" in told
    assert SECRET not in told


def test_secrets_are_never_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show"]) == run(["config", "show", "--json"]) == 0
    told = capsys.readouterr()
    assert "gateway_keys" in told.out
    assert SECRET not in told.out + told.err
