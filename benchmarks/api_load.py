"""Many connections at once: requests per second, latency, and CPU of each program.

The client is one thread that sends requests made beforehand and looks at no more of
the answers than their status and length, so that the programs get the two cores.
"""

import json
import selectors
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from programs import Program, nanoseconds

WARM_UP = 4  # requests of each connection that are not counted
END = b"\r\n\r\n"
LENGTH = b"content-length:"


class Load(NamedTuple):
    """What so many connections at once got, and what it took."""

    per_second: float
    middle: float  # milliseconds of a request: median
    slow: float  # 95 of 100 took less
    application: float  # CPU milliseconds of a request
    database: float
    client: float

    @property
    def cpu(self) -> float:
        return self.application + self.database


def measure(
    program: Program, make: Callable[[], Any], connections: int, number: int
) -> Load:
    """`number` requests over so many connections, each with one at a time."""
    warm_up = [written(make()) for _ in range(WARM_UP * connections)]
    requests = [written(make()) for _ in range(number)]
    with Client(program.port, connections) as client:
        client.run(warm_up)
        backends = program.backends()
        before = nanoseconds(program.workers), nanoseconds(backends)
        begun, own = time.perf_counter(), time.process_time()
        took = sorted(client.run(requests))
        seconds, own = time.perf_counter() - begun, time.process_time() - own
        after = nanoseconds(program.workers), nanoseconds(backends)
    return Load(
        per_second=number / seconds,
        middle=took[number // 2] * 1e3,
        slow=took[number * 95 // 100] * 1e3,
        application=(after[0] - before[0]) / number / 1e6,
        database=(after[1] - before[1]) / number / 1e6,
        client=own / number * 1e3,
    )


def middle_of(loads: Sequence[Load]) -> Load:
    """The median of each figure."""
    return Load(*map(statistics.median, zip(*loads, strict=True)))


def written(call: Any) -> bytes:
    """The request as it goes over the wire."""
    lines = [f"{call.method} {call.path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in call.headers.items()]
    body = b""
    if call.body is not None:
        body = json.dumps(call.body).encode()
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + END + body


class Client:
    """Connections that stay open; each sends its next request after an answer."""

    def __init__(self, port: int, connections: int) -> None:
        self.sockets = [
            socket.create_connection(("127.0.0.1", port), 60)
            for _ in range(connections)
        ]

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        for one in self.sockets:
            one.close()

    def run(self, requests: Sequence[bytes]) -> list[float]:
        """The seconds that each request took."""
        left, took = iter(requests), []
        with selectors.DefaultSelector() as waiting:
            for one in self.sockets:
                send_next(one, left, waiting)
            while waiting.get_map():
                for key, _events in waiting.select(60) or stalled():
                    sent, answer = key.data
                    answer += key.fileobj.recv(1 << 18)
                    if is_whole(answer):
                        took.append(time.perf_counter() - sent)
                        waiting.unregister(key.fileobj)
                        send_next(key.fileobj, left, waiting)
        return took


def send_next(one: socket.socket, left: Iterator[bytes], waiting: Any) -> None:
    request = next(left, None)
    if request is not None:
        sent = time.perf_counter()
        one.sendall(request)
        waiting.register(one, selectors.EVENT_READ, (sent, bytearray()))


def is_whole(answer: bytearray) -> bool:
    """Whether all of it is there. Raises RuntimeError if it is no success."""
    end = answer.find(END)
    if end < 0:
        return False
    if answer[9:12] not in (b"200", b"201"):
        raise RuntimeError(bytes(answer[:1000]))
    head = bytes(answer[:end]).lower()
    place = head.index(LENGTH) + len(LENGTH)
    length = int(head[place:].split(b"\r\n", 1)[0])
    return len(answer) >= end + len(END) + length


def stalled() -> Any:
    raise TimeoutError("No answer for a minute.")
