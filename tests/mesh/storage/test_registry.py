import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mesh.storage.registry import Registry, UnknownSchemeError

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def open_echo(url: str, *, loud: bool = False) -> AsyncIterator[str]:
    yield url.upper() if loud else url


STORES: Registry[str] = Registry(
    "pools", {"echo": f"{__name__}:open_echo", "lazy": "antigravity:fly"}
)


async def test_a_url_opens_the_store_of_its_scheme_with_what_it_needs() -> None:
    async with STORES.open("echo:///a/b", loud=True) as store:
        assert store == "ECHO:///A/B"


def test_an_unknown_scheme_is_refused_with_those_there_are_and_without_the_url() -> None:
    with pytest.raises(UnknownSchemeError) as refused:
        STORES.open("mysql://ada:hunter2@host/db")
    assert str(refused.value) == "pools: no store for mysql://; there are echo://, lazy://"


@pytest.mark.parametrize("url", ["", "echo", "/a/b"])
def test_what_is_no_url_is_refused_too(url: str) -> None:
    with pytest.raises(UnknownSchemeError, match="there are echo://"):
        STORES.open(url)


def test_a_store_that_is_not_asked_for_is_not_imported() -> None:
    assert "antigravity" not in sys.modules
