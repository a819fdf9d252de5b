"""`flashsale config show` and `flashsale doctor` on servers that are configured; settings on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from flashsale.cli.run import run
from tests.acceptance.conftest import Shop
from tests.fixtures.places import server_home
from tests.fixtures.processes import Cli


def test_every_value_has_its_origin_and_no_password(cli: Cli) -> None:
    (cli.home / "f.toml").write_text("max_rate = 5", encoding="utf-8")
    cli.env["FLASHSALE_POSTGRES_URL"] = "postgresql://u:hidden@h/db"

    plain = cli.ok("config", "show", "--config", "f.toml", "--log-level", "error").stdout
    values = cli.ok("config", "show", "--config", "f.toml", "--log-level", "error", "--json").json()

    assert values["postgres_url"] == {
        "value": "postgresql://u:***@h/db",
        "origin": "environment FLASHSALE_POSTGRES_URL",
    }
    assert values["max_rate"] == {"value": 5, "origin": "file f.toml"}
    assert values["log_level"] == {"value": "error", "origin": "flag"}
    assert values["redis_url"] == {"value": None, "origin": "default"}
    assert "hidden" not in plain
    assert "private development server" in plain


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (
            ("--log-level", "loud"),
            "log_level: 'loud' is not accepted; use debug, info, warning, error (flag)",
        ),
        (("--log-format", "xml"), "use auto, json, plain"),
        (
            ("--config", "nothing.toml"),
            "config: 'nothing.toml' is not accepted; name a TOML file that exists",
        ),
        (("--redis-url", "localhost"), "redis_url: 'localhost' is not accepted; write it like redis://"),
        (("--postgres-url", "mysql://h"), "write it like postgresql://"),
        (("--redis-url", "unix:///run/redis.sock?db=abc"), "its db is none: use a number, 0 or more (flag)"),
        (("--redis-url", "redis://:hidden@h"), "a password on the command line is seen by every user"),
    ],
)
def test_settings_that_are_refused(cli: Cli, args: tuple[str, ...], sentence: str) -> None:
    for command in (("config", "show"), ("sale", "list"), ("projector", "run")):
        done = cli.run(*command, *args)
        assert done.exit_code == 2
        assert sentence in done.stderr
        assert "hidden" not in done.stderr


def test_a_postgres_url_that_libpq_cannot_read_is_bad_input(shop: Shop) -> None:
    shop.cli.env["FLASHSALE_POSTGRES_URL"] = "postgresql:///drop?host=/nowhere&secret=hidden"
    for command in (("sale", "list"), ("projector", "run"), ("sweeper", "run")):
        done = shop.cli.run(*command)
        assert done.exit_code == 2
        assert 'libpq cannot read it: invalid URI query parameter: "secret"' in done.stderr


def test_logs_of_a_daemon_take_the_level_and_the_form_that_is_asked_for(shop: Shop) -> None:
    shop.open()
    quiet = shop.cli.start("sweeper", "run", "--log-level", "error")
    plain = shop.cli.start("projector", "run", "--log-format", "plain", "--log-level", "debug")
    plain.wait_for_output("batch_applied")

    assert "action=daemon_started" in plain.stop().stderr.replace(" ", "")
    assert quiet.stop().stderr == ""


def test_debug_shows_where_an_error_came_from(shop: Shop) -> None:
    assert "Traceback" in shop.cli.run("sale", "show", "nothing", "--debug").stderr
    shop.cli.env["FLASHSALE_DEBUG"] = "1"
    assert "Traceback" in shop.cli.run("sale", "show", "nothing").stderr


def test_what_nobody_expected_is_one_sentence_and_a_way_to_see_more(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("no such\nthing")

    monkeypatch.setattr("flashsale.cli.run.app", broken)

    assert run(["sale", "list"]) == 1
    assert capfd.readouterr().err.splitlines() == [
        r"error: unexpected: KeyError: 'no such\nthing'",
        "This is a fault in flashsale. Run it again with --debug to see where.",
    ]
    assert run(["sale", "list", "--debug"]) == 1
    assert "Traceback" in capfd.readouterr().err


def test_keys_that_flashsale_did_not_write_halt_the_sale(shop: Shop) -> None:
    shop.open()
    shop.redis.hset("fs:{drop:0}:stock", "phone", "lots")

    done = shop.cli.run("order", "reserve", "drop", "phone", "--buyer", "ada")

    assert done.exit_code == 7
    assert "Redis holds something flashsale did not write" in done.stderr


def test_doctor_fails_on_what_could_lose_orders(shop: Shop) -> None:
    policy = str(shop.redis.config_get("maxmemory-policy")["maxmemory-policy"])
    shop.redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        done = shop.cli.run("doctor")
    finally:
        shop.redis.config_set("maxmemory-policy", policy)

    assert done.exit_code == 4
    assert "fail  eviction" in done.stdout
    assert "set maxmemory-policy noeviction" in done.stderr


def test_doctor_tells_what_it_cannot_reach(shop: Shop) -> None:
    done = shop.cli.run("doctor", "--redis-url", "unix:///nowhere", "--json")

    assert done.exit_code == 5
    verdicts = {check["name"]: check["verdict"] for check in done.json()["checks"]}
    assert verdicts["Redis"] == "unreachable"
    assert verdicts["schema"] == "ok"


def test_doctor_tells_of_a_password_that_everybody_can_read(shop: Shop) -> None:
    with server_home() as home:
        secret, plain = home / "secret", home / "plain"
        secret.write_text(f"{shop.cli.env['FLASHSALE_POSTGRES_URL']}&password=any", encoding="utf-8")
        plain.write_text(shop.cli.env["FLASHSALE_REDIS_URL"], encoding="utf-8")
        plain.chmod(0o600)
        of_redis = {"password of redis_url": "ok"} if "password=" in plain.read_text() else {}  # with --roles
        for variable, file in (("POSTGRES", secret), ("REDIS", plain)):
            del shop.cli.env[f"FLASHSALE_{variable}_URL"]
            shop.cli.env[f"FLASHSALE_{variable}_URL_FILE"] = str(file)

        def told() -> dict[str, str]:
            checks = shop.finished("doctor", "--json").json()["checks"]
            return {c["name"]: c["verdict"] for c in checks if c["name"].startswith("password of")}

        secret.chmod(0o644)
        assert told() == {"password of postgres_url": "warn"} | of_redis
        assert f"chmod o-r {secret}" in shop.finished("doctor").stderr
        secret.chmod(0o600)
        assert told() == {"password of postgres_url": "ok"} | of_redis
        settings = Path(home, "flashsale.toml")
        settings.write_text(f'postgres_url = "{secret.read_text(encoding="utf-8")}"\n', encoding="utf-8")
        settings.chmod(0o644)
        del shop.cli.env["FLASHSALE_POSTGRES_URL_FILE"]
        shop.cli.env["FLASHSALE_CONFIG"] = str(settings)
        assert told() == {"password of postgres_url": "warn"} | of_redis
        Path(home).chmod(0o700)
        assert told() == {"password of postgres_url": "ok"} | of_redis, "nobody else gets to the file"
