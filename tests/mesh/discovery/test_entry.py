import socket
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from mesh.discovery.entry import Entry, Place
from mesh.settings import Live, MeshSettings

BESIDE = ("127.0.0.1", 8500)


def place(data: Path, service: str = "token", agent: tuple[str, int] = BESIDE, **env: str) -> Place:
    named = {f"LEAKY_{name.upper()}": value for name, value in env.items()}
    settings = Live.read(MeshSettings, {"LEAKY_DATA": str(data), **named}).current
    return Entry(service=service, name=service, settings=settings).place(agent)


def own_address() -> str:
    """This machine's address beyond loopback, by which it would reach others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no way out")
        host: str = sock.getsockname()[0]
    return host


def test_an_instance_is_told_of_by_its_address_port_and_version(tmp_path: Path) -> None:
    found = place(tmp_path, bind_address="127.0.0.2", token_grpc_port="9999")
    assert (found.id, found.name) == ("token-127.0.0.2-9999", "token")
    assert (found.host, found.port, found.check) == ("127.0.0.2", 9999, "127.0.0.2:9999")
    assert found.meta.keys() == {"version", "protocol", "http_port", "metrics_port"}


def test_stubs_have_a_rest_port_for_each_provider(tmp_path: Path) -> None:
    meta = place(tmp_path, "stubs").meta
    assert {key: meta[key] for key in meta if key.startswith("http_port")} == {
        "http_port_qwen": "8091",
        "http_port_gemini": "8092",
        "http_port_openai": "8093",
    }


def test_metrics_are_on_the_rest_port_or_on_the_one_that_nobody_shares(tmp_path: Path) -> None:
    assert place(tmp_path).meta["metrics_port"] == "8082"
    assert place(tmp_path, "stubs").meta["metrics_port"] == "8091"
    shared = place(tmp_path, mesh_share_http_port="true", mesh_own_http_port="9999").meta
    assert (shared["http_port"], shared["metrics_port"]) == ("8082", "9999")


def test_what_is_to_be_told_wins_over_what_is_bound(tmp_path: Path) -> None:
    found = place(tmp_path, mesh_advertise_address="token.internal")
    assert (found.host, found.check) == ("token.internal", "token.internal:9082")


def test_bound_to_every_address_beside_the_agent_it_is_where_the_agent_is(tmp_path: Path) -> None:
    found = place(tmp_path, bind_address="0.0.0.0")  # noqa: S104 what is tested
    assert found.host == ""
    assert found.id == f"token-{socket.gethostname()}-9082"


def test_bound_to_every_address_it_is_where_an_agent_elsewhere_can_reach_it(tmp_path: Path) -> None:
    own = own_address()
    agent = ("192.0.2.1", 8500)
    found = place(tmp_path, agent=agent, bind_address="0.0.0.0")  # noqa: S104 what is tested
    assert (found.host, found.check) == (own, f"{own}:9182")


@pytest.mark.parametrize(
    ("agent", "check"),
    [(BESIDE, "127.0.0.1:9182"), (("192.0.2.1", 8500), "10.0.0.1:9182")],
    ids=["beside", "elsewhere"],
)
def test_in_secure_health_is_checked_where_it_wants_no_certificate(
    tmp_path: Path, agent: tuple[str, int], check: str
) -> None:
    if agent is not BESIDE:
        own_address()
    env = {"profile": "secure", "mesh_advertise_address": "10.0.0.1"}
    with capture_logs() as logs:
        assert place(tmp_path, agent=agent, **env).check == check
    # An agent elsewhere does not get at loopback.
    assert [log["log_level"] for log in logs] == ([] if agent is BESIDE else ["warning"])
    with capture_logs() as logs:
        anywhere = place(tmp_path, agent=agent, mesh_health_address="::", **env)
    assert (anywhere.check, logs) == (check, [])


def test_health_on_an_address_of_its_own_is_checked_there(tmp_path: Path) -> None:
    found = place(tmp_path, profile="secure", mesh_health_address="127.0.0.3")
    assert found.check == "127.0.0.3:9182"


def test_an_agent_elsewhere_checks_health_on_its_address_too(tmp_path: Path) -> None:
    own_address()
    env = {"profile": "secure", "mesh_advertise_address": "192.0.2.10"}
    found = place(tmp_path, agent=("192.0.2.1", 8500), mesh_health_address="10.9.9.9", **env)
    assert (found.host, found.check) == ("192.0.2.10", "10.9.9.9:9182")


def test_an_agent_whose_name_does_not_resolve_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r".+"):
        place(tmp_path, agent=("nobody.invalid", 8500))


def test_a_definition_says_whether_it_serves(tmp_path: Path) -> None:
    found = place(tmp_path)
    states = [found.definition(serving=serving)["check"]["Status"] for serving in (False, True)]
    assert states == ["critical", "passing"]


def test_an_instance_that_is_known_otherwise_is_another(tmp_path: Path) -> None:
    found = place(tmp_path)
    known: dict[str, Any] = {
        "Service": "token",
        "Address": "127.0.0.1",
        "Port": 9082,
        "Meta": dict(found.meta),
    }
    assert found.is_as(known)
    assert not found.is_as(None)
    for name, value in {"Port": 1, "Address": "", "Meta": {}, "Service": "auth"}.items():
        assert not found.is_as({**known, name: value})
