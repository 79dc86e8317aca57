"""Proofs that a text was made here, and for whom: HMAC-SHA256 (RFC 2104)."""

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class KeyedProofs:
    """Implements Proofs, under a key derived by HKDF (RFC 5869) from a secret of auth's."""

    def __init__(self, secret: str) -> None:
        kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"leaky auth.tickets 1")
        self._key = kdf.derive(secret.encode())

    def prove(self, text: str, *, holder: str) -> str:
        """The proof, hexadecimal."""
        # Of one length, so that nothing of the one passes for a part of the other.
        whose = hashlib.sha256(_sent(holder)).digest()
        return hmac.digest(self._key, whose + _sent(text), "sha256").hex()

    def proves(self, proof: str, text: str, *, holder: str) -> bool:
        """Whether it is the proof; in constant time."""
        right = self.prove(text, holder=holder)
        return hmac.compare_digest(right.encode(), _sent(proof))


def _sent(text: str) -> bytes:
    # Anything may be sent, also what is no Unicode.
    return text.encode(errors="surrogatepass")
