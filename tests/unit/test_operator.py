"""The operator page: what needs no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from flashsale.address import Address
from flashsale.cli.run import run
from flashsale.errors import BadInput
from flashsale.gateway.seal import Untrue
from flashsale.gateway.tokens import Caller, Tokens
from flashsale.operator.people import NAME_LENGTH_MAX, Person, PersonTokens
from flashsale.operator.server import Options
from flashsale.operator.sessions import SESSIONS_MAX, Attempts, Sessions
from flashsale.operator.visit import FIELDS_MAX, fields

SECRET = "s" * 40
ADA = Person("operator", "ada")
FAR_S = 4_000_000_000


pytestmark = pytest.mark.usefixtures("keys", "own_logs")


def test_a_token_for_whoever_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["operator", "token", "--operator", "ada"]) == 0
    assert run(["operator", "token", "--viewer", "vic", "--lifetime", "5"]) == 0
    ada, vic = capsys.readouterr().out.split()
    assert PersonTokens([SECRET]).read(ada)[0] == ADA
    assert PersonTokens([SECRET]).read(vic)[0] == Person("viewer", "vic")


def test_tokens_of_the_gateway_and_of_people_open_each_one_door() -> None:
    with pytest.raises(Untrue):
        PersonTokens([SECRET]).read(Tokens([SECRET]).issue(Caller("service", "ada"), 60))
    with pytest.raises(Untrue):
        Tokens([SECRET]).read(PersonTokens([SECRET]).issue(ADA, 60))


def test_a_token_ends() -> None:
    with pytest.raises(Untrue, match="expired"):
        PersonTokens([SECRET]).read(PersonTokens([SECRET]).issue(ADA, 0))


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "-a", "x" * (NAME_LENGTH_MAX + 1), "é"])
def test_names_that_the_log_cannot_hold(name: str) -> None:
    with pytest.raises(BadInput):
        Person("operator", name)


@pytest.mark.parametrize(
    "args",
    [
        ("token",),
        ("token", "--viewer", "ada", "--operator", "ada"),
        ("token", "--operator", "a b"),
        ("token", "--operator", "ada", "--lifetime", "0"),
        ("run", "--listen", "8081"),
        ("run", "--listen", "0.0.0.0:0"),
    ],
)
def test_what_is_typed_wrong_is_told_in_a_sentence(
    args: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["operator", *args]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")


@pytest.mark.parametrize("content", ["", "short", f"{SECRET} short"])
def test_without_a_secret_worth_the_name_it_does_not_start(
    content: str, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys.write_text(content, encoding="utf-8")
    assert run(["operator", "run", "--listen", "127.0.0.1:0"]) == 2
    assert "gateway_keys" in capsys.readouterr().err


def test_behind_tls_it_may_listen_anywhere() -> None:
    assert Options(Address("0.0.0.0", 0), behind_tls=True).behind_tls  # noqa: S104 - nothing is bound
    with pytest.raises(BadInput, match="--behind-tls"):
        Options(Address("0.0.0.0", 0))  # noqa: S104 - the same


def test_a_session_is_found_until_it_ends() -> None:
    sessions = Sessions()
    ada, past = sessions.begin(ADA, FAR_S), sessions.begin(ADA, 1)
    found = sessions.find(ada)
    assert found is not None
    assert found.person == ADA
    assert sessions.find(past) is None
    assert sessions.find(None) is None
    assert sessions.find("") is None
    sessions.end(ada)
    assert sessions.find(ada) is None


def test_sessions_are_so_many_and_the_oldest_makes_room() -> None:
    sessions = Sessions()
    first, *others = [sessions.begin(ADA, FAR_S) for _ in range(SESSIONS_MAX + 1)]
    assert sessions.find(first) is None
    assert all(sessions.find(other) for other in others)


def test_a_notice_is_told_once() -> None:
    sessions = Sessions()
    login = sessions.find(sessions.begin(ADA, FAR_S))
    assert login is not None
    login.notice = "done"
    assert [login.take_notice(), login.take_notice()] == ["done", ""]


def test_attempts_are_counted_by_address_within_a_window() -> None:
    attempts = Attempts()
    for second in range(Attempts.FAILURES_MAX):
        assert attempts.wait_s("a", second) == 0
        attempts.failed("a", second)
    now_s = Attempts.FAILURES_MAX
    assert attempts.wait_s("a", now_s) == Attempts.WINDOW_S - now_s
    assert attempts.wait_s("b", now_s) == 0
    assert attempts.wait_s("a", Attempts.WINDOW_S + 0.5) == 0


def test_addresses_are_so_many() -> None:
    attempts = Attempts()
    for _ in range(Attempts.FAILURES_MAX):
        attempts.failed("first", 0)
    assert attempts.wait_s("first", 1)
    for number in range(Attempts.ADDRESSES_MAX):
        attempts.failed(str(number), 1)
    assert attempts.wait_s("first", 1) == 0


def test_what_a_form_says() -> None:
    assert fields("a=1&b=+x+y+&c=&d=%2B5") == {"a": "1", "b": "x y", "d": "+5"}
    assert fields("") == {}
    for wrong in ("a=1&a=2", "a=%ff", "&".join(f"f{n}=1" for n in range(FIELDS_MAX + 1))):
        with pytest.raises(BadInput):
            fields(wrong)
