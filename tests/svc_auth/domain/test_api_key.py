from svc_auth.domain.api_key import ApiKey, KeyHolder, key_prefix, key_text

ALICE = "aaaaaaaa-0000-4000-8000-000000000000"
KEY = ApiKey(id="k", user_id=ALICE, name="ci", prefix="p", created_at=1, expires_at=10)


def test_a_key_names_its_user_and_its_prefix_shows_four_characters_of_the_secret() -> None:
    assert key_text(ALICE, "s3cr_et") == f"leaky_{ALICE}_s3cr_et"
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
