"""URLs among the settings: what is accepted, and how their passwords are kept out of sight."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from flashsale.config import Config, load, mask
from flashsale.errors import BadInput
from flashsale.projections.database import connect
from tests.unit.config_kit import home, refusal

__all__ = ["home"]


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://localhost", "redis://localhost"),
        ("redis://:hidden@localhost", "redis://:***@localhost"),
        ("rediss://user:hidden@[::1]:6380/2", "rediss://user:***@[::1]:6380/2"),
        ("postgresql://u:p%40ss@h/db", "postgresql://u:***@h/db"),
        ("postgresql://h/db?password=hidden", "***"),
        ("host=h password=hidden", "***"),
        ("redis://[::1", "***"),
        ("redis://:hid#den@localhost/0", "redis://:***@localhost/0"),
        ("postgresql://u:hid/den@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:hid den@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:hid@den@h/db?password=hidden", "***"),
        ("postgresql://h:5432/db?user=u@example.com", "postgresql://h:5432/db?user=u@example.com"),
    ],
)
def test_passwords_are_masked(url: str, masked: str) -> None:
    assert mask(url) == masked


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hid%zzden@h/db",
        "postgresql://u:hid den@h/db",
        "postgresql://h/db?password=hid%zzden",
        "host=h password=x hidden",
    ],
)
def test_what_libpq_says_of_a_url_does_not_repeat_its_password(url: str) -> None:
    with pytest.raises(BadInput, match="libpq cannot read it") as caught:
        connect(url)

    assert "hid" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("redis_url", "redis://:hidden@h"),
        ("postgres_url", "postgresql://u:hidden@h/db"),
        ("postgres_url", "host=h password=hidden"),
    ],
)
def test_a_password_on_the_command_line_is_refused_and_not_repeated(home: Path, name: str, url: str) -> None:
    message = refusal({}, home, {name: url})
    assert f"set FLASHSALE_{name.upper()}" in message
    assert "hidden" not in message


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("unix:///run/redis.sock?db=abc", "its db is none: use a number, 0 or more"),
        ("unix:///run/redis.sock?db=-1", "its db is none"),
        ("unix:///run/redis.sock?db=", "its db is none"),
        ("unix:///run/redis.sock?db=1&db=2", "say db once"),
        ("redis://h/1?db=2", "say db once"),
        ("redis://h/abc", "after its host comes the number of a database, or nothing"),
        ("redis://h/1/2", "after its host comes the number of a database"),
        ("redis://h/1e3", "after its host comes the number of a database"),
        ("redis://h?timeout=x", "it has an option that is not known; known are db, username, password, client_name"),
        ("redis://h?retry_on_timeout=true", "it has an option that is not known"),
        ("redis://h?protocol=3", "it has an option that is not known"),
        ("redis://h?ssl_cert_reqs=none", "it has an option that is not known"),
        ("rediss://h?ssl_cert_reqs=maybe", "its ssl_cert_reqs is not understood"),
        ("redis://h?client_name=a%20b", "its client_name is not understood"),
        ("redis://h:99999", "write it like redis://HOST:6379/0"),
        ("redis://h:0", "use a port from 1 to 65535"),
        ("redis://", "name its host"),
        ("redis:///0", "name its host"),
        ("redis://:pw@/0", "name its host"),
        ("redis://:6379", "name its host"),
        (f"redis://{'a' * 64}", "its host is no name that a host can have"),
        ("redis://a..b", "its host is no name"),
        ("redis://h/0#1", "write # as %23"),
        ("unix://", "after three slashes"),
        ("unix://run/redis.sock", "after three slashes"),
        ("unix:run/redis.sock", "after three slashes"),
        ("unix:///run/%00", "a character that no path can hold"),
        ("http://h", "write it like redis://HOST:6379/0"),
        ("redis://[::1", "write it like redis://HOST:6379/0"),
    ],
)  # fmt: skip
def test_redis_urls_that_are_refused(home: Path, url: str, remedy: str) -> None:
    message = refusal({"FLASHSALE_REDIS_URL": url}, home)
    assert message.startswith("redis_url: ")
    assert remedy in message
    assert message.endswith("(environment FLASHSALE_REDIS_URL)")


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6379/0",
        "redis://user:p%23w@h/?db=2",
        "redis://[::1]:6379",
        "rediss://:pw@host",
        "rediss://h/1?ssl_cert_reqs=required&ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=true",
        "unix:///run/redis.sock?db=1",
        "unix://user:pw@/run/my%20dir/redis.sock?client_name=shop-1",
    ],
)
def test_redis_urls(home: Path, url: str) -> None:
    assert load({}, {"FLASHSALE_REDIS_URL": url}, home=home).settings.redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@h:5432/db",
        "postgres:///db?host=/run",
        "host=/run dbname=db",
        "postgresql:///x?host=/run/my%20dir",
    ],
)
def test_postgres_urls(home: Path, url: str) -> None:
    found: Config = load({}, {"FLASHSALE_POSTGRES_URL": url}, home=home)
    assert found.settings.postgres_url == url
