"""Ports of loopback for programs that must be told one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_port() -> Iterator[int]:
    """Yield a port that the kernel gives to nobody else until the block ends.

    A program that sets ``SO_REUSEADDR``, as servers do, may listen on it. While none does, connections to it
    are refused.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])
