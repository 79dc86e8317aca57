import datetime as dt
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mesh.pki.authority import new_root, private_pem
from mesh.pki.authority_file import AuthorityFile
from mesh.pki.refused import CertificateError
from tests.mesh.pki.office import DOMAIN

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def file(tmp_path: Path) -> AuthorityFile:
    return AuthorityFile(tmp_path / "pki" / "ca")


def test_it_is_made_once_and_only_its_owner_reads_it(file: AuthorityFile) -> None:
    made = file.made(DOMAIN, NOW)
    assert file.made(DOMAIN, NOW).trusted == made.trusted == file.read(DOMAIN).trusted
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert list(file.path.parent.iterdir()) == [file.path]


def test_without_one_it_says_how_to_make_it(file: AuthorityFile) -> None:
    with pytest.raises(CertificateError, match="leaky pki init"):
        file.read(DOMAIN)


def test_those_who_make_one_at_once_agree(file: AuthorityFile) -> None:
    def made(_turn: int) -> str:
        return AuthorityFile(file.path.parent).made(DOMAIN, NOW).trusted

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(made, range(16)))) == 1
    assert list(file.path.parent.iterdir()) == [file.path]


def test_every_step_of_a_change_of_roots_is_kept(file: AuthorityFile) -> None:
    before = file.made(DOMAIN, NOW)
    both = before.with_next(new_root(DOMAIN, now=NOW))
    for step in (both, both.switched(), both.switched().without_former()):
        file.replace(step)
        kept = file.read(DOMAIN)
        assert kept.trusted == step.trusted
        assert [root.key is None for root in kept.roots] == [r.key is None for r in step.roots]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_a_ca_that_somebody_brings_is_taken(file: AuthorityFile) -> None:
    """Whatever order its parts are in; its key may be RSA."""
    root = new_root(DOMAIN, now=NOW)
    assert root.key is not None
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file.path.parent.mkdir(parents=True)
    file.path.write_text(root.pem + private_pem(stranger) + private_pem(root.key))
    assert file.read(DOMAIN).signing.certificate == root.certificate


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_broken_one_is_refused(file: AuthorityFile, text: str) -> None:
    file.path.parent.mkdir(parents=True)
    file.path.write_text(text)
    with pytest.raises(CertificateError, match="is broken"):
        file.read(DOMAIN)


def test_one_without_its_key_is_refused(file: AuthorityFile) -> None:
    file.path.parent.mkdir(parents=True)
    file.path.write_text(new_root(DOMAIN, now=NOW).pem)
    with pytest.raises(CertificateError, match="has no key"):
        file.read(DOMAIN)


def test_one_of_another_trust_domain_is_refused(file: AuthorityFile) -> None:
    file.made("other.internal", NOW)
    with pytest.raises(CertificateError, match=r"spiffe://other\.internal, and pki\.trust-domain"):
        file.made(DOMAIN, NOW)
