"""What forgers bring: credentials that look good and are not, and headers that ask for too much."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from mesh.clock import SystemClock
from mesh.identity import jose
from mesh.settings.source import load
from svc_auth.crypto.keyring import Keyring, open_keyring
from svc_auth.crypto.vault import Vault
from svc_auth.settings import AuthSettings
from svc_auth.wiring import lifetimes, open_stores
from tests.e2e.cast import PASSWORD, Person
from tests.e2e.matrix import Headers
from tests.e2e.system import System

SERVICE = "x-leaky-service"


async def keyring_of(system: System) -> Keyring:
    """The system's real signing keys: only with them are other claims worth a try."""
    settings = load(AuthSettings, system.env, {})
    vault = Vault((system.data / "auth.keys.key").read_text().strip())
    async with open_stores(settings) as store:
        return await open_keyring(store.signing_keys, vault, SystemClock(), lifetimes(settings))


def claims(person: Person, **changed: Any) -> dict[str, Any]:
    """What a good token of this person says, with changes; None leaves a claim out."""
    said = {**_part(person.token, 1), "jti": uuid.uuid4().hex, **changed}
    return {name: value for name, value in said.items() if value is not None}


def forgeries(person: Person, keyring: Keyring) -> Mapping[str, Headers]:
    """Credentials that look like this person's and are not, by what is wrong with them."""
    now, key = int(time.time()), keyring.session
    header = _part(person.token, 0)
    other = jose.generate(jose.RS256)
    stranger = jose.SigningKey(kid=key.kid, alg=key.alg, pem=other.pem)
    public = load_pem_private_key(key.pem.encode(), None).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    body = claims(person)
    _, payload, signature = person.token.split(".")
    tokens = {
        "garbage": "garbage",
        "three dots": "a.b.c",
        "alg none": f"{_text({**header, 'alg': 'none'})}.{payload}.",
        "alg none, signed": f"{_text({**header, 'alg': 'none'})}.{payload}.{signature}",
        "HS256 under the public key": _hs256({**header, "alg": "HS256"}, body, pem),
        "another key, the right kid": jose.sign(body, key=stranger),
        "another key, its own kid": jose.sign(body, key=other),
        "its own key in the header": _text({**header, "jwk": jose.public_jwk(other)})
        + f".{payload}.{signature}",
        "exp changed": f"{_text(header)}.{_text(claims(person, exp=now + 9**9))}.{signature}",
        "roles changed": f"{_text(header)}.{_text(claims(person, roles=['ADMIN']))}.{signature}",
        "no signature": f"{_text(header)}.{payload}.",
        "expired": jose.sign(claims(person, exp=now - 1), key=key),
        "not yet": jose.sign(claims(person, iat=now + 9**9), key=key),
        "another audience": jose.sign(claims(person, aud="leaky-else"), key=key),
        "another issuer": jose.sign(claims(person, iss="else"), key=key),
        "no exp": jose.sign(claims(person, exp=None), key=key),
        "no sub": jose.sign(claims(person, sub=None), key=key),
    }
    secret = "A" * len(person.key.rpartition("_")[2])
    keys = {
        "unknown key": "no-such-key",
        "well-formed unknown key": f"leaky_{person.id}_{secret}",
        "key changed at its end": person.key[:-1] + ("A" if person.key[-1] != "A" else "B"),
        "a token as a key": person.token,
    }
    basic = base64.b64encode(f"{person.username}:{PASSWORD}".encode()).decode()
    return {
        **{name: {"authorization": f"Bearer {token}"} for name, token in tokens.items()},
        **{name: {"x-api-key": text} for name, text in keys.items()},
        "another scheme": {"authorization": f"Basic {basic}"},
        "a key as a bearer": {"authorization": f"Bearer {person.key}"},
        "a bad bearer before a good key": {"authorization": "Bearer x", "x-api-key": person.key},
    }


def false_services(person: Person, keyring: Keyring, secret: str) -> Mapping[str, Headers]:
    """Headers that would make a service of whoever sends them, if any were believed."""
    now = int(time.time())
    names = {"iss": "leaky-mesh", "aud": "leaky-mesh", "sub": "token", "jti": uuid.uuid4().hex}
    good = {**names, "iat": now, "exp": now + 60}
    header = {"alg": "HS256", "typ": "JWT"}
    tokens = {
        "garbage": "garbage",
        "a name": "token",
        "alg none": f"{_text({'alg': 'none', 'typ': 'JWT'})}.{_text(good)}.",
        "the secret of the mesh": _hs256(header, good, secret.encode()),
        "a user's token": person.token,
        "the session key": jose.sign(good, key=keyring.session),
    }
    return {f"service, {name}": {SERVICE: token} for name, token in tokens.items()}


def spoofed(victim: Person) -> Headers:
    """Headers that a careless service would believe."""
    names = ("x-user-id", "x_user_id", "x-internal-user-id", "x_internal_user_id", "x-userid")
    roles = ("x-user-roles", "x_user_roles", "x-internal-roles", "x-roles")
    return {
        **dict.fromkeys(names, victim.id),
        **dict.fromkeys(roles, "ADMIN"),
        "x-internal-caller": "token",
        "x-internal-service": "token",
        "x-forwarded-user": victim.username,
    }


def _part(token: str, index: int) -> dict[str, Any]:
    text = token.split(".")[index]
    part: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return part


def _text(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _hs256(header: Mapping[str, Any], body: Mapping[str, Any], key: bytes) -> str:
    signed = f"{_text(header)}.{_text(body)}"
    digest = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
