"""Whether an address is this machine's own."""

from __future__ import annotations

import ipaddress


def is_local(host: str) -> bool:
    """Whether what is sent to this host stays on this machine; "" and a path are sockets."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
