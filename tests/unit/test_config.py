"""Settings: where each comes from, which one wins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from flashsale.config import load
from flashsale.settings import Settings
from tests.unit.config_kit import home, refusal

__all__ = ["home"]


def file_with(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_given_is_all_defaults(home: Path) -> None:
    config = load({}, {}, home=home)

    assert config.settings == Settings()
    assert set(config.origins.values()) == {"default"}


def test_flag_wins_over_environment_over_file_over_default(home: Path, tmp_path: Path) -> None:
    file = file_with(
        tmp_path / "f.toml", 'log_level = "error"\nlog_format = "json"\nbatch_max = 7\nmax_rate = 5\n'
    )
    environ = {"FLASHSALE_LOG_LEVEL": "warning", "FLASHSALE_LOG_FORMAT": "plain", "FLASHSALE_BATCH_MAX": "8"}

    config = load({"log_level": "debug", "data_dir": None}, environ, file, home)

    found = config.settings
    assert (found.log_level, found.log_format, found.batch_max, found.max_rate) == ("debug", "plain", 8, 5)
    assert config.origins == {
        **dict.fromkeys(Settings.__struct_fields__, "default"),
        "log_level": "flag",
        "log_format": "environment FLASHSALE_LOG_FORMAT",
        "batch_max": "environment FLASHSALE_BATCH_MAX",
        "max_rate": f"file {file}",
    }


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({}, "home/.config/flashsale/flashsale.toml"),
        ({"XDG_CONFIG_HOME": "{}/xdg"}, "xdg/flashsale/flashsale.toml"),
        ({"FLASHSALE_CONFIG": "{}/named.toml"}, "named.toml"),
    ],
)
def test_where_the_file_is_looked_for(
    home: Path, tmp_path: Path, environ: dict[str, str], place: str
) -> None:
    file = file_with(tmp_path / place, "batch_max = 7")
    environ = {name: value.format(tmp_path) for name, value in environ.items()}

    assert load({}, environ, home=home).origins["batch_max"] == f"file {file}"


def test_a_directory_that_no_system_can_have_holds_no_settings(home: Path) -> None:
    assert load({}, {"XDG_CONFIG_HOME": "k" * 300}, home=home).origins["batch_max"] == "default"


def test_empty_variables_are_as_good_as_none(home: Path) -> None:
    assert load({}, {"FLASHSALE_REDIS_URL": "", "FLASHSALE_CONFIG": ""}, home=home).settings.redis_url is None


def test_a_secret_may_stand_in_a_file_of_its_own(home: Path, tmp_path: Path) -> None:
    secret = file_with(tmp_path / "url", "redis://:hidden@localhost:6379/0\n")

    config = load({}, {"FLASHSALE_REDIS_URL_FILE": str(secret)}, home=home)

    assert config.settings.redis_url == "redis://:hidden@localhost:6379/0"
    assert config.origins["redis_url"] == "environment FLASHSALE_REDIS_URL_FILE"


def test_what_is_shown_has_no_password_and_every_origin(home: Path) -> None:
    config = load({}, {"FLASHSALE_POSTGRES_URL": "postgresql://u:hidden@h/db"}, home=home)

    shown = config.shown()

    assert shown["postgres_url"].value == "postgresql://u:***@h/db"
    assert shown["redis_url"].value is None
    assert {name: value.origin for name, value in shown.items()} == config.origins
    assert "hidden" not in repr(shown)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"FLASHSALE_BATCH_MAX": "many"}, "use a whole number (environment FLASHSALE_BATCH_MAX)"),
        ({"FLASHSALE_BATCH_MAX": "1e3"}, "batch_max: '1e3'"),
        ({"FLASHSALE_BATCH_MAX": "1.0"}, "batch_max: '1.0'"),
        ({"FLASHSALE_BATCH_MAX": "-1"}, "batch_max: '-1'"),
        ({"FLASHSALE_BATCH_MAX": "0"}, "batch_max: 0 is not accepted; use 1 to 10000"),
        ({"FLASHSALE_BATCH_MAX": "10001"}, "batch_max: 10001 is not accepted"),
        ({"FLASHSALE_MAX_RATE": "nan"}, "max_rate: 'nan'"),
        ({"FLASHSALE_REPLY_TIMEOUT_MS": "9"}, "reply_timeout_ms: 9 is not accepted; use 10 to 600000"),
        ({"FLASHSALE_LOG_LEVEL": "\udcff"}, r"log_level: '\udcff' is not accepted; use debug, info, warning, error"),
        ({"FLASHSALE_CONFIG": "k" * 300}, "(302 characters) is not accepted; name a TOML file that exists"),
        ({"FLASHSALE_LOG_LEVEL": "loud"}, "log_level: 'loud' is not accepted; use debug, info, warning, error"),
        ({"FLASHSALE_LOG_FORMAT": "xml"}, "use auto, json, plain (environment FLASHSALE_LOG_FORMAT)"),
        ({"FLASHSALE_REDIS_URL": "localhost"}, "redis_url: 'localhost' is not accepted; write it like redis://HOST:6379/0"),
        ({"FLASHSALE_REDIS_URL": "http://:hidden@h"}, "redis_url: 'http://:***@h' is not accepted"),
        ({"FLASHSALE_REDIS_URL": "redis://h:port"}, "redis_url: 'redis://h:port'"),
        ({"FLASHSALE_POSTGRES_URL": "mysql://h/db"}, "write it like postgresql://USER@HOST:5432/DATABASE"),
        ({"FLASHSALE_POSTGRES_URL": "flashsale"}, "postgres_url: 'flashsale'"),
        ({"FLASHSALE_REDIS_URL_FILE": "/nowhere/url"}, "the file cannot be read"),
        ({"FLASHSALE_CONFIG": "/nowhere/f.toml"}, "is not accepted; name a TOML file that exists"),
    ],
)  # fmt: skip
def test_values_from_the_environment_that_are_refused(
    home: Path, environ: dict[str, str], message: str
) -> None:
    assert message in refusal(environ, home)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batch = 1", "batch: 'in {}' is not accepted; there is no such setting; did you mean batch_max?"),
        ("zzz = 1", "there is no such setting; known are redis_url, "),
        ('batch_max = "7"', "batch_max: '7' is not accepted; use a whole number (file {})"),
        ("batch_max = 7.0", "batch_max: 7.0 is not accepted; use a whole number"),
        ("batch_max = true", "batch_max: True is not accepted"),
        ("batch_max = nan", "batch_max: nan is not accepted"),
        ("redis_url = 5", "redis_url: 5 is not accepted; use text"),
        ("data_dir = [1]", "data_dir: [1] is not accepted; use text"),
        ("batch_max = ", "it cannot be read as TOML: "),
        ("batch_max = 1\nbatch_max = 2", "Cannot overwrite a value"),
        (f"batch_max = {'9' * 5000}", "it cannot be read as TOML: "),
        ("batch_max = " + "[" * 5000, "it cannot be read as TOML: "),
    ],
)
def test_files_that_are_refused(home: Path, tmp_path: Path, text: str, message: str) -> None:
    file = file_with(tmp_path / "f.toml", text)
    assert message.format(file) in refusal({"FLASHSALE_CONFIG": str(file)}, home)


def test_a_secret_that_never_ends_is_refused(home: Path) -> None:
    assert "it is a device or a pipe" in refusal({"FLASHSALE_REDIS_URL_FILE": "/dev/zero"}, home)


def test_a_file_that_is_not_utf_8(home: Path, tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_bytes(b'data_dir = "\xff"')
    assert "it cannot be read as TOML" in refusal({"FLASHSALE_CONFIG": str(tmp_path / "f.toml")}, home)


def test_a_credential_of_the_unit_wins_over_the_file_and_loses_to_the_environment(
    home: Path, tmp_path: Path
) -> None:
    file_with(tmp_path / "credentials/redis_url", "redis://:secret@one/0\n")
    file_with(tmp_path / "credentials/batch_max", "9\n")
    settings = file_with(tmp_path / "f.toml", 'redis_url = "redis://two/0"\n')
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials"), "FLASHSALE_BATCH_MAX": "8"}

    config = load({}, environ, settings, home)

    assert (config.settings.redis_url, config.settings.batch_max) == ("redis://:secret@one/0", 8)
    assert config.origins["redis_url"] == "credential redis_url"
    assert config.shown()["redis_url"].value == "redis://:***@one/0"


def test_a_bad_credential_is_named_and_not_shown(home: Path, tmp_path: Path) -> None:
    file_with(tmp_path / "redis_url", "redis://:secret@one/zero")
    told = refusal({"CREDENTIALS_DIRECTORY": str(tmp_path)}, home)
    assert "credential redis_url" in told
    assert "secret" not in told
