import pytest

from mesh.pki.spiffe import SpiffeId, parse


def test_a_name_is_written_and_read() -> None:
    token = SpiffeId(trust_domain="leaky.internal", name="token")
    assert str(token) == "spiffe://leaky.internal/token"
    assert token.host == "token.leaky.internal"
    assert parse(str(token)) == token


@pytest.mark.parametrize("name", ["", "Token", "1st", "a/b", "token.2", "-a", "a-", "a" * 64, "é"])
def test_a_name_is_a_label_of_dns(name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        SpiffeId(trust_domain="leaky.internal", name=name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "token",
        "spiffe://leaky.internal",
        "spiffe://leaky.internal/",
        "spiffe://leaky.internal/ns/default/sa/token",
        "spiffe://leaky.internal/token?x",
        "spiffe://LEAKY/token",
        "https://leaky.internal/token",
        " spiffe://leaky.internal/token",
        "spiffe://user@leaky.internal/token",
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        parse(text)
