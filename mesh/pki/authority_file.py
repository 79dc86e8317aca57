"""The authority on disk: one file, so that it is whole at any moment."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from mesh.pki.authority import Authority, PrivateKey, Root, new_root, private_pem
from mesh.pki.pem import belong_together, certificates, private_keys
from mesh.pki.refused import CertificateError
from mesh.pki.spiffe import uris
from mesh.private_file import create_private, write_private

FILE = "ca.pem"


class AuthorityFile:
    """`ca.pem` in a folder: each root's certificate, after its key where there is one, 0600."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def exists(self) -> bool:
        """Whether there is one."""
        return self.path.exists()

    def changed_at(self) -> dt.datetime:
        """When it was last written. Raises OSError."""
        return dt.datetime.fromtimestamp(self.path.stat().st_mtime, dt.UTC)

    def made(self, trust_domain: str, now: dt.datetime) -> Authority:
        """The one that there is, else a new one. Raises as `read` does."""
        if not self.exists():
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                root = new_root(trust_domain, now=now)
                create_private(self.path, _text(Authority(roots=(root,))))
            except OSError as error:
                message = f"the CA in {self.path} cannot be made: {error.strerror}"
                raise CertificateError(message) from error
        return self.read(trust_domain)

    def read(self, trust_domain: str) -> Authority:
        """The authority. Raises CertificateError for none, a broken one, and another domain's."""
        try:
            authority = _parsed(self.path.read_text())
        except FileNotFoundError:
            message = f"there is no CA in {self.path}; make one with leaky pki init"
            raise CertificateError(message) from None
        except OSError as error:
            message = f"the CA in {self.path} cannot be read: {error.strerror}"
            raise CertificateError(message) from error
        except ValueError as error:
            raise CertificateError(f"the CA in {self.path} is broken: {error}") from error
        self._check_domain(authority, trust_domain)
        return authority

    def _check_domain(self, authority: Authority, trust_domain: str) -> None:
        # One that was made elsewhere may name none.
        named = uris(authority.signing.certificate)
        if named and named != [f"spiffe://{trust_domain}"]:
            message = f"the CA in {self.path} is {named[0]}, and pki.trust-domain {trust_domain}"
            raise CertificateError(message)

    def replace(self, authority: Authority) -> None:
        """Writes another in its place, at once. Raises OSError."""
        write_private(self.path, _text(authority))


def _text(authority: Authority) -> str:
    parts = []
    for root in authority.roots:
        parts += [private_pem(root.key)] if root.key is not None else []
        parts.append(root.pem)
    return "".join(parts)


def _parsed(text: str) -> Authority:
    keys = private_keys(text)
    roots = [_root(certificate, keys) for certificate in certificates(text)]
    if roots[0].key is None:
        message = "its first certificate has no key"
        raise ValueError(message)
    return Authority(roots=tuple(roots))


def _root(certificate: x509.Certificate, keys: Sequence[PrivateKey]) -> Root:
    own = [key for key in keys if belong_together(key, certificate)]
    return Root(certificate=certificate, key=own[0] if own else None)
