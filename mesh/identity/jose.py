"""Signed tokens (RFC 7515, 7517, 7519) with every choice that an attacker likes taken away.

The only module that knows python-jose. The algorithm is the key's own, never
the token's; keys come from a key set, never from the token; time is the
caller's.
"""

import hashlib
import json
import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jws
from jose.backends.base import Key
from jose.jwk import construct

RS256 = "RS256"
ES256 = "ES256"
# RFC 9068, section 2.1: what an OAuth2 access token calls itself, and nothing else does.
AT_JWT = "at+jwt"
# RFC 7638, section 3.2: what makes a key, by its type; also all that is read of a JWK.
_MEMBERS = {RS256: ("e", "kty", "n"), ES256: ("crv", "kty", "x", "y")}
_FORBIDDEN = frozenset({"jwk", "jku", "x5u", "x5c", "crit"})
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_MAX_LENGTH = 8192
_MIN_RSA_BITS = 2048
_SKEW_US = 5_000_000


class InvalidToken(Exception):  # noqa: N818 it is what it says, an answer more than a fault
    """A token that proves nothing; the message says why and holds nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key: PKCS #8 PEM, its algorithm (RS256 or ES256), and its id."""

    kid: str
    alg: str
    pem: str = field(repr=False)


def generate(alg: str) -> SigningKey:
    """A new key: RSA of 2048 bits for RS256, P-256 for ES256; its thumbprint is its id."""
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if alg == RS256:
        private = rsa.generate_private_key(public_exponent=65537, key_size=_MIN_RSA_BITS)
    elif alg == ES256:
        private = ec.generate_private_key(ec.SECP256R1())
    else:
        message = f"no keys are made for {alg}"
        raise ValueError(message)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return SigningKey(kid=_thumbprint(pem, alg), alg=alg, pem=pem)


def thumbprint(pem: str) -> str:
    """The key's RFC 7638 thumbprint (SHA-256, base64url), from either half of it."""
    for alg in (RS256, ES256):
        try:
            return _thumbprint(pem, alg)
        except Exception:  # noqa: BLE001, S112 python-jose fails in many ways on another kind of key
            continue
    message = "neither an RSA nor a P-256 key"
    raise ValueError(message)


def public_jwk(key: SigningKey) -> dict[str, Any]:
    """The public half as a JWK with kid, alg and use."""
    return {**_public(key.pem, key.alg), "kid": key.kid, "alg": key.alg, "use": "sig"}


def sign(claims: Mapping[str, Any], *, key: SigningKey, typ: str = "JWT") -> str:
    """A compact JWT whose header names the key's id, and the type as `typ`."""
    private = _key(key.pem, key.alg)
    headers = {"kid": key.kid, "typ": typ}
    return str(jws.sign(dict(claims), private, headers=headers, algorithm=key.alg))


def key_id(token: str) -> str:
    """The id of the key that the token says it is signed with; nothing is verified yet.

    Raises InvalidToken for what is no token, or has no id.
    """
    kid = _header(token).get("kid")
    if not isinstance(kid, str) or not kid:
        raise InvalidToken("no key id")
    return kid


def token_type(token: str) -> str:
    """What the token says it is, in lower case and without `application/`; nothing is verified yet.

    The header is signed too: after `verify` it is what the signer said. Raises
    InvalidToken for what is no token.
    """
    typ = _header(token).get("typ", "")
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else ""


def audience(token: str) -> str:
    """The one audience that the token says it is for; nothing is verified yet.

    `verify` with it says whether the signer said so. Raises InvalidToken for what
    is no token, or is for none or several.
    """
    named = _claimed(token).get("aud")
    if not isinstance(named, str) or not named:
        raise InvalidToken("no single audience")
    return named


def verify(
    token: str,
    *,
    jwk: Mapping[str, Any],
    issuer: str,
    audiences: Collection[str],
    now_us: int,
    ended: bool = False,
) -> dict[str, Any]:
    """The claims of a token that this key signed for one of the audiences.

    kid, iss, aud, exp, iat, jti and sub are required. `now_us` is in
    microseconds since the epoch; `ended` takes a token that has expired, for
    hints that prove no more than who it once was about. Raises InvalidToken
    for every fault.
    """
    if key_id(token) != jwk.get("kid"):
        raise InvalidToken("signed with another key")
    return _verified(
        token,
        _from_jwk(jwk),
        str(jwk["alg"]),
        issuer=issuer,
        audiences=audiences,
        now_us=now_us,
        ended=ended,
    )


def _verified(
    token: str,
    key: Key,
    alg: str,
    *,
    issuer: str,
    audiences: Collection[str],
    now_us: int,
    ended: bool = False,
) -> dict[str, Any]:
    header = _header(token)
    if header.get("alg") != alg:
        raise InvalidToken("not the key's algorithm")
    if not _FORBIDDEN.isdisjoint(header):
        raise InvalidToken("a header that brings its own key or demands")
    try:
        payload = jws.verify(token, key, algorithms=[alg])
    except Exception as error:
        # Whatever the library stumbles over, the token is not proven.
        raise InvalidToken("the signature does not match") from error
    claims = _object(payload)
    _check_names(claims, issuer, audiences)
    _check_times(claims, now_us, ended=ended)
    return claims


def _check_names(claims: Mapping[str, Any], issuer: str, audiences: Collection[str]) -> None:
    for name in ("sub", "jti"):
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise InvalidToken(f"no {name}")
    if claims.get("iss") != issuer:
        raise InvalidToken("another issuer")
    given = claims.get("aud")
    named = given if isinstance(given, list) else [given]
    if not any(isinstance(name, str) and name in audiences for name in named):
        raise InvalidToken("for another audience")


def _check_times(claims: Mapping[str, Any], now_us: int, *, ended: bool) -> None:
    if now_us >= _instant(claims, "exp") and not ended:
        raise InvalidToken("expired")
    for name in ("iat", "nbf") if "nbf" in claims else ("iat",):
        if _instant(claims, name) > now_us + _SKEW_US:
            raise InvalidToken(f"{name} lies in the future")


def _instant(claims: Mapping[str, Any], name: str) -> int:
    seconds = claims.get(name)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise InvalidToken(f"no {name}")
    if not math.isfinite(seconds):
        raise InvalidToken(f"{name} is no time")
    return int(seconds * 1_000_000)


def _header(token: str) -> dict[str, Any]:
    return _part(token, 0)


def _claimed(token: str) -> dict[str, Any]:
    return _part(token, 1)


def _part(token: str, place: int) -> dict[str, Any]:
    if len(token) > _MAX_LENGTH or not _COMPACT.fullmatch(token):
        raise InvalidToken("not a signed token")
    part = token.split(".")[place]
    try:
        return _object(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError as error:
        raise InvalidToken("not a signed token") from error


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidToken("not JSON") from error
    if not isinstance(value, dict):
        raise InvalidToken("not a JSON object")
    return value


def _from_jwk(jwk: Mapping[str, Any]) -> Key:
    alg = jwk.get("alg")
    if not isinstance(alg, str) or alg not in _MEMBERS:
        raise InvalidToken("a key of no allowed algorithm")
    try:
        return _public_key(alg, tuple((name, str(jwk[name])) for name in _MEMBERS[alg]))
    except InvalidToken:
        raise
    except Exception as error:
        raise InvalidToken("a key that is none") from error


@lru_cache(maxsize=64)
def _public_key(alg: str, members: tuple[tuple[str, str], ...]) -> Key:
    public = dict(members)
    if alg == ES256 and public["crv"] != "P-256":
        raise InvalidToken("a key on another curve")
    modulus = public.get("n", "")
    if alg == RS256 and len(urlsafe_b64decode(modulus + "==")) * 8 < _MIN_RSA_BITS:
        raise InvalidToken("a key that is too short")
    return construct(public, alg)


@lru_cache(maxsize=16)
def _key(text: str, alg: str) -> Key:
    return construct(text, alg)


def _public(pem: str, alg: str) -> dict[str, str]:
    full = _key(pem, alg).public_key().to_dict()
    return {name: _text(full[name]) for name in _MEMBERS[alg]}


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


def _thumbprint(pem: str, alg: str) -> str:
    canonical = json.dumps(_public(pem, alg), separators=(",", ":"), sort_keys=True)
    digest = hashlib.sha256(canonical.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
