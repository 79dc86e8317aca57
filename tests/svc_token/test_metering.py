"""Reservations and members' shares over REST and gRPC, through the wired service."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from leaky.token.v1 import metering_service_pb2 as pb
from mesh.rpc.method import rpc
from tests.svc_token.conftest import ORG, OTHER, USER
from tests.svc_token.town import Town, quota, refused, town

pytestmark = pytest.mark.anyio
RESERVATIONS = "/api/v1/tokens/reservations"
SHARES = "/api/v1/tokens/quota/org/members"
BATCH_RESERVE = rpc(pb.BatchReserveRequest, pb.BatchReserveResponse)
BATCH_SETTLE = rpc(pb.BatchSettleRequest, pb.BatchSettleResponse)
BATCH_RELEASE = rpc(pb.BatchReleaseRequest, pb.BatchReleaseResponse)


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Town]:
    # No test waits long enough for a bucket that leaks this slowly.
    async with town(tmp_path, LEAKY_TOKEN_BUCKET_LEAK_RATE_PER_SECOND="0.001") as built:
        yield built


@pytest.fixture
async def client(local: Town) -> httpx.AsyncClient:
    return await local.client()


def wanted(**changes: Any) -> dict[str, Any]:
    return {"id": str(uuid4()), "userId": USER, "provider": "openai", "tokens": 300, **changes}


async def reserve(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post(RESERVATIONS, json=wanted(**changes))
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def end(client: httpx.AsyncClient, id_: str, verb: str, **body: Any) -> httpx.Response:
    return await client.post(f"{RESERVATIONS}/{id_}/{verb}", json=body)


async def bucket(client: httpx.AsyncClient) -> int:
    answer = await client.get(f"/api/v1/rate-limits/{USER}?provider=openai")
    return int(answer.json()["used"])


async def test_what_is_reserved_is_settled_and_the_rest_is_back_in_pool_and_bucket(
    local: Town, client: httpx.AsyncClient
) -> None:
    made = await reserve(client)
    assert set(made) == {"id", "state", "tokens", "expiresAt", "remainingTokens"}
    assert (made["state"], made["tokens"], made["remainingTokens"]) == ("RESERVED", 300, 99_700)
    assert await bucket(client) == 300
    ended = await end(client, made["id"], "settle", tokens=120)
    assert ended.status_code == 200
    assert ended.json() == {
        "id": made["id"],
        "state": "SETTLED",
        "settledTokens": 120,
        "remainingTokens": 99_880,
    }
    assert await quota(client) == (100_000, 99_880)
    assert await bucket(client) == 120
    async with asyncio.timeout(30):
        while not local.analytics.events:  # noqa: ASYNC110 delivered by the service's own loop
            await asyncio.sleep(0.01)
    [event] = local.analytics.events
    assert (event.user_id, event.tokens, event.allowed) == (USER, 120, True)


async def test_the_same_call_again_has_the_first_answer_whatever_has_happened_since(
    client: httpx.AsyncClient,
) -> None:
    body = wanted()
    first = await client.post(RESERVATIONS, json=body)
    await reserve(client, tokens=50)
    settled = await end(client, body["id"], "settle", tokens=10)
    again = await client.post(RESERVATIONS, json=body)
    assert (again.status_code, again.json()) == (201, first.json())
    repeated = await end(client, body["id"], "settle", tokens=10)
    assert (repeated.status_code, repeated.json()) == (200, settled.json())
    assert await quota(client) == (100_000, 99_940)


async def test_the_same_id_again_is_answered_also_when_the_bucket_is_full(
    client: httpx.AsyncClient,
) -> None:
    body = wanted(tokens=900)
    first = await client.post(RESERVATIONS, json=body)
    assert (await client.post(RESERVATIONS, json=body)).json() == first.json()
    assert await bucket(client) == 900
    answer = await client.post(RESERVATIONS, json=wanted(tokens=900))
    refused(answer, 429, "RATE_LIMITED")
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_released_reservation_has_cost_nothing(client: httpx.AsyncClient) -> None:
    made = await reserve(client)
    ended = await end(client, made["id"], "release")
    assert (ended.json()["state"], ended.json()["settledTokens"]) == ("RELEASED", 0)
    assert await quota(client) == (100_000, 100_000)
    assert await bucket(client) == 0
    refused(await end(client, made["id"], "settle", tokens=1), 409, "RESERVATION_CONFLICT")


async def test_a_settled_reservation_is_neither_released_nor_settled_otherwise(
    client: httpx.AsyncClient,
) -> None:
    made = await reserve(client)
    await end(client, made["id"], "settle", tokens=5)
    refused(await end(client, made["id"], "release"), 409, "RESERVATION_CONFLICT")
    refused(await end(client, made["id"], "settle", tokens=6), 409, "RESERVATION_CONFLICT")
    refused(
        await client.post(RESERVATIONS, json=wanted(id=made["id"], tokens=7)),
        409,
        "RESERVATION_CONFLICT",
    )


async def test_a_reservation_is_shown_as_it_stands(client: httpx.AsyncClient) -> None:
    made = await reserve(client, ttlSeconds=90)
    shown = (await client.get(f"{RESERVATIONS}/{made['id']}")).json()
    assert shown["expiresAt"] == made["expiresAt"]
    assert (shown["state"], shown["settledTokens"], shown["orgId"]) == ("RESERVED", None, None)
    await end(client, made["id"], "settle", tokens=0)
    shown = (await client.get(f"{RESERVATIONS}/{made['id']}")).json()
    assert (shown["state"], shown["settledTokens"]) == ("SETTLED", 0)
    refused(await client.get(f"{RESERVATIONS}/{uuid4()}"), 404, "RESERVATION_NOT_FOUND")


async def test_a_pool_without_tokens_refuses_and_the_bucket_has_its_tokens_back(
    client: httpx.AsyncClient,
) -> None:
    body = {"orgId": ORG, "provider": "openai", "totalTokens": 100}
    assert (await client.post("/api/v1/tokens/quota/org", json=body)).status_code == 201
    answer = await client.post(RESERVATIONS, json=wanted(orgId=ORG, tokens=101))
    refused(answer, 402, "INSUFFICIENT_QUOTA")
    assert await bucket(client) == 0


@pytest.mark.parametrize(
    "change",
    [{"id": "x"}, {"tokens": 0}, {"tokens": 1001}, {"ttlSeconds": 0}, {"ttlSeconds": 3601}],
)
async def test_a_reservation_that_makes_no_sense_is_400(
    client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    assert (await client.post(RESERVATIONS, json=wanted(**change))).status_code == 400


async def test_while_quotas_are_not_enforced_nothing_can_be_reserved(
    local: Town, client: httpx.AsyncClient
) -> None:
    local.settings.apply({"feature.flags.token-service.quota-enforcement": "false"})
    refused(await client.post(RESERVATIONS, json=wanted()), 503, "FEATURE_DISABLED")


async def test_members_share_a_pool_within_their_caps(client: httpx.AsyncClient) -> None:
    body = {"orgId": ORG, "provider": "openai", "totalTokens": 1000}
    await client.post("/api/v1/tokens/quota/org", json=body)
    # What was used before the cap was set counts.
    made = await reserve(client, orgId=ORG, tokens=60)
    cap = {"orgId": ORG, "provider": "openai", "maxTokens": 100}
    answer = await client.put(f"{SHARES}/{USER}", json=cap)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["maxTokens"], answer.json()["usedTokens"]) == (100, 60)
    over = await client.post(RESERVATIONS, json=wanted(orgId=ORG, tokens=41))
    refused(over, 402, "MEMBER_CAP_EXCEEDED")
    await reserve(client, orgId=ORG, tokens=500, userId=OTHER)
    await end(client, made["id"], "settle", tokens=10)
    await reserve(client, orgId=ORG, tokens=90)
    listed = await client.get(SHARES, params={"orgId": ORG, "provider": "openai"})
    assert [(one["userId"], one["usedTokens"]) for one in listed.json()] == [(USER, 100)]
    params = {"orgId": ORG, "provider": "openai"}
    assert (await client.delete(f"{SHARES}/{USER}", params=params)).status_code == 204
    await reserve(client, orgId=ORG, tokens=91)
    gone = await client.delete(f"{SHARES}/{USER}", params=params)
    refused(gone, 404, "MEMBER_CAP_NOT_FOUND")


async def test_a_batch_decides_each_by_itself(local: Town, client: httpx.AsyncClient) -> None:
    ids = [str(uuid4()) for _ in range(5)]
    items = [pb.BatchReserveRequest.Item(id=id_, tokens=300) for id_ in ids]
    request = pb.BatchReserveRequest(user_id=USER, provider="openai", items=items)
    reserved = await local.token.channel.unary(BATCH_RESERVE, request)
    outcomes = [result.WhichOneof("outcome") for result in reserved.results]
    assert outcomes.count("reserved") == 3
    assert outcomes.count("refused") == 2
    assert await quota(client) == (100_000, 99_100)
    held = [one.reserved.id for one in reserved.results if one.HasField("reserved")]
    settles = [pb.SettleRequest(id=id_, tokens=100) for id_ in (*held[:2], str(uuid4()))]
    settled = await local.token.channel.unary(BATCH_SETTLE, pb.BatchSettleRequest(items=settles))
    assert [one.WhichOneof("outcome") for one in settled.results] == [
        "settled",
        "settled",
        "refused",
    ]
    release = pb.BatchReleaseRequest(items=[pb.ReleaseRequest(id=held[2])])
    released = await local.token.channel.unary(BATCH_RELEASE, release)
    assert released.results[0].released.state == "RELEASED"
    assert await quota(client) == (100_000, 99_800)


async def test_in_secure_a_reservation_is_its_owners_alone(tmp_path: Path) -> None:
    async with town(tmp_path, LEAKY_PROFILE="secure") as secure:
        alice, hers = await secure.newcomer()
        _, his = await secure.newcomer()
        made = await reserve(hers, userId=alice)
        path = f"{RESERVATIONS}/{made['id']}"
        assert (await his.get(path)).status_code == 404
        assert (await end(his, made["id"], "settle", tokens=1)).status_code == 404
        assert (await end(his, made["id"], "release")).status_code == 404
        assert (await his.post(RESERVATIONS, json=wanted(userId=alice))).status_code == 403
        nobody = await secure.client()
        assert (await end(nobody, made["id"], "release")).status_code == 401
        cap = {"orgId": ORG, "provider": "openai", "maxTokens": 100}
        assert (await hers.put(f"{SHARES}/{alice}", json=cap)).status_code == 403
        assert (await (await secure.admin()).put(f"{SHARES}/{alice}", json=cap)).status_code == 404
        assert (await end(hers, made["id"], "settle", tokens=7)).status_code == 200
