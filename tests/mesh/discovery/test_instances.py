import asyncio

import pytest

from mesh.discovery.instances import Instances, address, target

pytestmark = pytest.mark.anyio


def test_an_ipv6_host_stands_in_brackets() -> None:
    assert address("::", 1) == "[::]:1"
    assert address("localhost", 1) == "localhost:1"


@pytest.mark.parametrize(
    ("addresses", "uri"),
    [
        (["10.0.0.1:1"], "ipv4:10.0.0.1:1"),
        (["10.0.0.1:1", "10.0.0.2:2"], "ipv4:10.0.0.1:1,10.0.0.2:2"),
        (["[::1]:1"], "ipv6:[::1]:1"),
        (["[::1]:1", "10.0.0.2:2"], "ipv6:[::1]:1,[::ffff:10.0.0.2]:2"),
        (["localhost:1"], "dns:///localhost:1"),
    ],
)
def test_all_addresses_are_one_target(addresses: list[str], uri: str) -> None:
    assert target(addresses) == uri


async def test_not_known_yet_is_not_the_same_as_none() -> None:
    instances = Instances()
    waiting = asyncio.ensure_future(instances.known())
    await asyncio.sleep(0)
    assert not waiting.done()
    instances.update(())
    await waiting
    assert instances.is_known
    assert instances.current == ()


async def test_a_question_without_an_answer_ends_the_wait_and_changes_nothing() -> None:
    instances = Instances()
    instances.unanswered()
    await instances.known()
    assert instances.current == ()


def test_listeners_hear_of_changes_only() -> None:
    instances, heard = Instances(["b:1"]), list[tuple[str, ...]]()
    instances.on_change(heard.append)
    for answer in (["b:1"], ["b:1", "a:1", "a:1"], ["a:1", "b:1"], []):
        instances.update(answer)
    assert heard == [("a:1", "b:1"), ()]


async def test_who_waits_for_somebody_is_not_content_with_the_news_that_there_is_nobody() -> None:
    instances = Instances()
    waiting = asyncio.ensure_future(instances.found())
    instances.update(())
    await asyncio.sleep(0)
    assert not waiting.done()
    instances.update(["a:1"])
    await waiting
