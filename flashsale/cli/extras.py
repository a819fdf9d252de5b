"""What `pip install flashsale` alone does not bring."""

from __future__ import annotations

from importlib.util import find_spec

from flashsale import values

_HTTP = ("httptools", "itsdangerous", "jinja2", "starlette", "uvicorn")


def need_http() -> None:
    """Raise `Usage` without the extra `http`."""
    if not all(find_spec(name) for name in _HTTP):
        raise values.Usage("this needs more packages: pip install 'flashsale[http]'")
