import asyncio
import math

import pytest

from leaky.auth.v1.credential_service_pb2 import GetJwksRequest, GetJwksResponse
from mesh.identity.flights import Flights
from mesh.identity.lru import Lru
from mesh.identity.principal import NOBODY, Principal
from mesh.rpc.call import CURRENT, Call
from mesh.rpc.method import rpc

pytestmark = pytest.mark.anyio


class Question:
    def __init__(self) -> None:
        self.asked = 0
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask(self) -> str:
        self.asked += 1
        return await self.answer


async def test_one_question_answers_all_who_ask() -> None:
    flights: Flights[str, str] = Flights()
    question = Question()
    askers = [asyncio.create_task(flights.join("a", question.ask)) for _ in range(5)]
    await asyncio.sleep(0)
    question.answer.set_result("yes")
    assert await asyncio.gather(*askers) == ["yes"] * 5
    assert question.asked == 1
    assert "a" not in flights


async def test_all_who_ask_hear_of_the_error_and_the_next_asks_again() -> None:
    flights: Flights[str, str] = Flights()
    question = Question()
    askers = [asyncio.create_task(flights.join("a", question.ask)) for _ in range(3)]
    await asyncio.sleep(0)
    question.answer.set_exception(LookupError("no"))
    answers = await asyncio.gather(*askers, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["no"] * 3
    again = Question()
    again.answer.set_result("now")
    assert await flights.join("a", again.ask) == "now"


async def test_the_first_to_ask_may_leave() -> None:
    flights: Flights[str, str] = Flights()
    question = Question()
    first = asyncio.create_task(flights.join("a", question.ask))
    await asyncio.sleep(0)
    second = asyncio.create_task(flights.join("a", question.ask))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    question.answer.set_result("still")
    assert await second == "still"
    assert first.cancelled()


async def test_who_comes_after_forget_asks_anew() -> None:
    flights: Flights[str, str] = Flights()
    old, new = Question(), Question()
    early = asyncio.create_task(flights.join("a", old.ask))
    await asyncio.sleep(0)
    flights.forget()
    late = asyncio.create_task(flights.join("a", new.ask))
    await asyncio.sleep(0)
    old.answer.set_result("old")
    new.answer.set_result("new")
    assert [await early, await late] == ["old", "new"]
    assert "a" not in flights


async def test_a_question_has_neither_the_deadline_nor_the_user_of_its_first_asker() -> None:
    method = rpc(GetJwksRequest, GetJwksResponse)
    user = Principal(user_id="user-1", token="secret")
    call = Call(
        method=method,
        metadata={"x-api-key": "raw"},
        deadline=1.0,
        principal=user,
        correlation_id="c-1",
        traceparent="t-1",
    )
    CURRENT.set(call)
    seen: list[Call | None] = []

    async def ask() -> str:
        seen.append(CURRENT.get())
        return "yes"

    flights: Flights[str, str] = Flights()
    await flights.join("a", ask)
    assert seen[0] is not None
    assert (seen[0].deadline, seen[0].principal, seen[0].metadata) == (math.inf, NOBODY, {})
    assert (seen[0].correlation_id, seen[0].traceparent) == ("c-1", "t-1")
    assert CURRENT.get() is call


async def test_an_entry_ends_and_the_least_used_leaves() -> None:
    lru: Lru[str, int] = Lru(2)
    lru.put("a", 1, until=10)
    lru.put("b", 2, until=20)
    assert lru.get("a", now=9.9) == 1
    lru.put("c", 3, until=20)
    assert lru.get("b", now=0) is None
    assert lru.get("a", now=10) is None
    assert len(lru) == 1
    lru.discard(lambda key, value: (key, value) == ("c", 3))
    assert len(lru) == 0


async def test_a_principal_does_not_show_its_token() -> None:
    assert "secret" not in repr(Principal(user_id="user-1", token="secret"))
