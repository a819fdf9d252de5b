"""Logs: what a line holds, and what it must not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from flashsale.masking import masked

#: Of a daemon's logger, as code uses it; `log`, `logging` and `warnings` are there.
PROGRAM = """
import logging, warnings
import structlog
from flashsale import log as logs

logs.configure("{level}", "{style}")
log = structlog.get_logger()

def fail():
    raise ValueError("no way to postgresql://ann:s3cret@db/shop")

{code}
"""


def logged(code: str, level: str = "info", style: str = "auto") -> str:
    """What a process with this code writes to stderr, which is no terminal."""
    program = PROGRAM.format(level=level, style=style, code=code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


def lines(code: str, level: str = "info") -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged(code, level).splitlines()]


def test_no_password_is_logged_wherever_it_stands() -> None:
    code = """
url = "redis://web:s3cret@cache:6379/0"
more = {"nested": [{"url": url}], "pair": (url, 5), "conninfo": "password=s3cret"}
log.warning(f"cannot reach {url}", action="a", url=url, **more)
try:
    fail()
except ValueError as error:
    log.exception("the look failed", action="b", error=str(error))
logging.getLogger("psycopg").warning("cannot reach %s", url)
"""
    told = logged(code)

    assert "s3cret" not in told
    assert told.count("web:***@cache:6379") == 5
    assert "postgresql://ann:***@db/shop" in told
    assert "s3cret" not in logged(code, style="plain")


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("redis://:s3cret@h:1/0 is away", "redis://:***@h:1/0 is away"),
        ("postgresql://a:p@ss/w:rd@h/db", "postgresql://a:***@h/db"),
        ("from redis://a:x@h to rediss://b:y@h", "from redis://a:***@h to rediss://b:***@h"),
        ("unix:///run/redis.sock?db=0&password=s3cret&x=1", "unix:///run/redis.sock?db=0&password=***&x=1"),
        ("host=h password=s3cret dbname=d", "host=h password=*** dbname=d"),
        ("redis://:s3#cr/et@h/0 and a@b", "redis://:***@h/0 and a@b"),
        ("host=h password=s3'cret user=u", "host=h password=*** user=u"),
        (r"host=h password=s3\'cr\ et user=u", "host=h password=*** user=u"),
        ("host=h password='s3c ret", "host=h password=***"),
        ("'host=h password=s3cret': refused", "'host=h password=***': refused"),
        (r"PASSWORD = 's3c\'r et' sslpassword=k", "PASSWORD = *** sslpassword=***"),
    ],
)
def test_a_password_is_masked_and_nothing_else(text: str, without: str) -> None:
    assert masked(text) == without


@pytest.mark.parametrize(
    "text",
    [
        "order 0-abcdefgh of ann@example.com: held",
        "redis://cache:6379/0",
        "postgresql://db/shop and ann@example.com",
        "password authentication failed",
        "http://[::1]:9464/metrics",
        "postgresql://db:5432/shop?user=ann@example.com",
        "postgresql://[::1]:5432/shop?user=ann@example.com",
    ],
)
def test_what_holds_no_password_stays(text: str) -> None:
    assert masked(text) == text


def test_each_line_has_a_time_a_level_an_action_and_a_sentence() -> None:
    (line,) = lines('log.info("holds ended", action="holds_expired", shard="drop/0", orders=2)')

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "holds ended",
        "level": "info",
        "action": "holds_expired",
        "shard": "drop/0",
        "orders": 2,
    }


def test_what_libraries_say_is_one_line_each() -> None:
    found = lines(r"""
logging.getLogger("psycopg.pool").warning("gone:\n\tserver closed the %s", "connection")
logging.getLogger("redis").error("worse")
logging.getLogger("redis").info("chatter")
warnings.warn("soon gone", DeprecationWarning)
""")
    assert [(line["action"], line["level"], line["library"]) for line in found] == [
        ("library_warning", "warning", "psycopg"),
        ("library_warning", "warning", "redis"),
        ("library_warning", "warning", "py"),
    ]
    assert found[0]["event"] == "gone: server closed the connection"
    assert "soon gone" in found[2]["event"]


def test_what_libraries_say_is_a_warning_to_the_level_too() -> None:
    assert logged('logging.getLogger("psycopg").error("gone")', level="error") == ""


def test_on_a_terminal_it_is_for_people() -> None:
    ours, theirs = os.openpty()
    try:
        program = PROGRAM.format(
            level="info", style="auto", code='log.info("ready", action="daemon_started")'
        )
        subprocess.run([sys.executable, "-c", program], stderr=theirs, check=True)
        told = os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)

    assert "ready" in told
    assert not told.lstrip().startswith("{")
