"""Who asks for the same at once shares a read."""

import asyncio

import pytest

from svc_analytics.usecases.turns import Turns

pytestmark = pytest.mark.anyio


class Question:
    def __init__(self) -> None:
        self.asked = self.cut = 0
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask(self) -> str:
        self.asked += 1
        try:
            return await self.answer
        except asyncio.CancelledError:
            self.cut += 1
            raise


async def turn_of_the_loop() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_comes_while_a_question_is_asked_shares_the_next_one() -> None:
    turns: Turns[str, str] = Turns()
    first, second, other = Question(), Question(), Question()
    early = asyncio.create_task(turns.join("a", first.ask))
    await turn_of_the_loop()
    late = [asyncio.create_task(turns.join("a", second.ask)) for _ in range(5)]
    beside = asyncio.create_task(turns.join("b", other.ask))
    await turn_of_the_loop()
    assert (first.asked, second.asked, other.asked) == (1, 0, 1)
    first.answer.set_result("old")
    await turn_of_the_loop()
    assert second.asked == 1
    second.answer.set_result("new")
    other.answer.set_result("beside")
    assert await asyncio.gather(early, *late, beside) == ["old", *["new"] * 5, "beside"]
    assert second.asked == 1


async def test_a_question_that_fails_is_not_the_next_ones_trouble() -> None:
    turns: Turns[str, str] = Turns()
    first, second = Question(), Question()
    early = asyncio.create_task(turns.join("a", first.ask))
    await turn_of_the_loop()
    late = asyncio.create_task(turns.join("a", second.ask))
    first.answer.set_exception(LookupError("no"))
    second.answer.set_result("yes")
    answers = await asyncio.gather(early, late, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["no", "yes"]


async def test_a_read_ends_with_the_last_who_wants_it_and_no_sooner() -> None:
    turns: Turns[str, str] = Turns()
    question, again = Question(), Question()
    askers = [asyncio.create_task(turns.join("a", question.ask)) for _ in range(2)]
    await turn_of_the_loop()
    askers[0].cancel()
    await turn_of_the_loop()
    assert question.cut == 0
    askers[1].cancel()
    await asyncio.gather(*askers, return_exceptions=True)
    await turn_of_the_loop()
    assert question.cut == 1
    again.answer.set_result("yes")
    assert await turns.join("a", again.ask) == "yes"


async def test_who_leaves_before_its_turn_takes_its_read_along() -> None:
    turns: Turns[str, str] = Turns()
    first, never, third = Question(), Question(), Question()
    early = asyncio.create_task(turns.join("a", first.ask))
    await turn_of_the_loop()
    gone = asyncio.create_task(turns.join("a", never.ask))
    await turn_of_the_loop()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    late = asyncio.create_task(turns.join("a", third.ask))
    first.answer.set_result("first")
    third.answer.set_result("third")
    assert (await early, await late) == ("first", "third")
    assert never.asked == 0
