"""A CA with a clock in the test's hands, and the transports of those it has given certificates."""

import datetime as dt
import time
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from mesh.pki.authority import Authority, Root, new_root
from mesh.pki.certificates import Certificates, moment
from mesh.pki.leaf_folder import LeafFolder
from mesh.pki.mutual_tls import MutualTls
from mesh.pki.spiffe import SpiffeId

DOMAIN = "leaky.internal"
DAY = dt.timedelta(days=1)


@dataclass
class Hands:
    """The machine's time, which gRPC's own checks go by, and what a test adds to it."""

    ahead: float = 0.0

    def now_us(self) -> int:
        return time.time_ns() // 1_000 + int(self.ahead * 1_000_000)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def forward(self, seconds: float) -> None:
        self.ahead += seconds


@dataclass
class Office:
    """`authority` may be replaced; what it issues goes to folders below `path`."""

    path: Path
    clock: Hands = field(default_factory=Hands)
    domain: str = DOMAIN
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.authority = Authority(roots=(new_root(self.domain, now=self.now),))

    @property
    def now(self) -> dt.datetime:
        return moment(self.clock)

    def who(self, name: str) -> SpiffeId:
        return SpiffeId(trust_domain=self.domain, name=name)

    def folder(self, name: str) -> LeafFolder:
        return LeafFolder(self.path / name)

    def issue(
        self,
        name: str,
        life: dt.timedelta = DAY,
        *,
        now: dt.datetime | None = None,
        trusted: str = "",
        into: str = "",
    ) -> LeafFolder:
        """Gives a certificate; `trusted` are other roots than the CA's own."""
        folder = self.folder(into or name)
        own = self.authority.issue(self.who(name), now=now or self.now, life=life)
        folder.write(own, trusted or self.authority.trusted)
        return folder

    def certificates(self, name: str, into: str = "") -> Certificates:
        """What a process of this name has; needs `issue` before."""
        folder = self.folder(into or name)
        return Certificates(folder=folder, who=self.who(name), clock=self.clock)

    def transport(self, name: str) -> MutualTls:
        """How a process of this name connects, with a new certificate."""
        self.issue(name)
        return MutualTls(self.certificates(name), connection_seconds=3600)


def made_elsewhere(common_name: str, *, by: Root | None = None, identifier: bytes = b"") -> Root:
    """A CA as other tools make them: its own root or below one, its key named as it likes."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    above, signing_key = (by.certificate.subject, by.key) if by else (name, key)
    assert signing_key is not None
    now = dt.datetime.now(dt.UTC)
    usage = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment"), False)
    usage |= dict.fromkeys(("data_encipherment", "key_agreement", "encipher_only"), False)
    named = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    certificate = (
        x509.CertificateBuilder(above, name, key.public_key(), 7, now - DAY, now + 100 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True, decipher_only=False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier(identifier or named.digest), critical=False)
        .add_extension(issuer, critical=False)
        .sign(signing_key, hashes.SHA256())
    )
    return Root(certificate=certificate, key=key)
