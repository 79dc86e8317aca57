"""A corner of Kafka and an empty store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from svc_analytics.ports import UsageStore
from svc_analytics.stores import STORES
from tests.parts.kafka import Corner, corner


@pytest.fixture
async def kafka() -> AsyncIterator[Corner]:
    async with corner() as made:
        yield made


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[UsageStore]:
    async with STORES.open(f"sqlite:///{tmp_path / 'analytics.db'}") as opened:
        yield opened
