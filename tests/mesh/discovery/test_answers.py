from typing import Any

import pytest
from structlog.testing import capture_logs

from mesh.discovery.answers import addresses, next_index

pytestmark = pytest.mark.anyio


def node(host: str, port: int = 1, agent: str = "10.0.0.9") -> dict[str, Any]:
    return {"Node": {"Address": agent}, "Service": {"Address": host, "Port": port}}


@pytest.mark.parametrize(
    ("before", "answered", "following"),
    [
        (None, "7", 7),
        (7, "7", 7),
        (7, "8", 8),
        # Another Consul's, or one that has begun anew.
        (7, "6", None),
        (None, "0", None),
        (7, "0", None),
        (None, "-1", None),
    ],
)
def test_an_index_that_must_not_be_waited_on_begins_anew(
    before: int | None, answered: str, following: int | None
) -> None:
    assert next_index(before, answered) == following


async def test_each_instance_has_an_address_and_its_agents_when_it_tells_none() -> None:
    nodes = [node("10.0.0.2", 2), node("::1"), node("", 3), node("10.0.0.2", 2)]
    assert await addresses(nodes) == ("10.0.0.2:2", "10.0.0.9:3", "[::1]:1")


async def test_a_name_is_resolved_and_one_that_nobody_knows_is_left_out() -> None:
    with capture_logs() as logs:
        found = await addresses([node("localhost", 5), node("nobody.invalid")])
    assert "127.0.0.1:5" in found
    assert set(found) <= {"127.0.0.1:5", "[::1]:5"}
    assert [log["host"] for log in logs] == ["nobody.invalid"]


@pytest.mark.parametrize("nodes", [[{}], [{"Service": {"Address": ""}}], [None]])
async def test_what_is_no_answer_is_an_error(nodes: list[Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        await addresses(nodes)
