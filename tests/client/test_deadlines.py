"""A call ends in time whatever the server does. These few wait for real, briefly."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from leaky.client import AsyncClient, Client, DeadlineExceeded, errors
from leaky.client._runtime.clock import SystemClock
from tests.client.conftest import Reply, Server, Twin

# Long enough to reach the server on a busy machine.
SHORT = 1.0
# Far from the deadline, and nearer than any other bound there is.
SOON = 30.0
REAL = {"clock": SystemClock(), "timeout": 10 * SOON}


def test_a_server_that_hangs_is_left_at_the_deadline(twin: Twin, server: Server) -> None:
    server.answers(Reply(hang=True))
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        twin.call(server.url, "quota.get_status", timeout=SHORT, client=REAL)
    assert SHORT <= time.monotonic() - began < SOON
    assert DeadlineExceeded is errors.DeadlineExceeded
    assert (caught.value.reason, caught.value.status) == ("DEADLINE_EXCEEDED", None)
    assert server.arrived.wait(SOON)
    assert len(server.seen) == 1


def test_the_clients_timeout_counts_without_one_of_the_call(twin: Twin, server: Server) -> None:
    server.answers(Reply(hang=True))
    with pytest.raises(DeadlineExceeded):
        twin.call(server.url, "quota.get_status", client=REAL | {"timeout": SHORT})


def test_the_deadline_spans_all_tries(twin: Twin, server: Server) -> None:
    away = Reply(status=503, headers={"Retry-After": "2"})
    server.answers(away)
    with pytest.raises(errors.Unavailable):
        twin.call(server.url, "quota.get_status", timeout=5.0)
    assert twin.clock.slept == [2.0, 2.0]


def test_no_time_left_is_no_answer(twin: Twin, server: Server) -> None:
    server.answers(Reply(hang=True))
    with pytest.raises(DeadlineExceeded):
        twin.call(server.url, "quota.get_status", timeout=0.0)


@pytest.fixture
def dripping() -> Iterator[str]:
    """A server that sends a byte now and then and never ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        # Until the client is gone, whenever that is.
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not over.wait(SHORT / 10):
                connection.sendall(b" ")

    thread = threading.Thread(target=drip)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    over.set()
    # If nobody came, it still waits for somebody.
    socket.create_connection(listener.getsockname()).close()
    thread.join()
    listener.close()


def test_an_answer_that_drips_is_left_at_the_deadline(twin: Twin, dripping: str) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        twin.call(dripping, "quota.get_status", timeout=SHORT, client=REAL)
    assert SHORT <= time.monotonic() - began < SOON


def test_cancelling_the_caller_cancels_the_call(server: Server) -> None:
    server.answers(Reply(hang=True))

    async def cancelled() -> None:
        async with AsyncClient(base_url=server.url, timeout=10 * SOON) as client:
            call = asyncio.create_task(client.quota.get_status())
            assert await asyncio.to_thread(server.arrived.wait, SOON)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    asyncio.run(cancelled())


def test_a_client_that_is_closed_is_closed_for_those_made_from_it(server: Server) -> None:
    with Client(base_url=server.url) as client:
        other = client.with_credentials(token="t")
    with pytest.raises(RuntimeError, match="closed"):
        other.quota.get_status()
