"""Who gets in, on real connections."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from grpc.experimental import session_cache
from grpc_health.v1 import health_pb2, health_pb2_grpc

from leaky.common.v1.reason_pb2 import (
    REASON_PERMISSION_DENIED,
    REASON_UNAUTHENTICATED,
    REASON_UNAVAILABLE,
    Reason,
)
from mesh.errors import AppError
from mesh.identity.policy import SecurePolicy
from mesh.pki.authority import Authority, new_root, private_pem
from mesh.pki.certificates import Certificates
from mesh.pki.leaf import Leaf
from mesh.pki.mutual_tls import MutualTls
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.interceptors.authorize import Admit
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.server import Server
from mesh.rpc.transport import PLAINTEXT, Transport
from tests.mesh.pki.office import DAY, Office, made_elsewhere
from tests.mesh.rpc.serving import CREDENTIALS, EXCHANGE, METHODS, STATUS, quotas, servicing

pytestmark = pytest.mark.anyio
PATIENCE = 20.0
ROLES = METHODS["GetUserRoles"]


class Watching(MutualTls):
    """Notes of each call whether its connection has resumed a session of an earlier one."""

    def __init__(self, certificates: Certificates, *, connection_seconds: float) -> None:
        super().__init__(certificates, connection_seconds=connection_seconds)
        self.resumed: list[bool] = []

    def caller(self, context: Any) -> str:
        self.resumed.append(context.auth_context()["ssl_session_reused"] == [b"true"])
        return super().caller(context)


class Served:
    """svc_auth's methods and public ones, behind the rules, over mutual TLS."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.callers: list[str] = []
        office.issue("auth")
        self.certificates = office.certificates("auth")
        self.transport = Watching(self.certificates, connection_seconds=3600)
        dispatcher = Dispatcher([map_errors, Admit(SecurePolicy(None))])  # type: ignore[arg-type] # asks nobody
        dispatcher.add(quotas(get_status=self._look))
        dispatcher.add(servicing(CREDENTIALS, exchange_api_key=self._look))
        self.server = Server(dispatcher, self.transport)
        self.port = 0

    async def _look(self, _request: Any, call: Call) -> Any:
        self.callers.append(call.caller)
        return call.method.response()

    @asynccontextmanager
    async def channel(
        self, transport: Transport, service: str = "auth"
    ) -> AsyncIterator[GrpcChannel]:
        target = f"127.0.0.1:{self.port}"
        channel = GrpcChannel(target, service=service, transport=transport)
        try:
            yield channel
        finally:
            await channel.close()

    async def outcome(
        self, transport: Transport, method: Any = STATUS, service: str = "auth"
    ) -> Reason.ValueType | None:
        """None when the call was served."""
        async with self.channel(transport, service) as channel:
            try:
                await channel.unary(method, method.request(), timeout=PATIENCE)
            except AppError as error:
                return error.reason
        return None


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    up = Served(Office(tmp_path))
    up.port = await up.server.start("127.0.0.1:0")
    yield up
    await up.server.stop(0)


class Showing(MutualTls):
    """A caller that shows whatever it likes, and believes the server."""

    def __init__(self, office: Office, **changes: str) -> None:
        office.issue("gateway")
        certificates = office.certificates("gateway")
        certificates.current = replace(certificates.current, **changes)  # type: ignore[arg-type] # texts
        super().__init__(certificates, connection_seconds=3600)


def strangers(leaf: Leaf, authority: Authority, office: Office, now: dt.datetime) -> Showing:
    """Shows what another authority, or the same at another time, says."""
    own = authority.issue(leaf.who, now=now, life=DAY)
    key, _, certificate = own.partition("-----BEGIN CERT")
    return Showing(office, key=key, chain="-----BEGIN CERT" + certificate)


async def test_a_service_gets_in_and_is_known_by_its_certificate(served: Served) -> None:
    for name in ("gateway", "token", "auth"):
        transport = served.office.transport(name)
        assert await served.outcome(transport) is None
        assert await served.outcome(transport, EXCHANGE) is None
    assert served.callers == ["gateway", "gateway", "token", "token", "auth", "auth"]


async def test_a_service_that_a_method_does_not_name_is_refused_there(served: Served) -> None:
    assert list(ROLES.rule.callers) == ["token"]
    assert await served.outcome(served.office.transport("token"), ROLES) is None
    for name in ("gateway", "stubs", "newcomer"):
        transport = served.office.transport(name)
        assert await served.outcome(transport, ROLES) == REASON_PERMISSION_DENIED
        assert await served.outcome(transport) is None


async def test_an_operator_gets_in_and_is_no_service(served: Served) -> None:
    transport = served.office.transport("operator")
    assert await served.outcome(transport) is None
    assert served.callers == [""]
    # As without a certificate in `local`: a credential is what is missing.
    for method in (ROLES, EXCHANGE):
        assert await served.outcome(transport, method) == REASON_UNAUTHENTICATED


async def raw_outcome(channel: Any, method: Any) -> grpc.StatusCode:
    """What grpcio's own channel gets."""
    try:
        await channel.unary_unary(method.path)(b"", timeout=PATIENCE)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_no_certificate_is_no_connection(served: Served) -> None:
    assert await served.outcome(PLAINTEXT) == REASON_UNAVAILABLE
    roots = served.office.authority.trusted.encode()
    options = [("grpc.ssl_target_name_override", "auth.leaky.internal")]
    credentials = grpc.ssl_channel_credentials(roots)
    target = f"127.0.0.1:{served.port}"
    async with grpc.aio.secure_channel(target, credentials, options=options) as channel:
        assert await raw_outcome(channel, STATUS) is grpc.StatusCode.UNAVAILABLE
    assert served.callers == []


async def test_certificates_of_others_and_old_ones_are_no_connection(served: Served) -> None:
    office = served.office
    leaf = office.issue("gateway").read()
    # So that each below is refused for the one thing that is wrong with it.
    good = strangers(leaf, office.authority, office, office.now)
    assert await served.outcome(good) is None
    foreign = Authority(roots=(new_root(office.domain, now=office.now),))
    for who in (
        strangers(leaf, foreign, office, office.now),
        strangers(leaf, office.authority, office, office.now - 2 * DAY),
        strangers(leaf, office.authority, office, office.now + 2 * DAY),
    ):
        assert await served.outcome(who) == REASON_UNAVAILABLE
    assert served.callers == ["gateway"]


def certified(office: Office, *names: x509.GeneralName, common: str = "gateway") -> Showing:
    """Shows a certificate of the right CA with these names in it."""
    signer = office.authority.signing
    assert signer.key is not None
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])
    since, until = office.now - DAY, office.now + DAY
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    builder = x509.CertificateBuilder(
        signer.certificate.subject, subject, key.public_key(), 7, since, until
    ).add_extension(issuer, critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(signer.key, hashes.SHA256())
    text = certificate.public_bytes(Encoding.PEM).decode()
    return Showing(office, key=private_pem(key), chain=text)


async def test_a_certificate_without_an_id_of_this_mesh_is_nobodys(served: Served) -> None:
    office, uri, dns = served.office, x509.UniformResourceIdentifier, x509.DNSName
    known = "spiffe://leaky.internal/gateway"
    # With the real one remembered, none of these must be taken for it.
    assert await served.outcome(office.transport("gateway")) is None
    assert (
        await served.outcome(certified(office, uri(known), dns("gateway.leaky.internal"))) is None
    )
    for who in (
        certified(office),
        certified(office, common=known),
        certified(office, dns("gateway.leaky.internal")),
        certified(office, dns(known), dns("gateway.leaky.internal")),
        certified(office, x509.RFC822Name(known), dns("gateway.leaky.internal")),
        certified(office, uri("https://leaky.internal/gateway")),
        certified(office, uri("spiffe://other.internal/gateway")),
        certified(office, uri("spiffe://leaky.internal/ns/gateway")),
    ):
        for method in (STATUS, EXCHANGE):
            assert await served.outcome(who, method) == REASON_UNAUTHENTICATED
    assert served.callers == ["gateway", "gateway"]


async def test_callers_find_out_that_they_reached_another_service(served: Served) -> None:
    transport = served.office.transport("gateway")
    assert await served.outcome(transport, service="token") == REASON_UNAVAILABLE
    stranger = Office(served.office.path / "elsewhere")
    assert await served.outcome(stranger.transport("gateway")) == REASON_UNAVAILABLE


async def test_what_a_header_says_proves_nothing(served: Served) -> None:
    async with served.channel(served.office.transport("stubs")) as channel:
        for name in ("x-leaky-service", "x-internal-caller", "x-forwarded-client-cert"):
            with pytest.raises(AppError) as refused:
                await channel.unary(
                    ROLES,
                    ROLES.request(user_id="u"),
                    timeout=PATIENCE,
                    metadata={name: "token"},
                )
            assert refused.value.reason == REASON_PERMISSION_DENIED


async def health(channel: grpc.aio.Channel) -> int:
    request = health_pb2.HealthCheckRequest()
    answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=PATIENCE)
    status: int = answer.status
    return status


async def test_health_has_a_door_without_a_certificate_for_it_alone(tmp_path: Path) -> None:
    served = Served(Office(tmp_path))
    # The port of the listener for health is not told, so it is asked for by name.
    where = f"unix:{tmp_path / 'health'}"
    served.port = await served.server.start("127.0.0.1:0", health_address=where)
    await served.server.serving(ready=True)
    async with grpc.aio.insecure_channel(where) as channel:
        assert await health(channel) == health_pb2.HealthCheckResponse.SERVING
        for method in (STATUS, EXCHANGE):
            assert await raw_outcome(channel, method) is grpc.StatusCode.UNIMPLEMENTED
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await health(channel)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    await served.server.stop(0)


async def test_a_connection_does_not_outlive_what_opened_it(tmp_path: Path) -> None:
    office = Office(tmp_path)
    served = Served(office)
    office.issue("auth")
    transport = MutualTls(office.certificates("auth"), connection_seconds=0.2)
    served.server = Server(Dispatcher([]), transport)
    served.port = await served.server.start("127.0.0.1:0")
    leaf = office.issue("gateway").read()
    options = [("grpc.ssl_target_name_override", "auth.leaky.internal")]
    shown = (leaf.roots.encode(), leaf.key.encode(), leaf.chain.encode())
    target = f"127.0.0.1:{served.port}"
    credentials = grpc.ssl_channel_credentials(*shown)
    async with grpc.aio.secure_channel(target, credentials, options=options) as channel:
        await channel.channel_ready()
        async with asyncio.timeout(PATIENCE):
            await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        assert channel.get_state() is not grpc.ChannelConnectivity.READY
    await served.server.stop(0)


async def test_a_call_is_refused_once_the_connections_certificate_has_ended(
    served: Served,
) -> None:
    office = served.office
    async with served.channel(office.transport("gateway")) as channel:
        await channel.unary(EXCHANGE, EXCHANGE.request(), timeout=PATIENCE)
        office.clock.forward((DAY + dt.timedelta(seconds=1)).total_seconds())
        for _ in range(2):
            with pytest.raises(AppError) as refused:
                await channel.unary(EXCHANGE, EXCHANGE.request(), timeout=PATIENCE)
            assert refused.value.reason == REASON_UNAVAILABLE
    assert served.callers == ["gateway"]


async def test_a_root_that_is_dropped_takes_its_connections_along(served: Served) -> None:
    office = served.office
    former, gateway = office.authority, office.transport("gateway")
    async with served.channel(gateway) as channel:
        await channel.unary(EXCHANGE, EXCHANGE.request(), timeout=PATIENCE)
        office.authority = former.with_next(new_root(office.domain, now=office.now)).switched()
        renewed(served)
        await channel.unary(EXCHANGE, EXCHANGE.request(), timeout=PATIENCE)
        office.authority = office.authority.without_former()
        renewed(served)
        with pytest.raises(AppError) as refused:
            await channel.unary(EXCHANGE, EXCHANGE.request(), timeout=PATIENCE)
    assert refused.value.reason == REASON_UNAVAILABLE
    assert await served.outcome(office.transport("token"), EXCHANGE) is None
    assert served.callers == ["gateway", "gateway", "token"]


async def test_a_resumed_session_opens_nothing_that_a_new_one_would_not(served: Served) -> None:
    office = served.office
    leaf = office.issue("gateway").read()
    cache = session_cache.ssl_session_cache_lru(4)  # type: ignore[no-untyped-call] # grpcio's own
    options = [
        ("grpc.ssl_target_name_override", "auth.leaky.internal"),
        ("grpc.ssl_session_cache", cache),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    shown = (leaf.roots.encode(), leaf.key.encode(), leaf.chain.encode())

    async def outcome() -> grpc.StatusCode:
        credentials = grpc.ssl_channel_credentials(*shown)
        target = f"127.0.0.1:{served.port}"
        async with grpc.aio.secure_channel(target, credentials, options=options) as channel:
            return await raw_outcome(channel, EXCHANGE)

    assert [await outcome() for _ in range(2)] == [grpc.StatusCode.OK] * 2
    office.clock.forward((DAY + dt.timedelta(seconds=1)).total_seconds())
    assert await outcome() is grpc.StatusCode.UNAVAILABLE
    assert served.transport.resumed == [False, True, True]
    assert served.callers == ["gateway"] * 2


def renewed(served: Served) -> None:
    """The server has a new certificate, and has seen that."""
    served.office.issue("auth")
    served.certificates.look()


async def test_a_certificate_may_have_others_between_it_and_the_root(tmp_path: Path) -> None:
    office = Office(tmp_path)
    root = made_elsewhere("Root of another tool")
    office.authority = Authority(roots=(root,))
    served = Served(office)
    served.port = await served.server.start("127.0.0.1:0")
    between = Authority(roots=(made_elsewhere("Between", by=root),))
    own = between.issue(office.who("gateway"), now=office.now, life=DAY)
    office.folder("gateway").write(own + between.trusted, root.pem)
    transport = MutualTls(office.certificates("gateway"), connection_seconds=3600)
    assert await served.outcome(transport, EXCHANGE) is None
    assert served.callers == ["gateway"]
    await served.server.stop(0)


async def test_certificates_may_live_for_longer_than_grpc_can_count(tmp_path: Path) -> None:
    office = Office(tmp_path)
    served = Served(office)
    transport = MutualTls(served.certificates, connection_seconds=90 * DAY.total_seconds())
    server = Server(Dispatcher([]), transport)
    assert await server.start("127.0.0.1:0") > 0
    await server.stop(0)


async def test_a_ca_may_name_its_key_in_a_way_of_its_own(tmp_path: Path) -> None:
    office = Office(tmp_path)
    root = made_elsewhere("Root of another tool", identifier=bytes(range(20)))
    office.authority = Authority(roots=(root,))
    served = Served(office)
    served.port = await served.server.start("127.0.0.1:0")
    assert await served.outcome(office.transport("gateway"), EXCHANGE) is None
    assert served.callers == ["gateway"]
    await served.server.stop(0)
