"""Every store that a contract suite runs over, fresh for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from svc_token.stores import SCHEMAS, TOKEN_STORES
from svc_token.stores.stores import TokenStores
from svc_token.stores.topics import Topics
from tests.parts.postgresql import store_url
from tests.parts.urls import POSTGRESQL, backends

TOPICS = Topics(usage="token-usage", purchases="token-purchase-events")


@pytest.fixture(params=backends("sqlite", postgresql=POSTGRESQL))
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TokenStores]:
    url = await store_url(request.param, tmp_path, "token", SCHEMAS)
    async with TOKEN_STORES.open(url, topics=TOPICS) as opened:
        yield opened
