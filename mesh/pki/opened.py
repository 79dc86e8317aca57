"""What the settings say about connections: in the clear in `local`, mutual TLS in `secure`."""

from pathlib import Path

from mesh.clock import Clock
from mesh.identity.profile import Profile
from mesh.pki.authority_file import AuthorityFile
from mesh.pki.certificates import Certificates
from mesh.pki.leaf_folder import LeafFolder
from mesh.pki.mutual_tls import MutualTls
from mesh.pki.refused import CertificateError
from mesh.pki.spiffe import OPERATOR, SpiffeId
from mesh.rpc.transport import PLAINTEXT, Transport
from mesh.settings import MeshSettings


def transport_of(settings: MeshSettings, service: str, clock: Clock) -> Transport:
    """How this process of a service connects.

    Raises CertificateError where it needs a certificate and has none that is good.
    """
    return _transport(settings, service, folder_of(settings, service), clock)


def operators_transport(settings: MeshSettings, clock: Clock) -> Transport:
    """How a command connects. Raises as `transport_of` does."""
    return _transport(settings, OPERATOR, LeafFolder(leaves(settings) / OPERATOR), clock)


def _transport(settings: MeshSettings, name: str, folder: LeafFolder, clock: Clock) -> Transport:
    if settings.effective_profile is Profile.LOCAL:
        return PLAINTEXT
    try:
        certificates = Certificates(folder=folder, who=spiffe_id(settings, name), clock=clock)
    except CertificateError as error:
        message = (
            f"secure wants a certificate of the mesh: {error}; leaky pki issue {name} makes one"
        )
        raise CertificateError(message) from error
    return MutualTls(certificates, connection_seconds=settings.pki.leaf_ttl)


def spiffe_id(settings: MeshSettings, name: str) -> SpiffeId:
    """Whom a certificate of this name is for."""
    return SpiffeId(trust_domain=settings.pki.trust_domain, name=name)


def authority_file(settings: MeshSettings) -> AuthorityFile:
    """Where the CA is, if it is here."""
    return AuthorityFile(Path(settings.pki.ca) if settings.pki.ca else settings.data / "pki" / "ca")


def leaves(settings: MeshSettings) -> Path:
    """Where leaves are, each in a folder of its own."""
    return Path(settings.pki.leaves) if settings.pki.leaves else settings.data / "pki" / "leaves"


def folder_of(settings: MeshSettings, service: str) -> LeafFolder:
    """The leaf of this process, one of perhaps several of its service."""
    instance = settings.mesh.instance
    return LeafFolder(leaves(settings) / (service if instance == 1 else f"{service}.{instance}"))
