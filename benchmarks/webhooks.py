"""How fast waiting events leave: some workers, an endpoint, a receiver beside them.

Prints events per second, and whether each came once and in the order of its company.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict

from database import ROOT, SERVER, SERVER_HELP, own_database

AIM = 300  # events per second, with 4 workers on two cores


class Receiver(asyncio.Protocol):
    """Answers 204 to each message, and notes what it was told."""

    told: dict[int, list[int]] = defaultdict(list)
    count = 0
    delay = 0.0  # seconds until an answer

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            self.note(json.loads(rest[:length]))
            answer = b"HTTP/1.1 204 No Content\r\n\r\n"
            loop = asyncio.get_running_loop()
            if self.delay:
                loop.call_later(self.delay, self.transport.write, answer)
            else:
                self.transport.write(answer)

    def note(self, message: dict) -> None:
        if message["type"] != "webhook.test":
            data = message["data"]
            Receiver.told[data["company"]].append(data["number"])
            Receiver.count += 1


def receive() -> int:
    """Start the receiver in a thread of its own; its port."""
    started: list[int] = []
    ready = threading.Event()

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Receiver, "127.0.0.1", 0, backlog=100)
        started.append(server.sockets[0].getsockname()[1])
        ready.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    ready.wait()
    return started[0]


def make_events(events: int, companies: int) -> None:
    """As many changes of companies that nobody needs for this, in turn."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO integrations_event "
            "(stream, number, type, subject_id, occurred_at) "
            "SELECT 1 + n %% %s, 1 + n / %s, 'company.updated', 1 + n %% %s, now() "
            "FROM generate_series(0, %s) AS n",
            [companies, companies, companies, events - 1],
        )
        cursor.execute("VACUUM ANALYZE integrations_event")


def make_endpoint(port: int) -> None:
    from config.actors import SYSTEM
    from integrations.clients import create_api_client
    from integrations.models import WebhookEndpoint
    from integrations.webhooks.endpoints import create_endpoint, settle_test
    from integrations.webhooks.sending import Answer

    client, _secret = create_api_client(
        "benchmark", scopes="webhooks:write", sees_all_hierarchies=True
    )
    url = f"http://127.0.0.1:{port}/"
    endpoint = WebhookEndpoint(client=client, url=url)
    create_endpoint(endpoint, actor=SYSTEM)
    settle_test(endpoint, Answer(204))


def drain(events: int, workers: int) -> float:
    """Seconds until all has been received and noted."""
    from django.db import connection

    command = [sys.executable, "manage.py", "run_worker", "--only", "webhooks"]
    begun = time.monotonic()
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603
        for _ in range(workers)
    ]
    try:
        shown = begun
        while True:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM integrations_webhookdelivery "
                    "WHERE status = 'DELIVERED'"
                )
                done = cursor.fetchone()[0]
            now = time.monotonic()
            if done == events:
                return now - begun
            if now - shown > 10:
                rate = done / (now - begun)
                print(f"  {done:>9,} after {now - begun:5.0f} s, {rate:,.0f}/s")
                shown = now
            time.sleep(0.5)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=SERVER, help=SERVER_HELP)
    parser.add_argument("--name", default="konzern_webhooks")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--companies", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--delay", type=float, default=0, help="of each answer, in ms")
    options = parser.parse_args()
    os.environ["WEBHOOK_ALLOW_PRIVATE"] = "true"
    Receiver.delay = options.delay / 1000
    with own_database(options.server, options.name):
        make_endpoint(receive())
        make_events(options.events, options.companies)
        seconds = drain(options.events, options.workers)
    expected = options.events // options.companies
    wrong = [
        stream
        for stream, numbers in Receiver.told.items()
        if numbers[:expected] != list(range(1, expected + 1))
    ]
    print(
        f"{options.events:,} events of {options.companies:,} companies, "
        f"{options.workers} workers, answers after {options.delay:g} ms: "
        f"{seconds:,.1f} s, {options.events / seconds:,.0f}/s (aim: {AIM}); "
        f"{Receiver.count - options.events} repeated, "
        f"{len(wrong)} companies out of order"
    )


if __name__ == "__main__":
    main()
