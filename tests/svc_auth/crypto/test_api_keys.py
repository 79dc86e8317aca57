import hashlib
import hmac

import pytest

from svc_auth.crypto.api_keys import PepperedKeys
from svc_auth.domain.api_key import key_text

ALICE = "aaaaaaaa-0000-4000-8000-000000000000"
SECRET = "A" * 43
TEXT = key_text(ALICE, SECRET)
# As keys were until they got a checksum.
BARE = f"leaky_{ALICE}_{SECRET}"


def test_the_hash_depends_on_the_key_and_on_the_pepper() -> None:
    one, other = PepperedKeys("a pepper"), PepperedKeys("another")
    assert one.kept(TEXT) == PepperedKeys("a pepper").kept(TEXT)
    second = key_text(ALICE, "B" * 43)
    hashes = {one.kept(TEXT).key_hash, one.kept(second).key_hash, other.kept(TEXT).key_hash}
    assert len(hashes) == 3
    assert {len(each) for each in hashes} == {64}


def test_what_leads_to_a_key_does_not_depend_on_the_pepper_and_proves_nothing() -> None:
    one, other = PepperedKeys("a pepper").kept(TEXT), PepperedKeys("another").kept(TEXT)
    assert one.lookup == other.lookup
    assert len(one.lookup) == 32
    assert one.lookup not in one.key_hash
    assert not PepperedKeys("a pepper").proves(one, other)
    assert PepperedKeys("a pepper").proves(one, PepperedKeys("a pepper").kept(TEXT))


def test_a_key_from_before_is_led_to_by_its_hash() -> None:
    (given,) = PepperedKeys("a pepper").candidates(BARE)
    assert given.key_hash == hmac.new(b"a pepper", BARE.encode(), hashlib.sha256).hexdigest()
    assert given.lookup == given.key_hash[:32]


def test_with_a_previous_pepper_both_are_tried_today_s_first() -> None:
    both = PepperedKeys("a pepper", "the old one")
    for text in (TEXT, BARE):
        old, new = PepperedKeys("the old one").kept(text), PepperedKeys("a pepper").kept(text)
        assert list(both.candidates(text)) == [new, old]
        assert both.kept(text) == new


@pytest.mark.parametrize("text", ["", "\ud800\0", TEXT[:-1], TEXT + "0", TEXT.lower(), "x" * 9999])
def test_what_cannot_be_a_key_leads_nowhere(text: str) -> None:
    assert list(PepperedKeys("a pepper", "the old one").candidates(text)) == []


def test_secrets_are_long_and_never_repeat() -> None:
    maker = PepperedKeys("a pepper")
    secrets = {maker.new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(secret) for secret in secrets} == {43}


def test_nothing_that_proves_a_key_is_shown() -> None:
    kept = PepperedKeys("a pepper").kept(TEXT)
    assert kept.key_hash not in repr(kept)
