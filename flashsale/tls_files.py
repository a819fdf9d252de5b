"""The files that a URL names for TLS: readable, and fit for each other.

Looked at once, before anything is connected: the libraries say less of them, and ask a terminal for a key's password.
What becomes of a file later is told as a server that cannot be reached, and waited out.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from flashsale.errors import BadInput
from flashsale.files import Unreadable, read_file

#: A file of every authority there is has half a megabyte.
FILE_BYTES_MAX = 4 * 1024 * 1024


class Options(NamedTuple):
    """What a URL says of TLS; by its options' names in `_NAMES`."""

    authorities: str
    certificate: str
    key: str
    password: str


_NAMES = {
    "redis_url": Options("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_password"),
    "postgres_url": Options("sslrootcert", "sslcert", "sslkey", "sslpassword"),
}
#: Instead of a file: the authorities that this system trusts.
_OF_LIBPQ_ALONE = "system"


def check(field: str, url: str | None) -> None:
    """Raises `BadInput` for a file that cannot be used. `field`: which setting the URL is."""
    names = _NAMES[field]
    given = _options(field, url or "")
    for name, path in zip(names[:3], given[:3], strict=True):
        if path:
            _check_readable(f"{name} of {field}", path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if given.authorities:
        try:
            context.load_verify_locations(given.authorities)
        except ssl.SSLError as error:
            raise BadInput(
                f"{names.authorities} of {field}", given.authorities,
                "name a PEM file with the certificate of the authority that signs the server's",
            ) from error  # fmt: skip
    if given.key and not given.certificate:
        raise BadInput(f"{names.key} of {field}", given.key, f"name its certificate with {names.certificate}")
    # libpq looks for a key in more places; so what it is not told is not looked at.
    if given.certificate and (given.key or field == "redis_url"):
        try:
            # Some password in every case: without one, OpenSSL asks the terminal.
            context.load_cert_chain(given.certificate, given.key or None, given.password or "-")
        except ssl.SSLError as error:
            raise BadInput(
                f"{names.certificate} of {field}", given.certificate,
                f"name a PEM file with a certificate, its own key with {names.key}, and the password of the key, if it "
                f"has one, with {names.password}",
            ) from error  # fmt: skip


def _options(field: str, url: str) -> Options:
    """Those of a URL; a conninfo that is none (`host=… sslmode=…`) is for libpq to judge."""
    query = urlsplit(url).query if "://" in url else ""
    if field == "postgres_url":
        query = query.replace("+", "%2B")  # to libpq it is a plus, to redis-py a space, as in forms
    found = dict(parse_qsl(query))
    options = Options(*(found.get(name, "") for name in _NAMES[field]))
    if field == "postgres_url" and options.authorities == _OF_LIBPQ_ALONE:
        return options._replace(authorities="")
    return options


def _check_readable(field: str, path: str) -> None:
    try:
        read_file(Path(path), FILE_BYTES_MAX)
    except (Unreadable, ValueError) as error:  # the second: a NUL in its name
        raise BadInput(field, path, f"{error}; name a file that this user can read") from error
