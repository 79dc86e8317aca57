"""Keeps the leaves in a folder fresh, for as long as the CA is at hand."""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mesh.clock import Clock
from mesh.pki.authority import Authority
from mesh.pki.authority_file import AuthorityFile
from mesh.pki.certificates import moment
from mesh.pki.leaf import Leaf
from mesh.pki.leaf_folder import LeafFolder
from mesh.pki.refused import CertificateError
from mesh.pki.spiffe import SpiffeId

# The service, and which of several processes it is.
_PROCESS = re.compile(r"([a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuing:
    """Names are those of processes, as their folders below `leaves`: "token", "token.2"."""

    file: AuthorityFile
    trust_domain: str
    leaves: Path
    life: dt.timedelta
    clock: Clock

    def renew(self, names: Iterable[str]) -> list[str]:
        """Replaces what has lived for half of its life, and what no longer fits; whose that was.

        One that cannot be written keeps no other from its turn. Raises CertificateError without a
        CA and for what is no name, in the end OSError for all that could not be written.
        """
        authority = self.file.read(self.trust_domain)
        renewed, unwritten = [], list[OSError]()
        for name, who in [(name, self._id(name)) for name in names]:
            if self._due(authority, self._folder(name), who):
                try:
                    self._issue(authority, name, self.life)
                    renewed.append(name)
                except OSError as error:
                    unwritten.append(error)
        if unwritten:
            raise _together(unwritten)
        return renewed

    def issue(self, name: str, *, life: dt.timedelta | None = None) -> LeafFolder:
        """A new leaf whatever there was. Raises as `renew` does."""
        authority = self.file.read(self.trust_domain)
        return self._issue(authority, name, life or self.life)

    def _issue(self, authority: Authority, name: str, life: dt.timedelta) -> LeafFolder:
        own = authority.issue(self._id(name), now=moment(self.clock), life=life)
        folder = self._folder(name)
        try:
            folder.write(own, authority.trusted)
        except OSError as error:
            # The file's own name is a draft's, another with each attempt.
            raise OSError(error.errno, error.strerror, str(folder.path)) from error
        return folder

    def _folder(self, name: str) -> LeafFolder:
        return LeafFolder(self.leaves / name)

    def _id(self, name: str) -> SpiffeId:
        match = _PROCESS.fullmatch(name)
        if match is None:
            raise CertificateError(f"{name} is no name; a letter, then letters, digits and dashes")
        return SpiffeId(trust_domain=self.trust_domain, name=match[1])

    def _due(self, authority: Authority, folder: LeafFolder, who: SpiffeId) -> bool:
        now = moment(self.clock)
        try:
            leaf = folder.read()
            root = leaf.root(now)
        except CertificateError:
            return True
        fits = leaf.who == who and leaf.roots == authority.trusted
        by_signer = root == authority.signing.certificate
        return not fits or not by_signer or self._old(authority, leaf, now)

    def _old(self, authority: Authority, leaf: Leaf, now: dt.datetime) -> bool:
        # Where the root ends first, a new one would be no better.
        better = leaf.until < authority.last_moment(now, self.life) - dt.timedelta(seconds=1)
        return better and leaf.until - now < leaf.life / 2


def _together(errors: list[OSError]) -> OSError:
    first = errors[0]
    return OSError(first.errno, first.strerror, ", ".join(each.filename for each in errors))
