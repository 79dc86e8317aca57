"""More than one process of a service."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from mesh.cli.instances import Instance, counts, plan, workers_env
from mesh.cli.refusal import RefusedError
from mesh.cli.services import NAMES
from mesh.settings import MeshSettings
from mesh.settings.source import load

SHARED = {
    "LEAKY_TOKEN_STORE": "postgresql://127.0.0.1/leaky",
    "LEAKY_TOKEN_BUCKET_STORE": "redis://127.0.0.1",
    "LEAKY_GATEWAY_RATE_LIMIT_STORE": "redis://127.0.0.1",
}


def planned(env: Mapping[str, str], wanted: Mapping[str, int]) -> list[Instance]:
    return plan(load(MeshSettings, env, {}), env, wanted)


def test_one_of_each_unless_asked() -> None:
    assert counts([]) == dict.fromkeys(NAMES, 1)
    assert counts(["token=2", "gateway=3"])["token"] == 2


@pytest.mark.parametrize("text", ["token", "token=0", "token=-1", "token=two", "tokens=2", "=2"])
def test_what_is_no_number_of_a_service_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="SERVICE=NUMBER"):
        counts([text])


def test_a_single_system_listens_where_the_settings_say() -> None:
    found = planned({}, counts([]))
    assert [each.endpoint.name for each in found] == list(NAMES)
    assert [each.endpoint.grpc.number for each in found] == [9080, 9082, 9083, 9081, 9091]
    assert all(not each.env for each in found)


def test_gateways_share_their_rest_port_and_nothing_else() -> None:
    first, second = planned(SHARED, counts(["gateway=2"]))[:2]
    assert (first.endpoint.name, second.endpoint.name) == ("gateway", "gateway.2")
    assert first.endpoint.http == second.endpoint.http
    assert first.endpoint.http[0].shared
    assert first.endpoint.grpc != second.endpoint.grpc
    for each in (first, second):
        own = each.endpoint.own_http
        assert own
        assert not own.shared
        assert each.env["LEAKY_MESH_OWN_HTTP_PORT"] == str(own.number)
    assert first.endpoint.own_http != second.endpoint.own_http
    assert second.env["LEAKY_MESH_INSTANCE"] == "2"
    assert "LEAKY_MESH_INSTANCE" not in first.env


def test_ports_of_all_processes_differ() -> None:
    found = planned({**SHARED, "LEAKY_PROFILE": "secure"}, counts(["gateway=3"]))
    own = [port.number for each in found for port in each.endpoint.ports if not port.shared]
    assert len(own) == len(set(own))


def test_a_second_one_that_nobody_would_find_is_refused() -> None:
    with pytest.raises(RefusedError, match="registry"):
        planned(SHARED, counts(["token=2"]))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("LEAKY_GATEWAY_RATE_LIMIT_STORE", "memory://"),
        ("LEAKY_TOKEN_STORE", ""),
        ("LEAKY_TOKEN_STORE", "sqlite:///token.db"),
        ("LEAKY_TOKEN_BUCKET_STORE", "memory://"),
    ],
)
def test_a_store_that_two_processes_cannot_share_is_refused(setting: str, value: str) -> None:
    service = setting.split("_")[1].lower()
    env = {**SHARED, setting: value}
    with pytest.raises(RefusedError, match="cannot share"):
        planned(env, counts([f"{service}=2"]))


def test_workers_keep_one_count_in_a_file_unless_they_have_a_store() -> None:
    made = workers_env({}, Path("/data of ours"))
    assert made == {"LEAKY_GATEWAY_RATE_LIMIT_STORE": "shared:///data%20of%20ours/windows"}
    assert workers_env(SHARED, Path("/data")) == {}
    assert [each.endpoint.name for each in planned(made, counts(["gateway=2"]))][:2] == [
        "gateway",
        "gateway.2",
    ]
