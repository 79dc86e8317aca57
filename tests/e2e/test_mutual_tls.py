"""In `secure` no service's gRPC port takes a call without a certificate of the mesh."""

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mesh.pki.authority import Authority, new_root
from mesh.pki.leaf import Leaf, read_leaf
from mesh.rpc.mux.serving import OPEN
from svc_gateway.routing import service_of
from tests.e2e.matrix import GRPC_SERVICES, METHODS
from tests.e2e.shown import DOMAIN, channel, leaf_of, shown_channel
from tests.e2e.system import System

pytestmark = pytest.mark.e2e
HEALTH = "/grpc.health.v1.Health/Check"
every_service = pytest.mark.parametrize("service", ["gateway", *GRPC_SERVICES])


def foreign(leaf: Leaf) -> Leaf:
    """For the same name, by a CA of somebody else's."""
    now = dt.datetime.now(dt.UTC)
    stranger = Authority(roots=(new_root(DOMAIN, now=now),))
    own = stranger.issue(leaf.who, now=now, life=dt.timedelta(hours=1))
    return read_leaf(own, leaf.roots)


@contextmanager
def strangers(system: System, service: str) -> Iterator[dict[str, grpc.Channel]]:
    leaf = leaf_of(system, "token")
    options = [("grpc.ssl_target_name_override", f"{service}.{DOMAIN}")]
    nothing = grpc.ssl_channel_credentials(leaf.roots.encode())
    target = system.target(service)
    with ExitStack() as stack:
        made = {
            "in the clear": grpc.insecure_channel(target),
            "without a certificate": grpc.secure_channel(target, nothing, options=options),
            "another CA's": shown_channel(system, service, foreign(leaf)),
        }
        for one in made.values():
            stack.enter_context(one)
        yield made


def outcome(made: Any, path: str) -> grpc.StatusCode:
    """What a call without a body gets."""
    with pytest.raises(grpc.RpcError) as refused:
        made.unary_unary(path)(b"", timeout=20)
    code: grpc.StatusCode = refused.value.code()
    return code


@every_service
def test_who_has_no_certificate_of_the_mesh_is_refused_whatever_is_asked(
    secure: System, service: str
) -> None:
    own = [method.path for method in METHODS if service_of(method) == service]
    with strangers(secure, service) as made:
        for name, stranger in made.items():
            for path in (HEALTH, OPEN, *own):
                assert outcome(stranger, path) is grpc.StatusCode.UNAVAILABLE, (name, path)


@every_service
def test_who_has_one_gets_in(secure: System, service: str) -> None:
    with channel(secure, service) as one:
        answer = health_pb2_grpc.HealthStub(one).Check(health_pb2.HealthCheckRequest(), timeout=20)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@every_service
def test_health_and_nothing_else_is_told_on_loopback_without_one(
    secure: System, service: str
) -> None:
    port = secure.ports[f"{service}.health-port"]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as one:
        answer = health_pb2_grpc.HealthStub(one).Check(health_pb2.HealthCheckRequest(), timeout=20)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        for path in (OPEN, *(method.path for method in METHODS)):
            assert outcome(one, path) is grpc.StatusCode.UNIMPLEMENTED


def test_commands_show_the_operators_and_an_administrators_credential_counts(
    secure: System,
) -> None:
    asked = secure.leaky("outbox", "parked")
    assert (asked.returncode, "a credential is needed" in asked.stderr) == (1, True)
    shown = secure.leaky("pki", "show")
    assert shown.returncode == 0
    assert f"spiffe://{DOMAIN}/operator" in shown.stdout


def test_no_key_is_in_any_log(secure: System) -> None:
    assert "PRIVATE KEY" not in secure.log()
