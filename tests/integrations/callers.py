"""Processes that make as many calls as they are let, all at once.

Each has four threads, as a web process has, and takes calls in advance for itself.
"""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import django

django.setup()  # again in the server that the processes are forked from

from django.db import connections  # noqa: E402

from integrations.rates import Rate, take  # noqa: E402

PROCESSES = 4
THREADS = 4
FOR_LONG = 10**9  # seconds: no window ends while a test runs


def call_at_once(limit: int) -> list[int]:
    """How many calls each process was let make of a rate that all of them share."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])  # imports all of it only once
    with ProcessPoolExecutor(PROCESSES, mp_context=processes) as pool:
        list(pool.map(_wake, range(PROCESSES)))  # start-up does not count
        return list(pool.map(partial(_call, limit), range(PROCESSES)))


def _wake(number: int) -> int:
    time.sleep(0.2)  # so that each process takes one
    return number


def _call(limit: int, number: int) -> int:
    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(lambda _thread: _calls(limit), range(THREADS)))


def _calls(limit: int) -> int:
    rate, made = Rate("test", limit, seconds=FOR_LONG), 0
    try:
        while not take(rate, "shop"):
            made += 1
        return made
    finally:
        connections.close_all()
