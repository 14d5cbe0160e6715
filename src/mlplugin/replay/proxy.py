"""PROXY protocol 2 over UDP: a header before each datagram says whose query it is.

The specification is HAProxy's `proxy-protocol.txt`; CoreDNS takes it with its plugin `proxyproto`.
"""

from __future__ import annotations

from mlplugin.replay.query import Client

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PROXIED = b"\x21"
UDP_OVER_IPV4 = b"\x12\x00\x0c"
UDP_OVER_IPV6 = b"\x22\x00\x24"
HEAD_IPV4 = SIGNATURE + PROXIED + UDP_OVER_IPV4
HEAD_IPV6 = SIGNATURE + PROXIED + UDP_OVER_IPV6
TARGET_IPV4 = bytes((127, 0, 0, 1))
TARGET_IPV6 = bytes(15) + b"\x01"
TARGET_PORT = (53).to_bytes(2)


def header(client: Client) -> bytes:
    """Give the header for a client; the target is loopback, port 53, which nobody looks at."""
    port = client.port.to_bytes(2)
    if len(client.address) == 4:
        return HEAD_IPV4 + client.address + TARGET_IPV4 + port + TARGET_PORT
    return HEAD_IPV6 + client.address + TARGET_IPV6 + port + TARGET_PORT
