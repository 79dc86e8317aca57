import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from leaky.common.v1.reason_pb2 import (
    REASON_PAYMENT_CONFLICT,
    REASON_PAYMENT_DECLINED,
    REASON_PAYMENT_NOT_FOUND,
    REASON_UNAVAILABLE,
)
from leaky.provider.v1 import payment_service_pb2
from leaky.provider.v1.payment_pb2 import (
    PAYMENT_STATE_AUTHORIZED,
    PAYMENT_STATE_CAPTURED,
    PAYMENT_STATE_VOIDED,
)
from mesh.errors import AppError
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.method import rpc
from svc_stubs.ports import Books, PaymentTrouble
from svc_stubs.servicers import PaymentServicer
from svc_stubs.stores import SCHEMAS, open_books
from svc_stubs.usecases.payments import Payments
from tests.parts.postgresql import store_url
from tests.parts.urls import POSTGRESQL, backends
from tests.svc_stubs.conftest import Switches

pytestmark = pytest.mark.anyio
ID = str(UUID(int=7))
AUTHORIZE = rpc(
    payment_service_pb2.AuthorizePaymentRequest, payment_service_pb2.AuthorizePaymentResponse
)
CAPTURE = rpc(payment_service_pb2.CapturePaymentRequest, payment_service_pb2.CapturePaymentResponse)
VOID = rpc(payment_service_pb2.VoidPaymentRequest, payment_service_pb2.VoidPaymentResponse)
GET = rpc(payment_service_pb2.GetPaymentRequest, payment_service_pb2.GetPaymentResponse)
LIST = rpc(payment_service_pb2.ListPaymentsRequest, payment_service_pb2.ListPaymentsResponse)


@pytest.fixture(params=backends("sqlite", postgresql=POSTGRESQL))
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return await store_url(request.param, tmp_path, "stubs", SCHEMAS)


@pytest.fixture
async def books(url: str) -> AsyncIterator[Books]:
    async with open_books(url) as opened:
        yield opened


class Caller:
    """Calls the payment double as another service would."""

    def __init__(
        self, books: Books, switches: Any, clock: Any, chance: Callable[[], float] = lambda: 0.5
    ) -> None:
        dispatcher = Dispatcher([ValidationInterceptor()])
        payments = Payments(books=books, faults=switches, clock=clock, chance=chance)
        dispatcher.add(PaymentServicer(payments))
        self._channel = LocalChannel(dispatcher)

    async def authorize(self, tokens: int = 5, payment_id: str = ID) -> Any:
        request = payment_service_pb2.AuthorizePaymentRequest(id=payment_id, tokens=tokens)
        return (await self._channel.unary(AUTHORIZE, request)).payment

    async def capture(self, payment_id: str = ID) -> Any:
        request = payment_service_pb2.CapturePaymentRequest(id=payment_id)
        return (await self._channel.unary(CAPTURE, request)).payment

    async def void(self) -> Any:
        request = payment_service_pb2.VoidPaymentRequest(id=ID)
        return (await self._channel.unary(VOID, request)).payment

    async def get(self) -> Any:
        request = payment_service_pb2.GetPaymentRequest(id=ID)
        return (await self._channel.unary(GET, request)).payment

    async def list(self, **request: Any) -> Any:
        wanted = payment_service_pb2.ListPaymentsRequest(**request)
        return (await self._channel.unary(LIST, wanted)).payments


@pytest.fixture
def caller(books: Books, switches: Any, clock: Any) -> Caller:
    return Caller(books, switches, clock)


async def test_hold_take_and_look(caller: Caller, clock: Any) -> None:
    held = await caller.authorize()
    assert (held.id, held.tokens, held.state) == (ID, 5, PAYMENT_STATE_AUTHORIZED)
    clock.now += 1_000_000
    taken = await caller.capture()
    assert taken.state == PAYMENT_STATE_CAPTURED
    assert taken.updated_at.ToMicroseconds() == clock.now
    clock.now += 1_000_000
    assert await caller.capture() == taken
    assert await caller.get() == taken


async def test_a_void_is_final(caller: Caller) -> None:
    await caller.authorize()
    assert (await caller.void()).state == PAYMENT_STATE_VOIDED
    with pytest.raises(AppError) as refused:
        await caller.capture()
    assert refused.value.reason == REASON_PAYMENT_CONFLICT
    with pytest.raises(AppError) as declined:
        await caller.authorize()
    assert declined.value.reason == REASON_PAYMENT_DECLINED


async def test_a_void_of_nothing_refuses_the_late_authorisation(caller: Caller) -> None:
    assert (await caller.void()).tokens == 0
    with pytest.raises(AppError) as declined:
        await caller.authorize()
    assert declined.value.reason == REASON_PAYMENT_DECLINED
    assert (await caller.get()).state == PAYMENT_STATE_VOIDED


async def test_the_same_id_for_other_tokens_conflicts(caller: Caller) -> None:
    await caller.authorize(5)
    with pytest.raises(AppError) as refused:
        await caller.authorize(6)
    assert refused.value.reason == REASON_PAYMENT_CONFLICT
    assert (await caller.get()).tokens == 5


async def test_what_was_never_authorised_is_not_found(caller: Caller) -> None:
    for call in (caller.capture, caller.get):
        with pytest.raises(AppError) as missing:
            await call()
        assert missing.value.reason == REASON_PAYMENT_NOT_FOUND


async def test_the_switch_declines_and_leaves_no_trace(caller: Caller, switches: Any) -> None:
    switches.payments = PaymentTrouble(decline=True)
    with pytest.raises(AppError) as declined:
        await caller.authorize()
    assert declined.value.reason == REASON_PAYMENT_DECLINED
    switches.payments = PaymentTrouble()
    assert (await caller.authorize()).state == PAYMENT_STATE_AUTHORIZED


async def test_many_at_once_are_one_payment(caller: Caller) -> None:
    payments = await asyncio.gather(*(caller.authorize() for _ in range(20)))
    assert all(payment == payments[0] for payment in payments)


async def test_capture_and_void_at_once_end_in_one_of_them(caller: Caller) -> None:
    await caller.authorize()
    results = await asyncio.gather(caller.capture(), caller.void(), return_exceptions=True)
    (refused,) = [result for result in results if isinstance(result, AppError)]
    (done,) = [result for result in results if not isinstance(result, BaseException)]
    assert refused.reason == REASON_PAYMENT_CONFLICT
    assert await caller.get() == done


async def unanswered(call: Awaitable[Any]) -> None:
    with pytest.raises(AppError) as missing:
        await call
    assert missing.value.reason == REASON_UNAVAILABLE


async def test_a_call_that_fails_has_done_nothing(caller: Caller, switches: Any) -> None:
    switches.payments = PaymentTrouble(fail=100)
    await unanswered(caller.authorize())
    switches.payments = PaymentTrouble()
    with pytest.raises(AppError) as missing:
        await caller.get()
    assert missing.value.reason == REASON_PAYMENT_NOT_FOUND


async def test_an_answer_is_lost_after_the_thing_is_done(caller: Caller, switches: Any) -> None:
    for call, state in (
        (caller.authorize, PAYMENT_STATE_AUTHORIZED),
        (caller.capture, PAYMENT_STATE_CAPTURED),
        # A refusal's answer is lost, too.
        (caller.void, PAYMENT_STATE_CAPTURED),
    ):
        switches.payments = PaymentTrouble(lose_answer=100)
        await unanswered(call())
        switches.payments = PaymentTrouble()
        assert (await caller.get()).state == state


async def test_a_late_answer_is_of_what_was_done_at_once(
    books: Books, caller: Caller, clock: Any
) -> None:
    await caller.authorize()
    slow = Caller(books, Switches(payments=PaymentTrouble(delay=3600)), clock)
    late = asyncio.ensure_future(slow.capture())
    async with asyncio.timeout(10):
        while (await caller.get()).state != PAYMENT_STATE_CAPTURED:  # noqa: ASYNC110 the books are asked
            await asyncio.sleep(0)
    assert not late.done()
    late.cancel()
    assert (await caller.capture()).state == PAYMENT_STATE_CAPTURED


async def test_a_request_that_arrives_twice_has_one_effect(
    books: Books, caller: Caller, switches: Any, clock: Any
) -> None:
    arrived = Counter[str]()
    for verb in ("authorize", "capture", "void"):
        setattr(books, verb, counted(getattr(books, verb), verb, arrived, clock))
    switches.payments = PaymentTrouble(answer_twice=100)
    assert (await caller.authorize()).state == PAYMENT_STATE_AUTHORIZED
    taken = await caller.capture()
    with pytest.raises(AppError) as refused:
        await caller.void()
    assert refused.value.reason == REASON_PAYMENT_CONFLICT
    assert arrived == {"authorize": 2, "capture": 2, "void": 2}
    [payment] = await caller.list()
    assert payment == taken
    assert (payment.tokens, payment.state) == (5, PAYMENT_STATE_CAPTURED)


def counted(verb: Callable[..., Any], name: str, arrived: Counter[str], clock: Any) -> Any:
    """The verb, which takes note, and a second of time."""

    async def call(*args: Any, **kwargs: Any) -> Any:
        arrived[name] += 1
        clock.now += 1_000_000
        return await verb(*args, **kwargs)

    return call


async def test_a_switch_hits_so_many_of_a_hundred(books: Books, switches: Any, clock: Any) -> None:
    chances = iter(number / 100 for number in range(100))
    caller = Caller(books, switches, clock, chance=chances.__next__)
    switches.payments = PaymentTrouble(lose_answer=30)
    outcomes = await asyncio.gather(
        *(caller.authorize() for _ in range(100)), return_exceptions=True
    )
    assert sum(isinstance(outcome, AppError) for outcome in outcomes) == 30
    switches.payments = PaymentTrouble()
    assert len(await caller.list()) == 1


async def test_the_books_are_read_page_by_page_in_the_order_of_ids(caller: Caller) -> None:
    ids = [str(UUID(int=number)) for number in range(1, 8)]
    for payment_id in reversed(ids):
        await caller.authorize(5, payment_id)
    await caller.capture(ids[2])
    await caller.capture(ids[5])
    pages, after = [], ""
    while page := [payment.id for payment in await caller.list(after=after, limit=3)]:
        pages.append(page)
        after = page[-1]
    assert pages == [ids[:3], ids[3:6], ids[6:]]
    taken = await caller.list(state=PAYMENT_STATE_CAPTURED)
    assert [payment.id for payment in taken] == [ids[2], ids[5]]
    assert not await caller.list(state=PAYMENT_STATE_VOIDED)


@pytest.mark.parametrize(("payment_id", "tokens"), [("x", 5), ("", 5), (ID, 0), (ID, -1)])
async def test_bad_requests_are_refused(caller: Caller, payment_id: str, tokens: int) -> None:
    with pytest.raises(AppError) as refused:
        await caller.authorize(tokens, payment_id)
    assert refused.value.violations


async def test_the_books_outlive_the_process(url: str, switches: Any, clock: Any) -> None:
    async with open_books(url) as books:
        kept = await Caller(books, switches, clock).authorize()
    async with open_books(url) as books:
        assert await Caller(books, switches, clock).get() == kept
        await books.ping()
