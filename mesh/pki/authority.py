"""A small certificate authority (RFC 5280): roots that live for years, leaves for hours.

The first root signs; every root's leaves are believed. So one root takes over
from another without a moment at which anybody is refused.
"""

import datetime as dt
from dataclasses import dataclass, field, replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mesh.pki.refused import CertificateError
from mesh.pki.spiffe import SpiffeId

ROOT_LIFE = dt.timedelta(days=3650)
# Certificates begin so long before they are issued, for machines whose clocks are a little behind.
EARLIER = dt.timedelta(minutes=5)
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def issued(certificate: x509.Certificate) -> dt.datetime:
    """When one of ours was made."""
    return certificate.not_valid_before_utc + EARLIER


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A certificate that is believed; with its key, one that can sign."""

    certificate: x509.Certificate
    key: PrivateKey | None = field(default=None, repr=False)

    @property
    def pem(self) -> str:
        """The certificate as text."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def ended(self, now: dt.datetime) -> bool:
        """Whether it is good for nothing any more."""
        return now >= self.certificate.not_valid_after_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """One root or several, of which the first signs."""

    roots: tuple[Root, ...]

    @property
    def signing(self) -> Root:
        """The root that signs."""
        return self.roots[0]

    @property
    def trusted(self) -> str:
        """What everybody should believe, as PEM: the certificates of all roots."""
        return "".join(root.pem for root in self.roots)

    def last_moment(self, now: dt.datetime, life: dt.timedelta) -> dt.datetime:
        """Until when a leaf of this life would be good; no leaf outlives its root."""
        return min(now + life, self.signing.certificate.not_valid_after_utc)

    def issue(self, who: SpiffeId, *, now: dt.datetime, life: dt.timedelta) -> str:
        """A new key and its certificate, as PEM: P-256, for servers and clients alike.

        Raises CertificateError where the root that signs has ended.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        signer = self.signing
        if signer.ended(now):
            raise CertificateError("the root that signs has ended; leaky pki rotate, three times")
        certificate = (
            _certificate(who.name, key, now, self.last_moment(now, life))
            .issuer_name(signer.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signature=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.UniformResourceIdentifier(str(who)), x509.DNSName(who.host)]
                ),
                critical=False,
            )
            .add_extension(_issuer(signer.certificate), critical=False)
            .sign(_key(signer), hashes.SHA256())
        )
        return private_pem(key) + certificate.public_bytes(Encoding.PEM).decode()

    def with_next(self, root: Root) -> "Authority":
        """Believes another root, too, which signs nothing yet."""
        return Authority(roots=(*self.roots, root))

    def switched(self) -> "Authority":
        """The next root signs; the one before is still believed and can sign no more."""
        before, *others = self.roots
        return Authority(roots=(*others, replace(before, key=None)))

    def without_former(self) -> "Authority":
        """Believes the root that signs alone."""
        return Authority(roots=self.roots[:1])


def new_root(trust_domain: str, *, now: dt.datetime) -> Root:
    """A new key, and the certificate it has signed for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own, so that nobody takes one root's leaf for another's.
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()
    common_name = f"Leaky Tokens root {own[:16]}"
    certificate = (
        _certificate(common_name, key, now, now + ROOT_LIFE)
        .issuer_name(_name(common_name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return Root(certificate=certificate, key=key)


def private_pem(key: PrivateKey) -> str:
    """A private key as text: PKCS #8, in the clear."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _certificate(
    common_name: str, key: ec.EllipticCurvePrivateKey, now: dt.datetime, until: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _issuer(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    # As the root names its own key, if it does (RFC 5280, 4.2.1.1): other tools hash otherwise.
    try:
        own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        key = certificate.public_key()
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)  # type: ignore[arg-type] # one that signs
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signature: bool = False, certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _key(root: Root) -> PrivateKey:
    if root.key is None:
        message = "a root without its key cannot sign"
        raise ValueError(message)
    return root.key
