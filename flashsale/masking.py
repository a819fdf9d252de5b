"""Text without the passwords that stand in it."""

from __future__ import annotations

import re

#: Behind the user of a URL, up to its last @: one that is not quoted may hold #, / and @ itself. Digits before a path
#: or options are a port, and what stands in brackets is a host.
_IN_URL = r"(://(?!\[)[^\s:/?#@]*:)(?!\d+[/?]){}+@"
_IN_TEXT = re.compile(_IN_URL.format(r"\S"))
_IN_ONE_URL = re.compile(_IN_URL.format("."), re.DOTALL)
#: In a conninfo, or among the options of a URL: password=…, sslpassword='…'. One that is quoted may lack its end; in
#: one that is not, a quote before a letter or digit is its own, any other is that of the sentence around it.
_IN_OPTION = re.compile(
    r"(password\s*=\s*)('(?:[^'\\]|\\.)*(?:'|$)|(?:\\.|[^\s&'\"]|['\"](?=\w))+)", re.IGNORECASE | re.DOTALL
)


def masked(text: str) -> str:
    """A sentence without the passwords of the URLs and conninfos in it."""
    return _IN_OPTION.sub(r"\1***", _IN_TEXT.sub(r"\1***@", text))


def masked_url(url: str) -> str:
    """One URL without its password, however badly it is written; of one with a password among its options, nothing."""
    return "***" if "password" in url.lower() else _IN_ONE_URL.sub(r"\1***@", url)
