from hypothesis import given
from hypothesis import strategies as st

from mesh.rpc.mux import credentials
from mesh.rpc.mux.credentials import Numbers


class Peer:
    """The other side, which knows what it has been told."""

    def __init__(self) -> None:
        self.known: dict[int, str] = {}
        self.told = 0

    def tell(self, number: int, authorization: str) -> None:
        self.known[number] = authorization
        self.told += 1


def test_none_has_no_number() -> None:
    peer = Peer()
    numbers = Numbers(peer.tell)
    assert (numbers.of(None), numbers.of(""), peer.told) == (0, 0, 0)


def test_one_is_told_once() -> None:
    peer = Peer()
    numbers = Numbers(peer.tell)
    assert numbers.of("a") == numbers.of("a")
    assert (peer.told, list(peer.known.values())) == (1, ["a"])


@given(st.lists(st.integers(0, 2 * credentials.MOST), max_size=200), st.integers(1, 8))
def test_a_number_is_always_what_the_other_side_has_under_it(asked: list[int], most: int) -> None:
    peer = Peer()
    numbers = Numbers(peer.tell, most)
    for value in asked:
        number = numbers.of(f"Bearer {value}")
        assert 1 <= number <= most
        assert peer.known[number] == f"Bearer {value}"
    assert len(peer.known) <= most
