"""What `leaky doctor` says of Consul: as each service, with the token that it shows."""

from pathlib import Path

import pytest

from mesh.cli.doctor.checks import examine
from mesh.cli.doctor.finding import Finding, Level
from tests.full.consul.guarded import Guarded
from tests.parts.urls import CONSUL, url

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not url(CONSUL), reason="no Consul runs")]


async def looked(guarded: Guarded, data: Path, **more: str) -> list[Finding]:
    found = await examine(guarded.env(data, **more), ["token"])
    return [one for one in found if one.subject.startswith(("registry", "leaky/"))]


async def test_a_service_with_its_own_token(guarded: Guarded, tmp_path: Path) -> None:
    token, kept, *_ = await looked(guarded, tmp_path)
    assert (token.level, kept.level) == (Level.OK, Level.OK)
    assert "token" in token.what.partition("policies ")[2]
    assert "leaky/token/" in kept.what


async def test_a_token_that_nobody_knows(guarded: Guarded, tmp_path: Path) -> None:
    secret = "11111111-2222-3333-4444-555555555555"
    (found,) = await looked(guarded, tmp_path, LEAKY_TOKEN_CONSUL_TOKEN=secret)
    assert found.level is Level.FAIL
    assert "is not known" in found.what
    assert "leaky consul bootstrap" in found.advice
    assert secret not in repr(found)


async def test_no_token(guarded: Guarded, tmp_path: Path) -> None:
    (found,) = await looked(guarded, tmp_path, LEAKY_TOKEN_CONSUL_TOKEN_FILE="")
    assert found.level is Level.FAIL
    assert "shows no token" in found.what
    assert "LEAKY_TOKEN_CONSUL_TOKEN_FILE" in found.advice


async def test_a_token_file_that_is_not_there(guarded: Guarded, tmp_path: Path) -> None:
    file = str(tmp_path / "none")
    (found,) = await looked(guarded, tmp_path, LEAKY_TOKEN_CONSUL_TOKEN_FILE=file)
    assert found.level is Level.FAIL
    assert file in found.what


async def test_another_services_token(guarded: Guarded, tmp_path: Path) -> None:
    file = str(guarded.file("auth"))
    _, kept, *_ = await looked(guarded, tmp_path, LEAKY_TOKEN_CONSUL_TOKEN_FILE=file)
    assert kept.level is Level.FAIL
    assert "may not read leaky/token/" in kept.what


async def test_nobody_at_the_address(guarded: Guarded, tmp_path: Path) -> None:
    (found,) = await looked(guarded, tmp_path, LEAKY_REGISTRY="consul://127.0.0.1:1")
    assert found.level is Level.FAIL
    assert "no Consul answers at 127.0.0.1:1" in found.what


@pytest.mark.parametrize(
    ("pair", "level", "said"),
    [
        (("token.bucket.capacity", "none"), Level.FAIL, "older settings serve"),
        (("mesh.secret", "a-secret-in-the-wrong-place"), Level.FAIL, "belong in Consul KV"),
        (("token.buket.capacity", "5"), Level.WARN, "read by nobody"),
        (("providers.openai.base-url", "https://evil.test"), Level.FAIL, "API_KEY goes there"),
    ],
)
async def test_what_is_wrong_in_kv(
    guarded: Guarded, tmp_path: Path, pair: tuple[str, str], level: Level, said: str
) -> None:
    key, text = pair
    guarded.ask("management", "PUT", f"kv/leaky/token/{key}", text).raise_for_status()
    try:
        found = await looked(guarded, tmp_path, LEAKY_PROVIDERS_OPENAI_API_KEY="sk-a-secret-in")
    finally:
        guarded.ask("management", "DELETE", f"kv/leaky/token/{key}").raise_for_status()
    (wrong,) = [one for one in found if one.level is not Level.OK]
    assert wrong.level is level
    assert said in wrong.what
    assert "a-secret-in" not in repr(found)


async def test_an_instance_that_does_not_answer(guarded: Guarded, tmp_path: Path) -> None:
    check = {"TCP": "127.0.0.1:1", "Interval": "10s", "Status": "critical"}
    dead = {"Name": "token", "ID": "token-dead", "Port": 1, "Check": check}
    guarded.ask("management", "PUT", "agent/service/register", dead).raise_for_status()
    try:
        found = await looked(guarded, tmp_path)
    finally:
        path = "agent/service/deregister/token-dead"
        guarded.ask("management", "PUT", path).raise_for_status()
    assert found[-1].level is Level.FAIL
    assert found[-1].what.startswith("0 of 1 instances")
