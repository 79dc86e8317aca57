"""Encryption at rest: AES-256-GCM (SP 800-38D) under a key derived by HKDF (RFC 5869)."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = b"\x01"
_NONCE = 12
_HEAD = len(_VERSION) + _NONCE


class VaultError(Exception):
    """What is sealed was sealed under another key, or has been changed."""


class Vault:
    """Seals small secrets; `about` is bound to the seal, so that none stands in for another."""

    def __init__(self, secret: str) -> None:
        kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"leaky auth.keys 1")
        self._cipher = AESGCM(kdf.derive(secret.encode()))

    def seal(self, text: str, *, about: str) -> bytes:
        """A version byte, a random nonce and the ciphertext."""
        nonce = secrets.token_bytes(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, text.encode(), about.encode())

    def open(self, sealed: bytes, *, about: str) -> str:
        """The text. Raises VaultError."""
        if sealed[:1] != _VERSION:
            raise VaultError("sealed in a way that this version does not know")
        try:
            text = self._cipher.decrypt(sealed[1:_HEAD], sealed[_HEAD:], about.encode())
        except (InvalidTag, ValueError) as error:
            raise VaultError("sealed under another key, or changed") from error
        return text.decode()
