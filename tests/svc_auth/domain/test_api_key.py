import hypothesis.strategies as st
from hypothesis import given

from svc_auth.domain.api_key import (
    ApiKey,
    Form,
    KeyHolder,
    checksum,
    form_of,
    key_prefix,
    key_text,
)

ALICE = "aaaaaaaa-0000-4000-8000-000000000000"
KEY = ApiKey(id="k", user_id=ALICE, name="ci", prefix="p", created_at=1, expires_at=10)


def test_a_key_names_its_user_and_its_prefix_shows_four_characters_of_the_secret() -> None:
    assert key_text(ALICE, "s3cr_et").startswith(f"leaky_{ALICE}_s3cr_et")
    assert key_prefix(ALICE, "s3cr_et") == f"leaky_{ALICE}_s3cr"


def test_a_key_ends_at_its_expiry() -> None:
    assert not KEY.expired(9)
    assert KEY.expired(10)


def test_a_key_without_expiry_never_ends() -> None:
    assert not ApiKey(id="k", user_id=ALICE, name="ci", prefix="p", created_at=1).expired(1 << 60)


def test_a_user_that_nobody_registered_counts_as_a_user() -> None:
    assert KeyHolder(key=KEY).roles == ("USER",)
    assert not KeyHolder(key=KEY).known
    assert KeyHolder(key=KEY, user_roles=("ADMIN",)).roles == ("ADMIN",)


SECRETS = st.text(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", min_size=43, max_size=43
)


def test_the_checksum_is_crc_32_in_base_62() -> None:
    # 0xCBF43926 is the check value of the CRC-32 that zlib has.
    assert checksum("123456789") == "3jZRME"
    assert checksum("") == "000000"


@given(SECRETS)
def test_a_key_is_told_by_its_checksum_and_one_from_before_by_having_none(secret: str) -> None:
    text = key_text(ALICE, secret)
    assert form_of(text) is Form.CHECKED
    assert form_of(text[:-6]) is Form.BARE


@given(SECRETS, st.integers(0, 47), st.sampled_from("Aa0Zz9"))
def test_one_wrong_letter_is_no_key(secret: str, place: int, letter: str) -> None:
    text = key_text(ALICE, secret)
    at = len(text) - 48 + place
    wrong = text[:at] + letter + text[at + 1 :]
    assert form_of(wrong) is (Form.CHECKED if wrong == text else Form.NONE)


def test_what_is_no_key_is_none() -> None:
    text = key_text(ALICE, "A" * 43)
    for wrong in ("", "leaky_", text[1:], text + "\n", text.upper(), text.replace("_", "-"), "\0"):
        assert form_of(wrong) is Form.NONE
