"""The job that everything is there for, on real processes, through the client SDK."""

import uuid

import pytest

from leaky.client import AsyncClient, Client, errors
from tests.e2e.system import System, until

pytestmark = pytest.mark.e2e
PASSWORD = "correct horse battery"
# Reached only on failure: the first event may find a Kafka that has just been started.
LATE_SECONDS = 60


def test_from_registration_to_a_purchase(local: System) -> None:
    name = f"ada-{uuid.uuid4().hex[:8]}"
    with Client(base_url=local.url()) as visitor:
        user = visitor.auth.register(username=name, email=f"{name}@example.com", password=PASSWORD)
        signed_in = visitor.with_credentials(token=user.token)
        key = signed_in.api_key.create_api_key(user_id=user.user_id, name="laptop")
        client = visitor.with_credentials(api_key=key.raw_key)
        me = user.user_id

        answer = client.consume.consume(user_id=me, provider="openai", tokens=30, prompt="hello")
        assert answer.allowed
        assert answer.provider_response["received"] == "hello"
        assert answer.provider_response["message"] == "Stubbed OpenAI response"
        quota = client.quota.get_quota(user_id=me, provider="openai")
        assert (quota.total_tokens, quota.remaining_tokens) == (100_000, 99_970)

        def seen() -> bool:
            usage = client.analytics.list_usage(provider="openai", limit=200)
            return [item.tokens for item in usage.items if item.user_id == me] == [30]

        until(seen, LATE_SECONDS)

        bought = client.purchase.create_purchase(user_id=me, provider="openai", tokens=500)

        def completed() -> bool:
            saga = client.purchase.get_purchase(saga_id=bought.saga_id)
            return saga.status == "COMPLETED"

        until(completed, LATE_SECONDS)
        quota = client.quota.get_quota(user_id=me, provider="openai")
        assert (quota.total_tokens, quota.remaining_tokens) == (100_500, 100_470)


@pytest.mark.anyio
async def test_the_same_purchase_key_is_the_same_purchase(local: System) -> None:
    me = str(uuid.uuid4())
    async with AsyncClient(base_url=local.url()) as client:
        first = await client.purchase.create_purchase(
            user_id=me, provider="qwen", tokens=5, idempotency_key="once"
        )
        again = await client.purchase.create_purchase(
            user_id=me, provider="qwen", tokens=5, idempotency_key="once"
        )
        assert first.saga_id == again.saga_id
        with pytest.raises(errors.IdempotencyKeyReused):
            await client.purchase.create_purchase(
                user_id=me, provider="qwen", tokens=6, idempotency_key="once"
            )
