"""Random texts that mean something to this service alone."""

import hashlib
import secrets

SECRET_BYTES = 32


class OpaqueTexts:
    """Implements Opaque: what is stored is a plain SHA-256.

    With 256 random bits there is nothing that a slow hash or a key would keep
    from being guessed, and a change of the pepper ends none of them.
    """

    def new_secret(self) -> str:
        """Random text, URL-safe."""
        return secrets.token_urlsafe(SECRET_BYTES)

    def hash(self, text: str) -> str:
        """The hash by which it is found, hexadecimal."""
        # Anything may be sent, also what is no Unicode.
        sent = text.encode(errors="surrogatepass")
        return hashlib.sha256(b"leaky opaque " + sent).hexdigest()
