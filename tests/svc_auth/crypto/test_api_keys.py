from svc_auth.crypto.api_keys import PepperedKeys


def test_the_hash_depends_on_the_key_and_on_the_pepper() -> None:
    one, other = PepperedKeys("a pepper"), PepperedKeys("another")
    assert one.hash("k") == PepperedKeys("a pepper").hash("k")
    assert len({one.hash("k"), one.hash("l"), other.hash("k")}) == 3
    assert len(one.hash("k")) == 64


def test_secrets_are_long_and_never_repeat() -> None:
    maker = PepperedKeys("a pepper")
    secrets = {maker.new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(secret) for secret in secrets} == {43}


def test_any_text_has_a_hash() -> None:
    assert PepperedKeys("a pepper").hash("\ud800\0")
