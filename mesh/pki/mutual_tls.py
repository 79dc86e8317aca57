"""Connections on which both sides show a certificate of the mesh (RFC 8446, SPIFFE X509-SVID)."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc

from leaky.common.v1.reason_pb2 import REASON_UNAUTHENTICATED, REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.identity.lru import Lru
from mesh.pki.certificates import Certificates
from mesh.pki.leaf import Leaf
from mesh.pki.path import path
from mesh.pki.pem import certificates as certificates_in
from mesh.pki.refused import CertificateError
from mesh.pki.spiffe import OPERATOR, SpiffeId, parse
from mesh.rpc.transport import Options

# After that a connection's calls have long ended, and a stream is begun again.
_GRACE_MS = 30_000
# gRPC takes no longer one: 24 days and a half.
_LONGEST_MS = 2**31 - 1
_KNOWN = 1_024


class MutualTls:
    """Nobody connects without a certificate that a root of the mesh has issued.

    A certificate that has ended, or whose root is dropped, begins no call more, whatever its
    connection. A server lets no connection live longer than `connection_seconds`, so that
    streams end, too.
    """

    def __init__(self, certificates: Certificates, *, connection_seconds: float) -> None:
        self._certificates = certificates
        self._domain = certificates.current.who.trust_domain
        self._names: Lru[bytes, str] = Lru(_KNOWN)
        certificates.on_change(self._forget)
        self.server_options: Options = (
            ("grpc.max_connection_age_ms", min(int(connection_seconds * 1000), _LONGEST_MS)),
            ("grpc.max_connection_age_grace_ms", _GRACE_MS),
        )

    def listen(self, server: grpc.aio.Server, address: str) -> int:
        """Takes connections that show a certificate, and shows the current one to each."""
        shown = self._certificates.current

        def changed() -> grpc.ServerCertificateConfiguration | None:
            # Asked for each connection, on a thread of gRPC's own.
            nonlocal shown
            if shown is self._certificates.current:
                return None
            shown = self._certificates.current
            return _configuration(shown)

        credentials = grpc.dynamic_ssl_server_credentials(
            _configuration(shown),
            changed,  # type: ignore[arg-type] # None is what it may return for no change
            require_client_authentication=True,
        )
        return server.add_secure_port(address, credentials)

    def dial(self, service: str, target: str, options: Options) -> grpc.aio.Channel:
        """Connections to whoever has the certificate of the service."""
        leaf = self._certificates.current
        name = SpiffeId(trust_domain=self._domain, name=service).host
        return grpc.aio.secure_channel(
            target,
            grpc.ssl_channel_credentials(_bytes(leaf.roots), _bytes(leaf.key), _bytes(leaf.chain)),
            options=[*options, ("grpc.ssl_target_name_override", name)],
        )

    def caller(self, context: Any) -> str:
        """The service that the peer's certificate names; an operator's names none.

        Raises UNAUTHENTICATED for one of another trust domain, or without an id; and as on a
        new connection UNAVAILABLE for one that has ended, or whose root is believed no more.
        """
        # Looked at with each call: gRPC does so with a handshake alone, and a connection that
        # resumes a session (RFC 8446, section 2.2) has none.
        shown = context.auth_context()
        (certificate,) = shown["x509_pem_cert"]
        now = self._certificates.now()
        name = self._names.get(certificate, now=now.timestamp())
        if name is None:
            name = self._named(shown)
            self._names.put(certificate, name, until=self._until(shown, now).timestamp())
        return name

    def _named(self, shown: Mapping[str, Sequence[bytes]]) -> str:
        try:
            (told,) = shown.get("peer_spiffe_id", ())
            who = parse(told.decode())
        except ValueError:
            raise AppError(REASON_UNAUTHENTICATED, "the certificate is none of the mesh") from None
        if who.trust_domain != self._domain:
            raise AppError(REASON_UNAUTHENTICATED, "the certificate is of another trust domain")
        return "" if who.name == OPERATOR else who.name

    def _until(self, shown: Mapping[str, Sequence[bytes]], now: dt.datetime) -> dt.datetime:
        given = b"".join((*shown["x509_pem_cert"], *shown.get("x509_pem_cert_chain", ())))
        try:
            own, *between = certificates_in(given.decode())
            found = path(own, between, roots=self._certificates.current.roots, now=now)
        except (CertificateError, ValueError):
            message = "the caller's certificate has ended, or its root is believed no more"
            raise AppError(REASON_UNAVAILABLE, message) from None
        return min(each.not_valid_after_utc for each in found)

    def _forget(self, before: Leaf) -> None:
        if before.roots != self._certificates.current.roots:
            self._names.clear()

    def on_change(self, listener: Callable[[float], None]) -> None:
        """Calls the listener with the seconds for which the certificate before is still good."""
        certificates = self._certificates

        def changed(before: Leaf) -> None:
            listener(max(0.0, certificates.seconds_left(before)))

        certificates.on_change(changed)

    async def follow(self) -> None:
        """Watches the certificate's folder, until cancelled."""
        await self._certificates.follow()


def _configuration(leaf: Leaf) -> grpc.ServerCertificateConfiguration:
    pair = (_bytes(leaf.key), _bytes(leaf.chain))
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=_bytes(leaf.roots))


def _bytes(text: str) -> bytes:
    return text.encode()
