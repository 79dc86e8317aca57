"""Looks at the certificates that there are, and says what is wrong with each."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mesh.pki.authority_file import AuthorityFile
from mesh.pki.leaf_folder import LeafFolder
from mesh.pki.refused import CertificateError


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One certificate; `until` is None for one that cannot be read, `problem` empty for none."""

    name: str
    of: str
    until: dt.datetime | None = None
    problem: str = ""


def roots(file: AuthorityFile, trust_domain: str, now: dt.datetime) -> Iterator[Seen]:
    """The roots of the CA, if it is here; the first is the one that signs."""
    if not file.exists():
        return
    try:
        authority = file.read(trust_domain)
    except CertificateError as error:
        yield Seen(name="CA", of=str(file.path), problem=str(error))
        return
    for root in authority.roots:
        certificate = root.certificate
        until = certificate.not_valid_after_utc
        name = "CA, signs" if root is authority.signing else "CA, believed"
        problem = "it has ended" if now > until else ""
        subject = certificate.subject.rfc4514_string()
        yield Seen(name=name, of=subject, until=until, problem=problem)


def leaf(folder: LeafFolder, now: dt.datetime) -> Seen:
    """The leaf in a folder."""
    name = folder.path.name
    try:
        found = folder.read()
    except CertificateError as error:
        return Seen(name=name, of=str(folder.path), problem=str(error))
    try:
        found.root(now)
    except CertificateError as error:
        return Seen(name=name, of=str(found.who), until=found.until, problem=str(error))
    return Seen(name=name, of=str(found.who), until=found.until)


def names_in(folder: Path) -> list[str]:
    """Whose leaves are below a folder."""
    if not folder.is_dir():
        return []
    return sorted(each.name for each in folder.iterdir() if LeafFolder(each).exists())
