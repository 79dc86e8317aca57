from hypothesis import given
from hypothesis import strategies as st

from svc_auth.crypto.proofs import KeyedProofs

PROOFS = KeyedProofs("a secret of the tests")
TEXTS = st.text(st.characters(), max_size=40)


@given(TEXTS, TEXTS)
def test_a_proof_is_good_for_its_text_and_its_holder(text: str, holder: str) -> None:
    proof = PROOFS.prove(text, holder=holder)
    assert PROOFS.proves(proof, text, holder=holder)
    assert KeyedProofs("a secret of the tests").proves(proof, text, holder=holder)


@given(TEXTS, TEXTS, st.integers(min_value=1, max_value=9))
def test_nothing_moves_from_the_holder_to_the_text(text: str, holder: str, length: int) -> None:
    proof = PROOFS.prove(text, holder=holder)
    moved = (holder + text[:length], text[length:])
    assert PROOFS.proves(proof, moved[1], holder=moved[0]) is (moved == (holder, text))


@given(TEXTS)
def test_what_is_no_proof_is_refused(proof: str) -> None:
    assert not PROOFS.proves(proof, "text", holder="holder")
    assert not PROOFS.proves("", "text", holder=proof)


def test_another_secret_makes_other_proofs() -> None:
    other = KeyedProofs("another secret of the tests")
    assert not other.proves(PROOFS.prove("text", holder="holder"), "text", holder="holder")
