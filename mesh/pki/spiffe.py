"""Whom a certificate of the mesh speaks for, as SPIFFE writes it.

See the SPIFFE ID and X509-SVID standards: one URI, spiffe://TRUST-DOMAIN/NAME.
"""

import re
from dataclasses import dataclass

from cryptography import x509

# Who calls by hand: gets a connection, and is none of the services that rules name.
OPERATOR = "operator"
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_ID = re.compile(r"spiffe://([a-z0-9.-]{1,255})/([^/]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiffeId:
    """A name within a trust domain, such as "token" in "leaky.internal".

    Raises ValueError for a name that is no DNS label.
    """

    trust_domain: str
    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            message = f"{self.name!r} is no name; a letter, then letters, digits and dashes"
            raise ValueError(message)

    def __str__(self) -> str:
        return f"spiffe://{self.trust_domain}/{self.name}"

    @property
    def host(self) -> str:
        """The DNS name of whoever has this name: "token.leaky.internal"."""
        return f"{self.name}.{self.trust_domain}"


def parse(text: str) -> SpiffeId:
    """The id that is written so. Raises ValueError for what is none of the mesh."""
    match = _ID.fullmatch(text)
    if match is None:
        message = f"{text!r} is no SPIFFE id of a mesh"
        raise ValueError(message)
    return SpiffeId(trust_domain=match[1], name=match[2])


def uris(certificate: x509.Certificate) -> list[str]:
    """The URIs that a certificate is for; a leaf of the mesh has just one."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return names.value.get_values_for_type(x509.UniformResourceIdentifier)
