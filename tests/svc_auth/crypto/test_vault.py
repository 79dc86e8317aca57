import pytest
from hypothesis import given
from hypothesis import strategies as st

from svc_auth.crypto.vault import Vault, VaultError

VAULT = Vault("one secret")
SEALED = VAULT.seal("pem", about="RS256 kid")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens(text: str) -> None:
    assert VAULT.open(VAULT.seal(text, about="x"), about="x") == text


def test_a_seal_hides_and_never_repeats() -> None:
    assert b"pem" not in SEALED
    assert VAULT.seal("pem", about="RS256 kid") != SEALED


def test_another_secret_does_not_open_it() -> None:
    with pytest.raises(VaultError, match="another key"):
        Vault("another secret").open(SEALED, about="RS256 kid")


def test_a_seal_stands_for_nothing_else() -> None:
    with pytest.raises(VaultError, match="another key"):
        VAULT.open(SEALED, about="ES256 kid")


@pytest.mark.parametrize("place", range(1, len(SEALED)))
def test_a_changed_byte_is_noticed(place: int) -> None:
    changed = bytearray(SEALED)
    changed[place] ^= 1
    with pytest.raises(VaultError):
        VAULT.open(bytes(changed), about="RS256 kid")


@pytest.mark.parametrize(
    "sealed",
    [b"", b"\x01", b"\x01" + b"x" * 12, b"\x02" + SEALED[1:]],
    ids=["nothing", "a version alone", "no room for a tag", "another version"],
)
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(VaultError):
        VAULT.open(sealed, about="RS256 kid")
