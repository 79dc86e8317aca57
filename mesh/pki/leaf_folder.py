"""Where a leaf lies: a folder of its own, which only its owner reads.

The names are those of cert-manager's secrets with the combined PEM format, so
that such a secret can be mounted as it is.
"""

from pathlib import Path

from mesh.pki.leaf import Leaf, read_leaf
from mesh.pki.refused import CertificateError
from mesh.private_file import write_private

# Key and certificate in one file: they are replaced together, or not at all.
OWN, ROOTS = "tls-combined.pem", "ca.crt"
Stamp = tuple[tuple[int, int, int], ...]


class LeafFolder:
    """A folder with a leaf in it, or without one yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        """Whether there is a leaf."""
        return (self.path / OWN).exists()

    def read(self) -> Leaf:
        """The leaf; whether it is good, `Leaf.root` says. Raises CertificateError."""
        try:
            own, roots = ((self.path / name).read_text() for name in (OWN, ROOTS))
        except FileNotFoundError as error:
            raise CertificateError(f"{error.filename} is not there") from None
        except OSError as error:
            message = f"{error.filename} cannot be read: {error.strerror}"
            raise CertificateError(message) from error
        except ValueError as error:
            raise CertificateError(f"what is in {self.path} is no text") from error
        try:
            return read_leaf(own, roots)
        except CertificateError as error:
            raise CertificateError(f"{self.path / OWN}: {error}") from error

    def write(self, own: str, roots: str) -> None:
        """Replaces it. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        # In this order: who has the new leaf believes its issuer already.
        write_private(self.path / ROOTS, roots)
        write_private(self.path / OWN, own)

    def stamp(self) -> Stamp:
        """Another one after each change."""
        try:
            stats = [(self.path / name).stat() for name in (OWN, ROOTS)]
        except OSError:
            return ()
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in stats)
