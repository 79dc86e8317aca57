"""The keyspace and its tables, as `leaky migrate` makes them."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from mesh.errors import AppError
from mesh.storage.schema import NewerDataError, OlderDataError
from svc_analytics.stores import SCHEMAS, STORES
from tests.parts import cassandra
from tests.parts.urls import CASSANDRA, url

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(CASSANDRA), reason="no Cassandra here"),
]


@pytest.fixture
async def fresh() -> AsyncIterator[str]:
    async with cassandra.fresh_keyspace() as made:
        yield made


async def test_an_upgrade_makes_everything_and_runs_again_and_beside_itself(fresh: str) -> None:
    async with SCHEMAS.open(f"{fresh}?replication=1") as schema:
        assert await schema.current() is None
        with pytest.raises(OlderDataError, match="run leaky migrate"):
            async with STORES.open(fresh):
                pass
        await asyncio.gather(schema.upgrade(), schema.upgrade())
        assert await schema.current() == schema.newest
        await schema.upgrade()
    async with STORES.open(fresh) as store:
        await store.ping()


async def test_tables_of_a_newer_version_are_left_alone(fresh: str) -> None:
    async with SCHEMAS.open(fresh) as schema:
        await schema.upgrade()
        cassandra.execute(
            fresh, "INSERT INTO schema_revisions (service, revision) VALUES ('analytics', '9999')"
        )
        assert await schema.current() == "9999"
        with pytest.raises(NewerDataError, match="9999"):
            await schema.upgrade()
    with pytest.raises(NewerDataError, match="9999"):
        async with STORES.open(fresh):
            pass


async def test_the_url_says_where_the_replicas_are(fresh: str) -> None:
    async with SCHEMAS.open(f"{fresh}?dc=datacenter1") as schema:
        await schema.upgrade()
    assert replication(fresh) == {
        "class": "org.apache.cassandra.locator.NetworkTopologyStrategy",
        "datacenter1": "1",
    }
    async with STORES.open(f"{fresh}?dc=datacenter1") as store:
        await store.ping()


async def test_more_replicas_than_there_are_nodes_answer_no_quorum(fresh: str) -> None:
    async with SCHEMAS.open(f"{fresh}?replication=2") as schema:
        with pytest.raises(AppError, match="LOCAL_QUORUM"):
            await schema.upgrade()
    assert replication(fresh)["replication_factor"] == "2"


def replication(keyspace: str) -> Mapping[str, str]:
    name = keyspace.rpartition("/")[2]
    query = f"SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = '{name}'"  # noqa: S608
    ((found,),) = cassandra.execute(keyspace, query)
    return dict(found)
