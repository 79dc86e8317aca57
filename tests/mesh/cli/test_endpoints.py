import pytest

from mesh.cli.endpoints import Port, check_ports, endpoint
from mesh.cli.refusal import RefusedError
from mesh.settings import MeshSettings
from mesh.settings.source import load
from tests.ports import free_port


def test_a_service_listens_where_its_settings_say() -> None:
    found = endpoint(load(MeshSettings, {"LEAKY_TOKEN_HTTP_PORT": "7001"}, {}), "token")
    assert [(port.setting, port.number) for port in found.ports] == [
        ("token.http-port", 7001),
        ("token.grpc-port", 9082),
    ]


def test_the_doubles_have_a_port_each() -> None:
    found = endpoint(MeshSettings(), "stubs")
    assert {port.setting: port.number for port in found.http} == {
        "stubs.qwen.http-port": 8091,
        "stubs.gemini.http-port": 8092,
        "stubs.openai.http-port": 8093,
    }


def test_secure_has_a_loopback_port_for_health() -> None:
    settings = load(MeshSettings, {"LEAKY_BIND_ADDRESS": "0.0.0.0"}, {})  # noqa: S104
    found = endpoint(settings, "auth")
    assert found.host == "127.0.0.1"
    assert found.health == Port("auth.health-port", 9181, "127.0.0.1")


def test_health_may_be_asked_for_from_elsewhere() -> None:
    everywhere = "0.0.0.0"  # noqa: S104
    env = {"LEAKY_PROFILE": "secure", "LEAKY_MESH_HEALTH_ADDRESS": everywhere}
    found = endpoint(load(MeshSettings, env, {}), "auth")
    assert found.health == Port("auth.health-port", 9181, everywhere)


def test_a_taken_port_is_named_with_its_setting(taken_port: int) -> None:
    ports = [
        Port("auth.http-port", free_port(), "127.0.0.1"),
        Port("token.http-port", taken_port, "127.0.0.1"),
    ]
    with pytest.raises(RefusedError) as refused:
        check_ports(ports)
    message = str(refused.value)
    assert f"port {taken_port} (token.http-port) is taken" in message
    assert "LEAKY_TOKEN_HTTP_PORT" in message
    assert "auth.http-port" not in message


def test_two_settings_with_one_port_are_both_named() -> None:
    number = free_port()
    ports = [
        Port("auth.http-port", number, "127.0.0.1"),
        Port("auth.grpc-port", number, "127.0.0.1"),
    ]
    with pytest.raises(RefusedError, match=r"auth\.grpc-port\) is auth\.http-port too"):
        check_ports(ports)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"cannot be had on 192\.0\.2\.1"):
        check_ports([Port("auth.http-port", free_port(), "192.0.2.1")])


def test_free_ports_pass() -> None:
    check_ports([Port("auth.http-port", free_port(), "127.0.0.1")])
