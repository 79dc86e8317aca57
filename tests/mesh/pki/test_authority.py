import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from mesh.pki.authority import ROOT_LIFE, Authority, new_root
from mesh.pki.leaf import Leaf, read_leaf
from mesh.pki.refused import CertificateError
from tests.mesh.pki.office import DAY, DOMAIN, Office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def leaf(
    office: Office, authority: Authority, trusted: str = "", now: dt.datetime | None = None
) -> Leaf:
    own = authority.issue(office.who("token"), now=now or office.now, life=DAY)
    return read_leaf(own, trusted or authority.trusted)


def whole(moment: dt.datetime) -> dt.datetime:
    """As certificates know it, which is to the second."""
    return moment.replace(microsecond=0)


def test_a_leaf_is_short_lived_and_for_one_name_on_both_sides(office: Office) -> None:
    now = office.now
    made = leaf(office, office.authority, now=now)
    certificate = made.certificate
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"spiffe://{DOMAIN}/token"]
    assert names.get_values_for_type(x509.DNSName) == [f"token.{DOMAIN}"]
    assert made.until == whole(now + DAY)
    assert certificate.not_valid_before_utc < now
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    used = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(used) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (limits.critical, limits.value.ca) == (True, False)


def test_a_root_signs_leaves_alone_and_lives_for_years(office: Office) -> None:
    now = office.now
    root = new_root(DOMAIN, now=now).certificate
    assert root.not_valid_after_utc == whole(now + ROOT_LIFE)
    limits = root.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (limits.ca, limits.path_length) == (True, 0)
    usage = root.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.digital_signature) == (True, False)
    assert office.authority.signing.certificate.subject != root.subject


def test_each_leaf_has_a_key_of_its_own(office: Office) -> None:
    assert leaf(office, office.authority).key != leaf(office, office.authority).key


def test_no_leaf_outlives_its_root(office: Office) -> None:
    late = office.now + ROOT_LIFE - dt.timedelta(hours=1)
    own = office.authority.issue(office.who("token"), now=late, life=DAY)
    root = office.authority.signing.certificate
    assert read_leaf(own, office.authority.trusted).until == root.not_valid_after_utc


def test_a_root_takes_over_without_a_moment_at_which_a_leaf_is_refused(office: Office) -> None:
    before = office.authority
    both = before.with_next(new_root(DOMAIN, now=office.now))
    after = both.switched()
    alone = after.without_former()
    # Whoever has only heard of the step before believes what is issued now.
    for issuer, believer in (
        (before, both),
        (both, before),
        (both, after),
        (after, both),
        (after, alone),
        (alone, after),
    ):
        assert leaf(office, issuer, believer.trusted).root(office.now)
    for issuer, believer in ((before, alone), (alone, before)):
        with pytest.raises(CertificateError, match="no root that is believed"):
            leaf(office, issuer, believer.trusted).root(office.now)


def test_the_root_before_can_sign_no_more(office: Office) -> None:
    switched = office.authority.with_next(new_root(DOMAIN, now=office.now)).switched()
    former = Authority(roots=switched.roots[1:])
    with pytest.raises(ValueError, match="cannot sign"):
        leaf(office, former)


def test_no_key_is_shown(office: Office) -> None:
    assert "key" not in repr(office.authority)
    made = leaf(office, office.authority)
    assert "PRIVATE" not in repr(made)
    assert made.key not in repr(made)
