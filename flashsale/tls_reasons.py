"""Why Redis cannot be reached, when TLS is the reason: the libraries' errors as a phrase with its remedy."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

#: OpenSSL's X509_V_ERR_…
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_AUTHORITY = (18, 19, 20, 21)
_OTHER_HOST = (62, 64)

#: What the other side says of this client's certificate before it hangs up.
_OURS_IS_REFUSED = re.compile(r"ALERT.*(CERTIFICATE|UNKNOWN_CA)")


def reason(error: BaseException, redis_url: str) -> str:
    """What stood in the way of a connection. `error`: as redis-py raised it."""
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _of_certificate(cause, redis_url)
        if isinstance(cause, ssl.SSLError) and _OURS_IS_REFUSED.search(cause.reason or ""):
            return f"it does not accept the certificate of this client ({cause.reason}): {_NAME_OURS}"
    said = str(error) or "no answer in time"
    if redis_url.startswith("rediss:"):
        if any(isinstance(cause, TimeoutError) for cause in chain):
            return f"{said}; if its port does not speak TLS, name the one that does"
        if any(isinstance(cause, ssl.SSLEOFError | ConnectionResetError) for cause in chain):
            return f"{said}; if it wants a certificate of this client, {_NAME_OURS}"
    elif redis_url.startswith("redis:") and any(isinstance(cause, ConnectionResetError) for cause in chain):
        return f"{said}; if its port speaks TLS, write rediss://"
    return said


_NAME_OURS = "name one that its authority has signed with ssl_certfile, and the key with ssl_keyfile"


def _of_certificate(error: ssl.SSLCertVerificationError, redis_url: str) -> str:
    host = urlsplit(redis_url).hostname
    if error.verify_code == _EXPIRED:
        return f"the certificate of {host} has expired: renew it, and have Redis read it anew"
    if error.verify_code == _NOT_YET_VALID:
        return f"the certificate of {host} is not valid yet: compare the clocks of both machines"
    if error.verify_code in _OTHER_AUTHORITY:
        return (
            f"the certificate of {host} is of no authority that is trusted here ({error.verify_message}): name its "
            "authority's certificate with ssl_ca_certs"
        )
    if error.verify_code in _OTHER_HOST:
        return f"the certificate is not for {host}: use a name that it is for, or make one for this (subjectAltName)"
    return f"the certificate of {host} is not accepted: {error.verify_message}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
