"""Whether a certificate leads to a root that is believed (RFC 5280, section 6)."""

import datetime as dt
from collections.abc import Sequence

from cryptography import x509
from cryptography.x509 import verification

from mesh.pki.pem import certificates
from mesh.pki.refused import CertificateError


def path(
    certificate: x509.Certificate,
    between: Sequence[x509.Certificate],
    *,
    roots: str,
    now: dt.datetime,
) -> Sequence[x509.Certificate]:
    """A client's certificate and those above it, up to one of the roots, which are PEM.

    Raises CertificateError where there is no such path, or none at this time.
    """
    try:
        return _policy(roots, now).build_client_verifier().verify(certificate, [*between]).chain
    except verification.VerificationError as error:
        raise CertificateError(f"no root that is believed has issued it: {error}") from error


def check_server(
    certificate: x509.Certificate,
    between: Sequence[x509.Certificate],
    *,
    host: str,
    roots: str,
    now: dt.datetime,
) -> None:
    """Raises CertificateError where callers of this host would refuse the certificate."""
    verifier = _policy(roots, now).build_server_verifier(x509.DNSName(host))
    try:
        verifier.verify(certificate, [*between])
    except verification.VerificationError as error:
        raise CertificateError(f"callers of {host} would refuse it: {error}") from error


def _policy(roots: str, now: dt.datetime) -> verification.PolicyBuilder:
    store = verification.Store(certificates(roots))
    return verification.PolicyBuilder().store(store).time(now.replace(tzinfo=None))
