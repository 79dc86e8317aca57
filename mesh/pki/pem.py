"""Reads keys and certificates out of text, whatever else is in it."""

import re

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from mesh.pki.authority import PrivateKey

_KEY = re.compile(
    r"-----BEGIN (?P<kind>(?:[A-Z]+ )?PRIVATE KEY)-----.*?-----END (?P=kind)-----", re.DOTALL
)


def certificates(text: str) -> list[x509.Certificate]:
    """All certificates, in their order. Raises ValueError when there is none, or a broken one."""
    return x509.load_pem_x509_certificates(text.encode())


def private_keys(text: str) -> list[PrivateKey]:
    """All private keys, in their order. Raises ValueError for one that is broken or encrypted."""
    return [_private_key(match[0]) for match in _KEY.finditer(text)]


def _private_key(text: str) -> PrivateKey:
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except TypeError as error:
        message = "the private key is encrypted"
        raise ValueError(message) from error
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        message = "the private key is neither EC nor RSA"
        raise ValueError(message)  # noqa: TRY004 it is the text that is wrong
    return key


def belong_together(key: PrivateKey, certificate: x509.Certificate) -> bool:
    """Whether the certificate speaks of this key."""
    return _public(key.public_key()) == _public(certificate.public_key())


def _public(key: object) -> bytes:
    shape = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    encoded: bytes = key.public_bytes(*shape)  # type: ignore[attr-defined] # every kind has it
    return encoded
