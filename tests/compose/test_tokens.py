"""Who gets which of Consul's tokens, as the compose files say."""

import re
from pathlib import Path
from typing import Any

from mesh.cli.services import NAMES as SERVICES
from mesh.consul.token import token_file
from tests.compose.files import COMPOSE, ROOT, ours, read, services, volumes

TOKENS = Path("/tokens")
HOLDERS = {policy.stem for policy in (ROOT / "consul" / "policies").glob("*.hcl")}


def _holder(one: dict[str, Any]) -> str | None:
    """Whose token this container shows Consul, where it shows one."""
    match one.get("command"):
        case ["serve", str(service)] if "LEAKY_REGISTRY" in one["environment"]:
            return service
        case ["consul", "targets", *_]:
            return "prometheus"
    return None


def _seen(one: dict[str, Any]) -> dict[str, str]:
    """Every mount that is by its name or by its place one of tokens."""
    return {
        name: where
        for name, where in volumes(one).items()
        if name.startswith("consul-") or where.startswith(str(TOKENS))
    }


def test_each_service_shows_consul_a_token_of_its_own() -> None:
    shown = {
        (service, one["environment"][f"LEAKY_{service.upper()}_CONSUL_TOKEN_FILE"])
        for one in ours().values()
        if (service := _holder(one)) in SERVICES
    }
    assert shown == {(service, str(token_file(TOKENS, service))) for service in SERVICES}
    targets = services()["observability/targets"]
    assert f"--token-file={token_file(TOKENS, 'prometheus')}" in targets["command"]


def test_no_container_sees_anothers_token() -> None:
    for name, one in services().items():
        if name != "full/consul-bootstrap":
            own = _holder(one)
            assert _seen(one) == ({f"consul-{own}": f"/tokens/{own}:ro"} if own else {}), name


def test_who_makes_the_tokens_has_a_place_for_each_that_it_may_write() -> None:
    bootstrap = read("full")["services"]["consul-bootstrap"]
    places = {f"consul-{holder}": f"{TOKENS}/{holder}" for holder in HOLDERS}
    assert {*SERVICES, "operator", "prometheus", "agent"} == HOLDERS
    assert volumes(bootstrap) == places
    assert f"--out={TOKENS}" in bootstrap["command"]
    dockerfile = (COMPOSE / "Dockerfile").read_text().replace("\\\n", " ")
    made = re.search(r"install --directory (.*)", dockerfile)
    assert made
    # A new volume is its owner's who owns the folder under it in the image.
    assert {str(TOKENS), *places.values()} <= set(made[1].split())


def test_the_management_token_is_where_tokens_are_made_and_at_consul_itself() -> None:
    mounted = {
        name: secret
        for name, one in services().items()
        for secret in one.get("secrets", ())
        if secret.startswith("consul")
    }
    assert mounted == {"full/consul-bootstrap": "consul", "infra/consul": "consul.hcl"}
