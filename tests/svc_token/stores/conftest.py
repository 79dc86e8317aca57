"""Every store that a contract suite runs over, fresh for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from svc_token.stores import TOKEN_STORES
from svc_token.stores.stores import TokenStores
from svc_token.stores.topics import Topics

TOPICS = Topics(usage="token-usage", purchases="token-purchase-events")


@pytest.fixture(params=["sqlite"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TokenStores]:
    urls = {"sqlite": f"sqlite:///{tmp_path / 'token.db'}"}
    async with TOKEN_STORES.open(urls[request.param], topics=TOPICS) as opened:
        yield opened
