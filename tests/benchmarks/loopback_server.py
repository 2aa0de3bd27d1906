"""Answer every request with WorkOS's 201, as fast as one thread of asyncio can: what benchmarks send to.

``python loopback_server.py [--delay-ms 50] [--processor 1]`` prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

_BODY = b'{"success":true}'
_ANSWER = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)


class Answering(asyncio.Protocol):
    """One connection: requests are counted by their heads and lengths, and looked at no further."""

    delay = 0.0  # seconds

    def __init__(self) -> None:
        self._left = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer as many requests as have come in whole."""
        self._left += data
        number = 0
        while (end := self._end_of_request()) is not None:
            self._left = self._left[end:]
            number += 1
        if number and self.delay:
            asyncio.get_running_loop().call_later(self.delay, self._transport.write, _ANSWER * number)
        elif number:
            self._transport.write(_ANSWER * number)

    def _end_of_request(self) -> int | None:
        head, found, _ = self._left.partition(b"\r\n\r\n")
        if not found:
            return None
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        end = len(head) + 4 + length
        return end if len(self._left) >= end else None


async def serve(delay: float) -> None:
    """Serve until standard input ends."""
    Answering.delay = delay
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 1):
            ended.set()

    loop.add_reader(sys.stdin.fileno(), heard)
    await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--processor", type=int, help="keep to this one")
    given = parser.parse_args()
    if given.processor is not None:
        os.sched_setaffinity(0, {given.processor})
    asyncio.run(serve(given.delay_ms / 1000))
