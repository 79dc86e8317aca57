"""OutboxService as an operator meets it, behind all interceptors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from leaky.common.v1.reason_pb2 import (
    REASON_INVALID_ARGUMENT,
    REASON_PERMISSION_DENIED,
    REASON_UNAUTHENTICATED,
)
from leaky.token.v1 import outbox_service_pb2 as pb
from mesh.errors import AppError
from mesh.rpc.channel import Channel
from mesh.rpc.method import rpc
from svc_token.domain.operations import Emit
from svc_token.stores import TOKEN_STORES
from svc_token.stores.stores import TokenStores
from tests.svc_token.conftest import NOW_US, TOPICS, spend
from tests.svc_token.town import town

pytestmark = pytest.mark.anyio
LIST = rpc(pb.ListParkedRequest, pb.ListParkedResponse)
REQUEUE = rpc(pb.RequeueParkedRequest, pb.RequeueParkedResponse)


@asynccontextmanager
async def store_of(data: Path) -> AsyncIterator[TokenStores]:
    async with TOKEN_STORES.open(f"sqlite:///{data / 'token.db'}", topics=TOPICS) as stores:
        yield stores


async def parked(data: Path, *event_ids: str) -> None:
    """Before the service starts, so that no relay takes them."""
    async with store_of(data) as stores:
        for event_id in event_ids:
            event = spend(user_id=f"u-{event_id}", prompt="secret").event(event_id, NOW_US)
            await stores.ledger.submit(Emit(event=event))
        for row in await stores.outbox.pending(10):
            await stores.outbox.park([row.seq], NOW_US)


async def listed(channel: Channel, **request: int) -> list[pb.ParkedEvent]:
    return list((await channel.unary(LIST, pb.ListParkedRequest(**request))).events)


async def test_parked_events_are_listed_page_by_page_without_what_they_tell(
    tmp_path: Path,
) -> None:
    await parked(tmp_path, "e1", "e2", "e3")
    async with town(tmp_path) as built:
        first, second = await listed(built.token.channel, limit=2)
        assert (first.event_id, first.topic, first.key) == ("e1", "token-usage", "user:u-e1")
        assert first.parked_at.ToMicroseconds() == NOW_US
        assert first.size > 100
        (last,) = await listed(built.token.channel, after_seq=second.seq)
        assert last.event_id == "e3"
        assert await listed(built.token.channel, after_seq=last.seq) == []


async def test_requeued_events_are_delivered(tmp_path: Path) -> None:
    names = [f"{number:08}-0000-4000-8000-000000000000" for number in range(3)]
    await parked(tmp_path, *names)
    async with town(tmp_path) as built:
        channel = built.token.channel
        answer = await channel.unary(
            REQUEUE, pb.RequeueParkedRequest(event_ids=[names[1], "nobody"])
        )
        assert answer.event_ids == [names[1]]
        answer = await channel.unary(REQUEUE, pb.RequeueParkedRequest(all=True))
        assert sorted(answer.event_ids) == [names[0], names[2]]
        assert await listed(channel) == []
    # The town's analytics takes all; a service that ends delivers what it has in hand.
    async with store_of(tmp_path) as stores:
        assert await stores.outbox.parked(10) == []


@pytest.mark.parametrize(
    "request_",
    [
        pb.RequeueParkedRequest(),
        pb.RequeueParkedRequest(all=True, event_ids=["e1"]),
        pb.RequeueParkedRequest(event_ids=["e"] * 1001),
    ],
    ids=["neither", "both", "too many"],
)
async def test_what_to_requeue_is_said_in_one_way(
    tmp_path: Path, request_: pb.RequeueParkedRequest
) -> None:
    async with town(tmp_path) as built:
        with pytest.raises(AppError) as refused:
            await built.token.channel.unary(REQUEUE, request_)
        assert refused.value.reason == REASON_INVALID_ARGUMENT


async def test_in_secure_it_is_an_admin_s_and_nowhere_in_rest(tmp_path: Path) -> None:
    async with town(tmp_path, LEAKY_PROFILE="secure") as built:
        _, user = await built.newcomer()
        admin = await built.admin()
        channel = built.token.channel
        for client, reason in ((user, REASON_PERMISSION_DENIED), (None, REASON_UNAUTHENTICATED)):
            bearer = {"authorization": client.headers["Authorization"]} if client else {}
            with pytest.raises(AppError) as refused:
                await channel.unary(LIST, pb.ListParkedRequest(), metadata=bearer)
            assert refused.value.reason == reason
            with pytest.raises(AppError) as refused:
                await channel.unary(REQUEUE, pb.RequeueParkedRequest(all=True), metadata=bearer)
            assert refused.value.reason == reason
        bearer = {"authorization": admin.headers["Authorization"]}
        answer = await channel.unary(LIST, pb.ListParkedRequest(), metadata=bearer)
        assert list(answer.events) == []
        paths = (await admin.get("/v3/api-docs")).json()["paths"]
        assert not [path for path in paths if "outbox" in path or "parked" in path]
