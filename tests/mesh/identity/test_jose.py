import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from jose import jws

from mesh.identity import jose
from mesh.identity.jose import InvalidToken, SigningKey

NOW = 1_700_000_000
ISSUER = "leaky-tokens-auth"
# RFC 7638, section 3.1.
RFC_N = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc"
    "_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQ"
    "R0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bF"
    "TWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
)


def claims(**changes: Any) -> dict[str, Any]:
    good: dict[str, Any] = {
        "iss": ISSUER,
        "aud": "leaky-api",
        "sub": "user-1",
        "jti": "one",
        "iat": NOW,
        "exp": NOW + 60,
    }
    good.update(changes)
    return {name: value for name, value in good.items() if value is not None}


def check(token: str, key: SigningKey, now: float = NOW, **jwk: Any) -> dict[str, Any]:
    return jose.verify(
        token,
        jwk={**jose.public_jwk(key), **jwk},
        issuer=ISSUER,
        audiences=("leaky-api", "leaky-mesh"),
        now_us=int(now * 1_000_000),
    )


def b64(data: bytes | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge(header: dict[str, Any], sign: Callable[[bytes], bytes], **changes: Any) -> str:
    head = f"{b64(header)}.{b64(claims(**changes))}"
    return f"{head}.{b64(sign(head.encode()))}"


def with_header(key: SigningKey, **header: Any) -> str:
    token: str = jws.sign(claims(), key.pem, headers={"kid": key.kid, **header}, algorithm=key.alg)
    return token


def public_pem(key: SigningKey) -> bytes:
    private = load_pem_private_key(key.pem.encode(), None)
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(params=["login_key", "mesh_key"])
def key(request: pytest.FixtureRequest) -> SigningKey:
    made = request.getfixturevalue(request.param)
    assert isinstance(made, SigningKey)
    return made


def test_what_a_key_signed_its_public_half_verifies(key: SigningKey) -> None:
    assert check(jose.sign(claims(), key=key), key) == claims()


def test_a_public_jwk_holds_no_private_part(key: SigningKey) -> None:
    jwk = jose.public_jwk(key)
    assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & set(jwk)
    assert (jwk["kid"], jwk["alg"], jwk["use"]) == (key.kid, key.alg, "sig")
    json.dumps(jwk)


def test_a_key_does_not_show_itself(key: SigningKey) -> None:
    assert "PRIVATE" not in repr(key)


def test_the_thumbprint_is_that_of_the_rfc() -> None:
    n = int.from_bytes(urlsafe_b64decode(RFC_N + "=="), "big")
    public = rsa.RSAPublicNumbers(65537, n).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert jose.thumbprint(pem) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_both_halves_have_the_same_thumbprint(key: SigningKey) -> None:
    assert jose.thumbprint(key.pem) == jose.thumbprint(public_pem(key).decode()) == key.kid


def test_no_key_is_made_for_other_algorithms() -> None:
    with pytest.raises(ValueError, match="HS256"):
        jose.generate("HS256")


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None])
@pytest.mark.parametrize("signature", [b"", b"x" * 64])
def test_a_token_without_an_algorithm_proves_nothing(
    key: SigningKey, alg: str | None, signature: bytes
) -> None:
    token = forge({"alg": alg, "kid": key.kid}, lambda _: signature)
    with pytest.raises(InvalidToken):
        check(token, key)


@pytest.mark.parametrize("name", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_no_shared_secret(key: SigningKey, name: str) -> None:
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[name]
    public = jose.public_jwk(key)
    pem = public_pem(key)
    secrets = [pem, pem.strip(), json.dumps(public).encode(), str(public.get("n", "")).encode()]
    for secret in secrets:

        def mac(data: bytes, secret: bytes = secret) -> bytes:
            return hmac.new(secret, data, digest).digest()

        token = forge({"alg": name, "kid": key.kid}, mac)
        with pytest.raises(InvalidToken, match="algorithm"):
            check(token, key)


def test_the_algorithm_of_another_key_does_not_count(
    login_key: SigningKey, mesh_key: SigningKey
) -> None:
    token = jws.sign(claims(), mesh_key.pem, headers={"kid": login_key.kid}, algorithm="ES256")
    with pytest.raises(InvalidToken, match="algorithm"):
        check(token, login_key)
    token = jws.sign(claims(), login_key.pem, headers={"kid": mesh_key.kid}, algorithm="RS256")
    with pytest.raises(InvalidToken, match="algorithm"):
        check(token, mesh_key)


def test_a_sibling_of_the_algorithm_is_refused(login_key: SigningKey) -> None:
    for alg in ("RS384", "RS512"):
        token = jws.sign(claims(), login_key.pem, headers={"kid": login_key.kid}, algorithm=alg)
        with pytest.raises(InvalidToken, match="algorithm"):
            check(token, login_key)


@pytest.mark.parametrize("alg", ["HS256", "none", "RS384", "dir", None])
def test_a_key_set_cannot_ask_for_another_algorithm(login_key: SigningKey, alg: str | None) -> None:
    secret = jose.public_jwk(login_key)["n"].encode()
    header = {"alg": alg, "kid": login_key.kid}
    token = forge(header, lambda data: hmac.new(secret, data, "sha256").digest())
    with pytest.raises(InvalidToken, match="allowed algorithm"):
        check(token, login_key, alg=alg)


def test_another_key_under_the_same_id_proves_nothing(mesh_key: SigningKey) -> None:
    other = jose.generate("ES256")
    token = jws.sign(claims(), other.pem, headers={"kid": mesh_key.kid}, algorithm="ES256")
    with pytest.raises(InvalidToken, match="signature"):
        check(token, mesh_key)


def test_a_key_in_the_token_is_not_believed(mesh_key: SigningKey) -> None:
    other = jose.generate("ES256")
    headers = {"kid": mesh_key.kid, "jwk": jose.public_jwk(other)}
    token = jws.sign(claims(), other.pem, headers=headers, algorithm="ES256")
    with pytest.raises(InvalidToken):
        check(token, mesh_key)


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": {}},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": []},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
    ],
)
def test_headers_that_make_demands_are_refused_even_when_signed(
    key: SigningKey, header: dict[str, Any]
) -> None:
    with pytest.raises(InvalidToken, match="header"):
        check(with_header(key, **header), key)


def test_a_signature_of_zeros_proves_nothing(mesh_key: SigningKey) -> None:
    token = forge({"alg": "ES256", "kid": mesh_key.kid}, lambda _: bytes(64))
    with pytest.raises(InvalidToken, match="signature"):
        check(token, mesh_key)


def test_a_signature_in_another_encoding_is_refused(mesh_key: SigningKey) -> None:
    private = load_pem_private_key(mesh_key.pem.encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    token = forge(
        {"alg": "ES256", "kid": mesh_key.kid}, lambda data: private.sign(data, ec.ECDSA(SHA256()))
    )
    with pytest.raises(InvalidToken, match="signature"):
        check(token, mesh_key)


def test_a_changed_payload_or_header_is_noticed(key: SigningKey) -> None:
    header, payload, signature = jose.sign(claims(), key=key).split(".")
    richer = b64(claims(sub="user-2"))
    with pytest.raises(InvalidToken, match="signature"):
        check(f"{header}.{richer}.{signature}", key)
    louder = b64({"alg": key.alg, "kid": key.kid, "typ": "at+jwt"})
    with pytest.raises(InvalidToken, match="signature"):
        check(f"{louder}.{payload}.{signature}", key)
    with pytest.raises(InvalidToken, match="signature"):
        check(f"{header}.{payload}.{signature[4:]}", key)


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "jti", "iat", "exp"])
def test_every_claim_is_required(key: SigningKey, name: str) -> None:
    with pytest.raises(InvalidToken):
        check(jose.sign(claims(**{name: None}), key=key), key)


def test_a_key_id_is_required(key: SigningKey) -> None:
    kids: list[Any] = [None, "", 1, ["a"], {}]
    for kid in kids:
        token = jws.sign(claims(), key.pem, headers={"kid": kid}, algorithm=key.alg)
        with pytest.raises(InvalidToken, match="key id"):
            check(token, key)
    with pytest.raises(InvalidToken, match="another key"):
        check(jose.sign(claims(), key=key), key, kid="other")


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "leaky-mesh"},
        {"iss": [ISSUER]},
        {"aud": "another-api"},
        {"aud": []},
        {"aud": ["x", 1]},
        {"aud": {"leaky-api": 1}},
        {"aud": "leaky-api leaky-mesh"},
        {"sub": ""},
        {"sub": 7},
        {"jti": ""},
        {"exp": "1700000060"},
        {"exp": True},
        {"exp": [NOW + 60]},
        {"iat": "now"},
        {"iat": True},
        {"nbf": "later"},
    ],
)
def test_a_wrong_claim_is_refused(mesh_key: SigningKey, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        check(jose.sign(claims(**wrong), key=mesh_key), mesh_key)


def test_one_of_several_audiences_is_enough(mesh_key: SigningKey) -> None:
    assert check(jose.sign(claims(aud=["x", "leaky-mesh"]), key=mesh_key), mesh_key)


def test_a_token_ends_at_its_very_second(mesh_key: SigningKey) -> None:
    token = jose.sign(claims(), key=mesh_key)
    assert check(token, mesh_key, NOW + 59.999)
    with pytest.raises(InvalidToken, match="expired"):
        check(token, mesh_key, NOW + 60)
    assert check(jose.sign(claims(exp=NOW + 0.5), key=mesh_key), mesh_key)


@pytest.mark.parametrize("text", ["1e400", "NaN", "Infinity"])
def test_a_token_without_a_real_end_is_refused(mesh_key: SigningKey, text: str) -> None:
    payload = json.dumps(claims()).replace(str(NOW + 60), text)
    token = jws.sign(
        payload.encode(), mesh_key.pem, headers={"kid": mesh_key.kid}, algorithm="ES256"
    )
    with pytest.raises(InvalidToken):
        check(token, mesh_key)


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_clocks_may_differ_by_five_seconds(mesh_key: SigningKey, name: str) -> None:
    assert check(jose.sign(claims(**{name: NOW + 5}), key=mesh_key), mesh_key)
    with pytest.raises(InvalidToken, match="future"):
        check(jose.sign(claims(**{name: NOW + 6}), key=mesh_key), mesh_key)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "é.é.é",
        " ",
        "e30.e30.e30",
        "bnVsbA.e30.e30",
        "W10.e30.e30",
        b64(b"\xff\xfe") + ".e30.e30",
        b64(b"[" * 3000) + ".e30.e30",
        "e30." + "a" * 9000 + ".e30",
    ],
)
def test_what_is_no_token_is_an_invalid_token(mesh_key: SigningKey, token: str) -> None:
    with pytest.raises(InvalidToken):
        check(token, mesh_key)


def test_a_payload_that_is_no_object_is_refused(mesh_key: SigningKey) -> None:
    for payload in (b"null", b"[]", b"\xff", b"[" * 3000):
        token = jws.sign(payload, mesh_key.pem, headers={"kid": mesh_key.kid}, algorithm="ES256")
        with pytest.raises(InvalidToken):
            check(token, mesh_key)


def test_a_weak_or_broken_key_in_the_set_is_refused(
    login_key: SigningKey, mesh_key: SigningKey
) -> None:
    short = b64(b"\xc3" * 128)
    with pytest.raises(InvalidToken, match="short"):
        check(jose.sign(claims(), key=login_key), login_key, n=short)
    token = jose.sign(claims(), key=mesh_key)
    with pytest.raises(InvalidToken, match="curve"):
        check(token, mesh_key, crv="P-384")
    for wrong in ({"kty": "RSA"}, {"x": "AA"}, {"x": None}):
        with pytest.raises(InvalidToken):
            check(token, mesh_key, **wrong)
