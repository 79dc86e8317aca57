import pytest

from svc_auth.domain.common_passwords import COMMON_PASSWORDS
from svc_auth.domain.password import PasswordRules, canonical, password_problem, weakness
from svc_auth.domain.text import comparable

LAX = PasswordRules(min_length=8, blocklist=False)
STRICT = PasswordRules(min_length=8, blocklist=True)


def weak(password: str, rules: PasswordRules) -> bool:
    return (
        weakness(password, username="alice-in-wonderland", email="carroll@example.com", rules=rules)
        is not None
    )


def test_the_shortest_password_is_a_setting() -> None:
    assert weak("1234567", LAX)
    assert not weak("12345678", LAX)
    assert weak("12345678", PasswordRules(min_length=9, blocklist=False))


def test_length_is_counted_in_composed_characters() -> None:
    assert weak("e\u0301" * 7, LAX)
    assert not weak("é" * 8, LAX)


@pytest.mark.parametrize(
    "password",
    ["password", "PassWord1", "QWERTY123", "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44"],
)
def test_common_passwords_are_refused_only_by_the_blocklist(password: str) -> None:
    assert weak(password, STRICT)
    assert not weak(password, LAX)


def test_the_users_own_name_is_refused_by_the_blocklist() -> None:
    assert weak("Alice-In-Wonderland", STRICT)
    assert not weak("Alice-In-Wonderland", LAX)


@pytest.mark.parametrize(
    "password",
    [
        "alice-in-wonderland1",
        "12 Alice-in-Wonderland!!",
        "carroll1",
        "Carroll@Example.com",
        "leaky123!",
        "LeakyTokens2024",
    ],
)
def test_nor_is_it_better_with_something_around_it_nor_are_the_address_or_ours(
    password: str,
) -> None:
    assert weak(password, STRICT)
    assert not weak(password, LAX)


def test_an_operator_may_refuse_more() -> None:
    rules = PasswordRules(
        min_length=8, blocklist=True, blocked=frozenset({comparable("Hunter Of Snarks")})
    )
    assert weak("hunter of snarks", rules)
    assert not weak("hunter of snarks", STRICT)


def test_an_uncommon_password_passes() -> None:
    assert not weak("correct horse battery", STRICT)


def test_the_reason_never_repeats_the_password() -> None:
    for password in ("secret1", "password123"):
        said = weakness(password, username="bob", email="bob@example.com", rules=STRICT)
        assert said is not None
        assert password not in said


def test_the_blocklist_is_in_the_form_it_is_compared_in() -> None:
    assert {comparable(password) for password in COMMON_PASSWORDS} == COMMON_PASSWORDS
    assert len(COMMON_PASSWORDS) > 200


@pytest.mark.parametrize(
    "password", ["", "x" * 257, "long enough\0", "tab\tbed here", "\ud800" * 9]
)
def test_what_is_no_password_at_all(password: str) -> None:
    assert password_problem(password)


def test_a_password_may_hold_blanks_and_any_script() -> None:
    assert password_problem("пароль и пробелы 🔑") is None


def test_a_password_is_the_same_however_it_was_typed() -> None:
    assert canonical("cafe\u0301") == canonical("caf\u00e9")
