import pytest
from hypothesis import given
from hypothesis import strategies as st

from svc_auth.domain.text import (
    comparable,
    email_problem,
    name_problem,
    storable,
    username_problem,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alice", "aLICE"),
        ("STRASSE", "straße"),
        ("ﬁne", "FINE"),
        ("e\u0301va", "ÉVA"),
        ("\uff41\uff4c\uff49\uff43\uff45", "alice"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ],
)
def test_texts_that_read_the_same_are_comparable(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)


def test_different_texts_stay_different() -> None:
    assert len({comparable(text) for text in ("alice", "alíce", "al ice", "alice1")}) == 4


@given(st.text(max_size=20))
def test_comparing_twice_changes_nothing(text: str) -> None:
    assert comparable(comparable(text)) == comparable(text)


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=20))
def test_ascii_is_compared_without_case(text: str) -> None:
    assert comparable(text.upper()) == comparable(text.lower())


@given(st.text(max_size=20))
def test_what_is_storable_is_utf8_without_nul(text: str) -> None:
    if storable(text):
        assert b"\0" not in text.encode()


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "\x7f", "\ud800", "a\udfffb", "\u0085"])
def test_control_characters_and_lone_surrogates_are_not_storable(text: str) -> None:
    assert not storable(text)
    assert username_problem("abc" + text)
    assert email_problem(f"a{text}@example.com")
    assert name_problem(text)


@pytest.mark.parametrize("name", ["bob", "Jürgen Müller", "李小龙", "a" * 64, "o'neil-x.y_z"])
def test_a_name_of_printable_characters_is_fine(name: str) -> None:
    assert username_problem(name) is None


@pytest.mark.parametrize(
    "name",
    ["", "ab", "a" * 65, " bob", "bob ", "bob\u200b", "bob\u202etxt", "bo\u00a0b", "\ufdfa" * 64],
)
def test_a_name_that_nobody_can_read_or_index_is_refused(name: str) -> None:
    assert username_problem(name)


@pytest.mark.parametrize("email", ["a@b", "alice+tag@example.com", "用户@例子.公司"])
def test_an_address_has_something_on_both_sides(email: str) -> None:
    assert email_problem(email) is None


@pytest.mark.parametrize(
    "email", ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\u200b", "a" * 250 + "@b.cd"]
)
def test_what_is_no_address_is_refused(email: str) -> None:
    assert email_problem(email)


@pytest.mark.parametrize("name", ["ci", "x" * 100, "👩‍💻 laptop"])
def test_a_keys_name_is_free_text(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_a_keys_name_is_neither_blank_nor_long(name: str) -> None:
    assert name_problem(name)
