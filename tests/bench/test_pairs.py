"""A reserve and its settle, as both loads send them: each id once, and in this order."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv6Address
from uuid import UUID

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from bench import client, wrk
from bench.apps import answers
from bench.callers import PROVIDERS, Caller
from bench.fresh import Ids
from bench.plan import Load, Plan, Request
from bench.processes import until
from bench.rows import ROWS, Callers
from tests.ports import free_ports

CALLERS = [
    Caller(user_id="7d444840-9dc0-11d1-b245-5ffdce74fad2", key="leaky_x_y", username="x"),
    Caller(user_id="8d444840-9dc0-11d1-b245-5ffdce74fad2", key="leaky_y_y", username="y"),
]
WRK = shutil.which("wrk") or ""
Drive = Callable[[Plan], Load]
LOADS = [
    pytest.param(client.drive, id="own"),
    pytest.param(
        partial(wrk.drive, wrk=WRK),
        id="wrk",
        marks=pytest.mark.skipif(not WRK, reason="wrk is not installed"),
    ),
]


@dataclass
class Books:
    """Who reserved under which id, and which of them were settled; strict about both."""

    reserved: dict[str, str] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    keys: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive()).get("body", b"").decode()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, id_ = self._answer(scope["path"], headers, body)
        answer = f'{{"id":"{id_}"}}'.encode()
        length = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": length})
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, path: str, headers: dict[str, str], body: str) -> tuple[int, str]:
        caller = headers.get("x-api-key", "")
        if settle := re.fullmatch(".*/reservations/(.*)/settle", path):
            known = self.reserved.get(settle[1]) == caller and settle[1] not in self.settled
            self.settled.add(settle[1])
            return (200 if known else 404), settle[1]
        if path.endswith("/purchase"):
            self.keys.append(headers["idempotency-key"])
            return 202, ""
        id_ = str(UUID(body.split('"id":"')[1][:36]))
        new = id_ not in self.reserved
        self.reserved[id_] = caller
        return (201 if new else 409), id_


@pytest.fixture
def served() -> Iterator[tuple[Books, int]]:
    books, (port,) = Books(), free_ports(1)
    config = uvicorn.Config(books, port=port, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(partial(answers, port), 20)
        yield books, port
    finally:
        server.should_exit = True
        thread.join(20)


def requests(key: str) -> tuple[Request, ...]:
    return tuple(ROWS[key].requests(Callers(many=CALLERS, hot=CALLERS[0])))


@pytest.mark.parametrize("drive", LOADS)
def test_what_was_reserved_is_settled_by_the_same_caller(
    drive: Drive, served: tuple[Books, int]
) -> None:
    books, port = served
    load = drive(Plan(port=port, requests=requests("reserve"), connections=4))
    assert load.problem == ""
    # wrk leaves one request a connection unread.
    assert 0 <= len(books.reserved) - len(books.settled) <= 4
    assert 0 <= len(books.reserved) + len(books.settled) - load.answered <= 4
    assert set(books.reserved.values()) == {caller.key for caller in CALLERS}


def test_a_count_is_of_pairs(served: tuple[Books, int]) -> None:
    books, port = served
    load = client.drive(Plan(port=port, requests=requests("reserve"), connections=4, count=25))
    assert (load.answered, load.problem) == (50, "")
    assert len(books.reserved) == 25
    assert books.settled == set(books.reserved)


def test_what_is_refused_is_not_settled(served: tuple[Books, int]) -> None:
    books, port = served
    body = '{"id":"7d444840-9dc0-11d1-b245-5ffdce74fad2"}'
    after = Request(method="POST", path="/reservations/x/settle")
    again = Request(method="POST", path="/reservations", body=body, status=201, then=after)
    load = client.drive(Plan(port=port, requests=(again,), connections=1, count=3))
    assert (load.answered, load.refused) == (4, 3)
    assert books.settled == {"x"}


@pytest.mark.parametrize("drive", LOADS)
def test_every_purchase_has_a_key_of_its_own(drive: Drive, served: tuple[Books, int]) -> None:
    books, port = served
    assert drive(Plan(port=port, requests=requests("purchase"), connections=2)).problem == ""
    assert len(set(books.keys)) == len(books.keys) > 10


def test_ids_are_uuids_in_no_order_and_of_one_load() -> None:
    one, other = Ids(), Ids()
    ids = [one.new() for _ in range(10_000)]
    assert len({str(UUID(id_)) for id_ in [*ids, *(other.new() for _ in ids)]}) == 20_000
    assert ids != sorted(ids)
    assert all(id_.endswith(one.tail) for id_ in ids)


def test_pools_are_of_every_caller_at_every_provider() -> None:
    paths = {request.path for request in requests("quota")}
    assert len(paths) == len(CALLERS) * len(PROVIDERS)


def test_callers_log_in_from_an_address_each() -> None:
    told = [request.headers["X-Forwarded-For"] for request in requests("login")]
    # A network of 64 bits counts as one address.
    assert len({int(IPv6Address(text)) >> 64 for text in told}) == len(CALLERS)
