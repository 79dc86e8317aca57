"""The secrets of API keys."""

import hashlib
import hmac
import secrets

SECRET_BYTES = 32


class PepperedKeys:
    """Implements KeyMaker: HMAC-SHA256 under the pepper.

    A key has 256 random bits, so a fast hash is enough; the pepper keeps a
    stolen database from proving whose key a text is.
    """

    def __init__(self, pepper: str) -> None:
        self._pepper = pepper.encode()

    def new_secret(self) -> str:
        """Random text, URL-safe."""
        return secrets.token_urlsafe(SECRET_BYTES)

    def hash(self, text: str) -> str:
        """The keyed hash, hexadecimal."""
        # A text that no client can send as UTF-8 is an unknown key, not a fault.
        body = text.encode(errors="surrogatepass")
        return hmac.new(self._pepper, body, hashlib.sha256).hexdigest()
