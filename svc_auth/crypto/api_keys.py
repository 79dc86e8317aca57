"""The secrets of API keys."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from svc_auth.domain.api_key import Form, KeyText, form_of

SECRET_BYTES = 32
LOOKUP_LENGTH = 32


class PepperedKeys:
    """Implements KeyMaker: HMAC-SHA256 under the pepper.

    A key has 256 random bits, so a fast hash is enough; the pepper keeps a
    stolen database from proving whose key a text is. What leads to a key's row
    is a plain hash of its text, cut to 128 bits, which outlives a change of the
    pepper; for keys from before it is the beginning of their keyed hash.
    """

    def __init__(self, pepper: str, previous: str = "") -> None:
        self._peppers = [one.encode() for one in (pepper, previous) if one]

    def new_secret(self) -> str:
        """Random text, URL-safe."""
        return secrets.token_urlsafe(SECRET_BYTES)

    def kept(self, text: str) -> KeyText:
        """What is kept of a key that is stored now."""
        return self.candidates(text)[0]

    def candidates(self, text: str) -> Sequence[KeyText]:
        """What may be kept of the text, the way it would be today first; none for no key."""
        form = form_of(text)
        if form is Form.NONE:
            return ()
        hashes = [_hmac(pepper, text) for pepper in self._peppers]
        plain = hashlib.sha256(b"leaky key " + text.encode()).hexdigest()[:LOOKUP_LENGTH]
        return [
            KeyText(lookup=plain if form is Form.CHECKED else one[:LOOKUP_LENGTH], key_hash=one)
            for one in hashes
        ]

    def proves(self, kept: KeyText, given: KeyText) -> bool:
        """Whether both are of one text, in a time that does not tell how far they agree."""
        return hmac.compare_digest(kept.key_hash, given.key_hash)


def _hmac(pepper: bytes, text: str) -> str:
    return hmac.new(pepper, text.encode(), hashlib.sha256).hexdigest()
