"""Who gets into Redis, what they may do there, and who can listen.

A server without a TCP port is reached only by those whom the mode of its socket lets in: it needs no password.
"""

from __future__ import annotations

from collections.abc import Iterator

from flashsale.doctor.check import Check, checked
from flashsale.stream import Log

#: Commands that change the server itself, which no shop needs; `yes` also where the connection is a local one.
_POWERS = ("enable-debug-command", "enable-module-command", "enable-protected-configs")


def access(log: Log) -> Iterator[Check]:
    """Password, rights, encryption, and commands that nobody needs."""
    ports = log.setting("port"), log.setting("tls-port")
    if ports[0] is None:
        yield Check("network", "warn", "port is hidden", "see to it that only your own machines reach it")
    is_private = ports[0] == "0" and ports[1] in ("0", None)
    if is_private:
        yield Check("access", "ok", "by a socket only")
    else:
        yield from _account(log)
    yield from _protected_mode(log, is_private=is_private)
    yield _encryption(log)
    open_to_use = {name: log.setting(name) for name in _POWERS}
    wrong = [f"{name} {value}" for name, value in open_to_use.items() if value not in ("no", "local", None)]
    yield checked(
        "powers", ", ".join(wrong) or "DEBUG, MODULE and protected settings are off",
        "set them no: who has a connection could stop the server, or load a program into it",
        holds=not wrong, verdict="warn",
    )  # fmt: skip


def _account(log: Log) -> Iterator[Check]:
    account = log.account()
    if account is None:
        yield Check("access", "ok", "a user who may not ask for its rights")
        return
    yield checked(
        "access", f"user {account.name}, {'a' if account.has_password else 'no'} password",
        "give it one (ACL SETUSER, requirepass): whoever reaches the port can sell, and erase",
        holds=account.has_password, verdict="warn",
    )  # fmt: skip
    found = "every command on every key" if account.may_everything else "restricted"
    yield checked(
        "rights", f"user {account.name}: {found}",
        "give each daemon and shop a user of its own, with the commands and the keys that it needs",
        holds=not account.may_everything, verdict="warn",
    )  # fmt: skip


def _protected_mode(log: Log, *, is_private: bool) -> Iterator[Check]:
    if (mode := log.setting("protected-mode")) is not None and not is_private:
        remedy = "set protected-mode yes: it keeps other machines out while there is no password"
        yield checked("protected-mode", mode, remedy, holds=mode == "yes", verdict="warn")


def _encryption(log: Log) -> Check:
    route = log.route
    if route.is_encrypted:
        return checked(
            "encryption", "TLS" if route.is_verified else "TLS, its certificate not checked",
            "leave ssl_cert_reqs and ssl_check_hostname out of the URL, and name the authority with ssl_ca_certs: else "
            "whoever sits between sees everything", holds=route.is_verified, verdict="warn",
        )  # fmt: skip
    return checked(
        "encryption", "on this machine" if route.is_local else f"plain text to {route.host}",
        "use rediss:// (TLS), or a tunnel: passwords and orders cross the network as text",
        holds=route.is_local, verdict="warn",
    )  # fmt: skip
