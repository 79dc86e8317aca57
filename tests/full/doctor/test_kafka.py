"""What `leaky doctor` says of Kafka."""

from pathlib import Path

import pytest

from mesh.cli.doctor.finding import Finding, Level
from mesh.storage.kafka import ensure_topics, servers_of
from tests.full.doctor.looking import levels, look
from tests.parts.kafka import corner
from tests.parts.urls import KAFKA, url

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not url(KAFKA), reason="no Kafka runs")]


async def looked(folder: Path, sink: str, **env: str) -> list[Finding]:
    return await look(folder, "token.usage.sink", LEAKY_TOKEN_USAGE_SINK=sink, **env)


async def test_topics_are_there_or_not(tmp_path: Path) -> None:
    async with corner() as made:
        env = {
            "LEAKY_TOKEN_USAGE_TOPIC": made.topics.usage,
            "LEAKY_TOKEN_SAGA_TOPIC": made.topics.purchases,
        }
        found = await looked(tmp_path, url(KAFKA), **env)
        assert levels(found) == [Level.OK, Level.WARN, Level.WARN]
        assert made.topics.usage in found[1].what
        await ensure_topics(servers_of(url(KAFKA)), [made.topics.usage, made.topics.purchases])
        found = await looked(tmp_path, url(KAFKA), **env)
    assert levels(found) == [Level.OK] * 3
    assert "1 broker" in found[0].what
    assert "6 partitions" in found[1].what


async def test_a_port_where_nobody_is(tmp_path: Path) -> None:
    (found,) = await looked(tmp_path, "kafka://127.0.0.1:1")
    assert found.level is Level.FAIL
    assert "no Kafka answers at 127.0.0.1:1" in found.what


async def test_no_url_at_all(tmp_path: Path) -> None:
    (found,) = await looked(tmp_path, "kafka://user:hidden-pw@127.0.0.1:1/x")
    assert found.level is Level.FAIL
    assert "hidden-pw" not in repr(found)


async def test_where_events_come_from_is_asked_for_its_own_topic(tmp_path: Path) -> None:
    env = {"LEAKY_ANALYTICS_USAGE_SOURCE": url(KAFKA), "LEAKY_ANALYTICS_USAGE_TOPIC": "no-such"}
    _, topic = await look(tmp_path, "analytics.usage.source", **env)
    assert topic.level is Level.WARN
    assert "no-such" in topic.what
