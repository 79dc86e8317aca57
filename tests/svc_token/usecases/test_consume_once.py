"""A consume under an idempotency key: charged once, answered the same, whatever comes between."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import REASON_PROVIDER_CALL_FAILED, REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_token.domain.idempotency import Claim
from svc_token.domain.spend import Spend
from svc_token.domain.spent import Spent
from svc_token.ports import IdempotencyKeys
from svc_token.usecases.consume import Consume
from svc_token.usecases.expire_orphans import ExpireOrphans
from svc_token.usecases.once import Once
from svc_token.usecases.reserve import RateLimitedError
from tests.svc_token.conftest import ORG, OTHER, USER, House, principal, spend
from tests.svc_token.usecases.test_once import in_time

pytestmark = pytest.mark.anyio
SPEND = spend(tokens=70, prompt="hello")


@dataclass
class Step:
    """One question to the provider, answered when it is let go."""

    fails: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    id: str = ""


@dataclass
class Script:
    """A provider whose every answer is another, and comes when the test says so."""

    steps: list[Step] = field(default_factory=list)
    heard: list[tuple[str, str | None, int]] = field(default_factory=list)

    @property
    def asked(self) -> int:
        return len(self.heard)

    async def complete(
        self,
        provider: str,
        *,
        prompt: str | None,
        tokens: int,
        request_id: str,
    ) -> bytes:
        self.heard.append((provider, prompt, tokens))
        number = self.asked
        step = self.steps[number - 1] if number <= len(self.steps) else None
        if step is not None:
            step.id = request_id
            step.reached.set()
            await step.gate.wait()
            if step.fails:
                raise AppError(REASON_PROVIDER_CALL_FAILED, "provider call failed")
        return b'{"answer": %d}\n' % number


def process(house: House, provider: Script, *, once: Once | None = None) -> Consume:
    """A process of its own on the same store."""
    return replace(house.consume, providers=provider, once=once or house.process())


async def ask(consume: Consume, what: Spend = SPEND, key: str = "k") -> Spent:
    return await consume(what, principal(what.user_id), idempotency_key=key)


async def reason(work: Awaitable[Spent]) -> str:
    with pytest.raises(AppError) as refused:
        await work
    return refused.value.outcome.name


async def charged_once(house: House, tokens: int = 70) -> None:
    assert await house.left() == 100_000 - tokens
    assert [event["tokens"] for event in await house.told()] == [tokens]
    assert await house.held() == 0


async def test_twenty_at_once_are_charged_once_and_answered_the_same(house: House) -> None:
    provider = Script()
    both = [process(house, provider), process(house, provider)]
    answers = await asyncio.gather(*(ask(consume) for _ in range(10) for consume in both))
    assert len({answer.kept() for answer in answers}) == 1
    assert provider.asked == 1
    assert await house.used() == 70
    await charged_once(house)


async def test_a_repetition_has_the_first_answer_whatever_has_changed_since(house: House) -> None:
    provider = Script()
    first = await ask(process(house, provider))
    house.apply(token_bucket_capacity="1", providers_openai_enabled="false")
    house.roles.away = True
    house.clock.pass_seconds(3600)
    assert (await ask(process(house, provider))).kept() == first.kept()
    assert first.answer == b'{"answer": 1}\n'
    assert (first.decision.used, first.decision.allowed) == (70, True)
    await charged_once(house)


@pytest.mark.parametrize(
    "change",
    [
        {"tokens": 71},
        {"provider": "gemini"},
        {"org_id": ORG},
        {"prompt": "hello "},
        {"prompt": None},
        {"user_id": OTHER},
    ],
)
async def test_the_key_of_another_request_is_a_conflict(
    house: House, change: dict[str, Any]
) -> None:
    consume = process(house, Script())
    await ask(consume)
    other = consume(replace(SPEND, **change), principal(), idempotency_key="k")
    assert await reason(other) == "IDEMPOTENCY_KEY_REUSED"
    await charged_once(house)


async def test_another_s_key_is_another_key(house: House) -> None:
    consume = process(house, Script())
    await ask(consume)
    assert (await ask(consume, replace(SPEND, user_id=OTHER))).answer == b'{"answer": 2}\n'


async def test_a_provider_that_failed_frees_the_key_and_the_tokens(house: House) -> None:
    provider = Script([Step(fails=True)])
    provider.steps[0].gate.set()
    consume = process(house, provider)
    assert await reason(ask(consume)) == "PROVIDER_CALL_FAILED"
    assert (await house.left(), await house.used(), await house.held()) == (100_000, 0, 0)
    assert (await ask(consume)).answer == b'{"answer": 2}\n'
    await charged_once(house)


@dataclass
class Keys:
    """The real keys, of which some drops are done and not answered."""

    inner: IdempotencyKeys
    unanswered: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def drop(self, claim: Claim) -> bool:
        done = await self.inner.drop(claim)
        if self.unanswered:
            self.unanswered -= 1
            raise AppError(REASON_UNAVAILABLE, "the database is away")
        return done


async def test_a_lost_answer_to_the_key_s_end_leaves_no_hold_behind(house: House) -> None:
    provider = Script([Step(fails=True)])
    provider.steps[0].gate.set()
    once = house.process()
    consume = process(house, provider, once=replace(once, keys=Keys(once.keys, unanswered=2)))
    assert await reason(ask(consume)) == "PROVIDER_CALL_FAILED"
    assert (await house.left(), await house.used(), await house.held()) == (100_000, 0, 0)
    assert (await ask(consume)).answer == b'{"answer": 2}\n'
    await charged_once(house)


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        ({"token_tiers_levels_USER_quota__max__tokens": "69"}, "INSUFFICIENT_QUOTA"),
        ({"token_bucket_capacity": "69"}, "COST_EXCEEDS_CAPACITY"),
        ({"providers_openai_enabled": "false"}, "PROVIDER_DISABLED"),
    ],
)
async def test_what_was_refused_may_be_tried_again(
    house: House, settings: dict[str, str], refusal: str
) -> None:
    consume = process(house, Script())
    house.apply(**settings)
    assert await reason(ask(consume)) == refusal
    house.apply()
    assert await ask(consume)
    await charged_once(house)


async def test_a_full_bucket_refuses_those_who_come_together_alike_and_frees_the_key(
    house: House,
) -> None:
    consume = process(house, Script())
    house.apply(token_bucket_capacity="100", token_bucket_leak__rate__per__second="10")
    await ask(consume, key="before")
    refusals = await asyncio.gather(*(ask(consume) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(refusal, RateLimitedError) for refusal in refusals)
    assert len({refusal.decision for refusal in refusals}) == 1  # type: ignore[union-attr] # above
    house.clock.pass_seconds(60)
    assert await ask(consume)
    assert await house.left() == 100_000 - 140


async def begun(house: House, provider: Script) -> "asyncio.Future[Spent]":
    """A consume of a process that is asleep, or gone, while the provider answers."""
    number = provider.asked
    work = asyncio.ensure_future(ask(process(house, provider)))
    await provider.steps[number].reached.wait()
    return work


async def test_what_a_crash_left_between_hold_and_charge_is_charged_once(house: House) -> None:
    crashed = Step()
    provider = Script([crashed])
    gone = await begun(house, provider)
    assert await house.held() == 1
    house.clock.now += house.limits.claim_us
    second = await ask(process(house, provider))
    assert provider.heard == [("openai", "hello", 70)] * 2
    await charged_once(house)
    assert await house.used() == 0  # drained meanwhile, and not taken from again
    # It was only asleep.
    crashed.gate.set()
    assert (await gone).kept() == second.kept()
    await charged_once(house)


async def test_a_hold_that_has_expired_is_held_anew_and_charged_once(house: House) -> None:
    crashed, repeated = Step(), Step()
    provider = Script([crashed, repeated])
    gone = await begun(house, provider)
    house.clock.now += house.limits.hold_us + 1
    sweep = ExpireOrphans(
        pools=house.stores.pools, ledger=house.ledger, limits=house.limits, clock=house.clock
    )
    assert await sweep() == 1
    second = await begun(house, provider)
    assert repeated.id != crashed.id
    # Who wakes up now charges nothing beside it, and waits for its answer.
    crashed.gate.set()
    assert await house.held() == 1
    repeated.gate.set()
    assert (await gone).kept() == (await second).kept()
    await charged_once(house)


async def test_who_was_overtaken_and_fails_leaves_the_hold_to_who_has_it(house: House) -> None:
    slow, quick = Step(fails=True), Step()
    provider = Script([slow, quick])
    first = await begun(house, provider)
    house.clock.now += house.limits.claim_us
    second = await begun(house, provider)
    assert slow.id == quick.id
    slow.gate.set()
    await asyncio.sleep(0)
    quick.gate.set()
    assert (await first).kept() == (await second).kept()
    await charged_once(house)


async def test_who_was_overtaken_by_one_that_failed_charges_nothing_by_itself(
    house: House,
) -> None:
    slow, failing = Step(), Step(fails=True)
    provider = Script([slow, failing])
    first = await begun(house, provider)
    house.clock.now += house.limits.claim_us
    failing.gate.set()
    assert await reason(ask(process(house, provider))) == "PROVIDER_CALL_FAILED"
    assert await house.left() == 100_000
    # The key was freed, so this is a request like any other, with a hold of its own.
    slow.gate.set()
    assert (await first).answer == b'{"answer": 3}\n'
    await charged_once(house)


async def test_a_charge_that_comes_after_the_call_is_the_key_s_answer(house: House) -> None:
    provider = Script()
    house.ledger.cut = {"Settle": 1_000_000}
    consume = process(house, provider)
    assert await reason(in_time(0, lambda: ask(consume))) == "UNAVAILABLE"
    house.ledger.cut = {}
    again = await ask(consume)
    assert (again.answer, provider.asked) == (b'{"answer": 1}\n', 1)
    await charged_once(house)


async def test_a_charge_that_comes_after_another_has_let_go_of_the_key_is_none_and_no_error(
    house: House,
) -> None:
    provider = Script([Step(), Step(fails=True)])
    for step in provider.steps:
        step.gate.set()
    house.ledger.cut = {"Settle": 1_000_000}
    with capture_logs() as logs:
        assert await reason(in_time(0, lambda: ask(process(house, provider)))) == "UNAVAILABLE"
        house.clock.now += house.limits.claim_us
        assert await reason(ask(process(house, provider))) == "PROVIDER_CALL_FAILED"
        house.ledger.cut = {}
        async with house.finisher.closing():
            pass
    # Who had the key last was told that nothing is charged.
    assert (await house.left(), await house.held(), await house.told()) == (100_000, 0, [])
    assert logs[-1]["event"] == "a hold was ended otherwise meanwhile"
    assert {log["log_level"] for log in logs} == {"warning"}


async def test_an_unenforced_use_is_told_once(house: House) -> None:
    house.apply(feature_flags_token__service_quota__enforcement="false")
    provider = Script()
    both = [process(house, provider), process(house, provider)]
    answers = await asyncio.gather(*(ask(consume) for _ in range(5) for consume in both))
    assert len({answer.kept() for answer in answers}) == 1
    [event] = await house.told()
    assert (event["reason"], event["tokens"], event["userId"]) == ("unenforced", 70, USER)
