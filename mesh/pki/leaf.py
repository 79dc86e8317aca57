"""A process's own certificate: what it shows to others, and whom it believes."""

import datetime as dt
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mesh.pki.authority import issued, private_pem
from mesh.pki.path import check_server, path
from mesh.pki.pem import belong_together, certificates, private_keys
from mesh.pki.refused import CertificateError
from mesh.pki.spiffe import SpiffeId, parse, uris


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One certificate of the mesh with its key; `chain` and `roots` are PEM, as gRPC takes them."""

    who: SpiffeId
    certificate: x509.Certificate
    key: str = field(repr=False)
    chain: str
    roots: str

    @property
    def until(self) -> dt.datetime:
        """When it ends."""
        return self.certificate.not_valid_after_utc

    @property
    def life(self) -> dt.timedelta:
        """For how long it was issued."""
        return self.until - self.issued

    @property
    def issued(self) -> dt.datetime:
        """When it was made."""
        return issued(self.certificate)

    def root(self, now: dt.datetime) -> x509.Certificate:
        """The root that it leads to. Raises CertificateError for one that peers would refuse."""
        if now > self.until:
            raise CertificateError(f"it has ended at {self.until:%Y-%m-%d %H:%M:%S} UTC")
        if now < self.certificate.not_valid_before_utc:
            since = self.certificate.not_valid_before_utc
            raise CertificateError(f"it begins at {since:%Y-%m-%d %H:%M:%S} UTC only")
        _, *between = certificates(self.chain)
        found = path(self.certificate, between, roots=self.roots, now=now)
        check_server(self.certificate, between, host=self.who.host, roots=self.roots, now=now)
        return found[-1]


def read_leaf(own: str, roots: str) -> Leaf:
    """A leaf out of two texts: key and chain in one, the roots in the other, all PEM.

    Raises CertificateError.
    """
    try:
        chain = certificates(own)
        keys = [key for key in private_keys(own) if belong_together(key, chain[0])]
        names = uris(chain[0])
        who = parse(names[0]) if len(names) == 1 else None
        certificates(roots)
    except ValueError as error:
        raise CertificateError(str(error)) from error
    if not keys:
        raise CertificateError("its key is not there, or another's")
    if who is None:
        raise CertificateError("it names not one SPIFFE id but " + (", ".join(names) or "none"))
    return Leaf(
        who=who,
        certificate=chain[0],
        key=private_pem(keys[0]),
        chain="".join(each.public_bytes(Encoding.PEM).decode() for each in chain),
        roots=roots,
    )
