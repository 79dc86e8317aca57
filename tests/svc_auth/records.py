"""Whom and what the stores' tests speak of, and what is written down beside it."""

from svc_auth.domain.api_key import ApiKey, KeyHolder, KeyText
from svc_auth.domain.audit import Action, AuditEntry, SubjectKind
from svc_auth.domain.caller import Caller
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import of_key, of_user
from svc_auth.domain.user import User
from svc_auth.stores.stores import AuthStores

ALICE = "aaaaaaaa-0000-4000-8000-000000000000"
BOB = "bbbbbbbb-0000-4000-8000-000000000000"
ORG = "00000000-0000-4000-8000-00000000000a"
OTHER_ORG = "00000000-0000-4000-8000-00000000000b"
HASH = "$argon2id$made-up"
USER = User(id=ALICE, username="Alice", email="Alice@Example.com", roles=("USER",), created_at=7)
KEY = ApiKey(
    id="11111111-0000-4000-8000-000000000000",
    user_id=ALICE,
    name="ci 👩‍💻",
    prefix="leaky_x_abcd",
    created_at=5,
    expires_at=1 << 57,
)
RECORD = Record(
    entry=AuditEntry(
        caller=Caller(actor=BOB, address="192.0.2.1", correlation_id="c", trace_id="t"),
        action=Action.USER_DISABLED,
        subject_kind=SubjectKind.USER,
        subject_id=ALICE,
        user_id=ALICE,
        at=5,
        detail="a word",
    ),
    revocations=(of_user(ALICE, at=5, lifetime=10), of_key("k", at=6)),
)


async def add_key(store: AuthStores, key: ApiKey, kept: str, *, most: int = 99) -> bool:
    """Stores a key under a made-up hash, which leads to it as well."""
    text = KeyText(lookup=kept, key_hash=kept)
    return await store.keys.add_key(key, text, most=most, record=RECORD)


async def find_key(store: AuthStores, kept: str) -> KeyHolder | None:
    """The key that was stored under it."""
    found = await store.keys.find_keys([kept])
    assert len(found) < 2
    assert [text.key_hash for _, text in found] in ([], [kept])
    return found[0][0] if found else None
