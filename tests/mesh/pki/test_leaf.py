import datetime as dt
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from mesh.pki.authority import new_root, private_pem
from mesh.pki.leaf import Leaf, read_leaf
from mesh.pki.leaf_folder import OWN, ROOTS
from mesh.pki.refused import CertificateError
from tests.mesh.pki.office import DAY, DOMAIN, Office

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def own(office: Office, name: str = "token") -> str:
    return office.authority.issue(office.who(name), now=office.now, life=DAY)


def refusal(leaf: Leaf, now: dt.datetime) -> str:
    with pytest.raises(CertificateError) as refused:
        leaf.root(now)
    return str(refused.value)


def test_a_leaf_is_read_and_leads_to_its_root(office: Office) -> None:
    leaf = office.issue("token").read()
    assert leaf.who == office.who("token")
    assert leaf.root(office.now) == office.authority.signing.certificate


def test_its_folder_is_for_its_owner_alone_and_holds_no_key_but_its_own(office: Office) -> None:
    folder = office.issue("token")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert {path.name for path in folder.path.iterdir()} == {OWN, ROOTS}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.path.iterdir())
    assert office.authority.signing.key is not None
    secret = private_pem(office.authority.signing.key)
    assert all(secret not in path.read_text() for path in folder.path.iterdir())


def test_the_order_of_key_and_certificate_does_not_matter(office: Office) -> None:
    text = own(office)
    key, _, certificate = text.partition("-----BEGIN CERT")
    assert read_leaf("-----BEGIN CERT" + certificate + key, office.authority.trusted).key == key


def test_time_is_looked_at(office: Office) -> None:
    leaf = office.issue("token", HOUR).read()
    assert "it has ended at" in refusal(leaf, office.now + 2 * HOUR)
    assert "it begins at" in refusal(leaf, office.now - HOUR)


def test_a_strangers_is_refused(office: Office) -> None:
    stranger = new_root(DOMAIN, now=office.now)
    leaf = office.issue("token", trusted=stranger.pem).read()
    assert "no root that is believed" in refusal(leaf, office.now)


BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def given_elsewhere(office: Office, host: str, uses: tuple[x509.ObjectIdentifier, ...]) -> Leaf:
    """A leaf for token's id, as another tool than ours may issue it."""
    signer, key = office.authority.signing, ec.generate_private_key(ec.SECP256R1())
    assert signer.key is not None
    names = [x509.UniformResourceIdentifier(str(office.who("token"))), x509.DNSName(host)]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    certificate = (
        x509.CertificateBuilder(
            signer.certificate.subject,
            x509.Name([]),
            key.public_key(),
            7,
            office.now,
            office.now + DAY,
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(issuer, critical=False)
        .sign(signer.key, hashes.SHA256())
    )
    text = private_pem(key) + certificate.public_bytes(Encoding.PEM).decode()
    return read_leaf(text, office.authority.trusted)


def test_one_that_peers_would_refuse_on_either_side_is_refused(office: Office) -> None:
    host, (server, client), later = office.who("token").host, BOTH, office.now + HOUR
    root = office.authority.signing.certificate
    assert given_elsewhere(office, host, BOTH).root(later) == root
    for uses in ((server,), (client,)):
        assert "EKU" in refusal(given_elsewhere(office, host, uses), later)
    for other in ("token.default.svc", "auth.leaky.internal"):
        assert f"callers of {host} would" in refusal(given_elsewhere(office, other, BOTH), later)


def test_a_key_of_another_certificate_is_refused(office: Office) -> None:
    key, _, _ = own(office).partition("-----BEGIN CERT")
    _, _, certificate = own(office).partition("-----BEGIN CERT")
    with pytest.raises(CertificateError, match="its key is not there, or another's"):
        read_leaf(key + "-----BEGIN CERT" + certificate, office.authority.trusted)


def test_a_certificate_without_a_key_is_refused(office: Office) -> None:
    _, _, certificate = own(office).partition("-----BEGIN CERT")
    with pytest.raises(CertificateError, match="its key is not there"):
        read_leaf("-----BEGIN CERT" + certificate, office.authority.trusted)


@pytest.mark.parametrize(("text", "roots"), [("", None), (None, ""), ("garbage", None)])
def test_what_is_none_is_refused(office: Office, text: str | None, roots: str | None) -> None:
    given = own(office) if text is None else text
    with pytest.raises(CertificateError):
        read_leaf(given, office.authority.trusted if roots is None else roots)


def test_an_encrypted_key_is_refused_and_not_shown(office: Office) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    shape = (Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hunter2"))
    locked = key.private_bytes(*shape).decode()
    _, _, certificate = own(office).partition("-----BEGIN CERT")
    with pytest.raises(CertificateError, match="is encrypted"):
        read_leaf(locked + "-----BEGIN CERT" + certificate, office.authority.trusted)


@pytest.mark.parametrize(
    "uris",
    [(), ("https://leaky.internal/token",), ("spiffe://a.internal/a", "spiffe://a.internal/b")],
)
def test_a_certificate_without_just_one_id_is_refused(uris: tuple[str, ...]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now, name = dt.datetime.now(dt.UTC), x509.Name([])
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
    names = names or [x509.DNSName("a")]
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, now, now + DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = certificate.public_bytes(Encoding.PEM).decode()
    with pytest.raises(CertificateError, match="SPIFFE id"):
        read_leaf(private_pem(key) + text, text)


def test_a_folder_without_one_says_which_file_is_missing(office: Office) -> None:
    folder = office.folder("token")
    assert not folder.exists()
    with pytest.raises(CertificateError, match=rf"token/{OWN} is not there"):
        folder.read()
    office.issue("token")
    (folder.path / ROOTS).unlink()
    with pytest.raises(CertificateError, match=rf"token/{ROOTS} is not there"):
        folder.read()
