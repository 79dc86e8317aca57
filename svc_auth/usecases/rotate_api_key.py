"""Rotates API keys."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from leaky.common.v1.reason_pb2 import REASON_API_KEY_NOT_FOUND
from mesh.clock import Clock, Ids
from mesh.errors import AppError
from svc_auth.domain.api_key import ApiKey, key_prefix, key_text
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import of_key
from svc_auth.ports import ApiKeys, KeyMaker, Replacement, Revocations
from svc_auth.usecases.create_api_key import key_entry, too_many


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateApiKey:
    """Puts a new key in an old one's place, which goes on for a while beside it."""

    keys: ApiKeys
    maker: KeyMaker
    revocations: Revocations
    policy: Callable[[], AuthPolicy]
    clock: Clock
    ids: Ids

    async def __call__(self, caller: Caller, *, user_id: str, key_id: str) -> tuple[ApiKey, str]:
        """The new key, as the old one was and for as long, and its text.

        A key that retires may be rotated once more, for who has lost the answer;
        that is one more key. AppError API_KEY_NOT_FOUND when the user has no such
        key, or no longer, and API_KEY_LIMIT.
        """
        old = await self.keys.find_own_key(user_id, key_id)
        now = self.clock.now_us()
        if old is None or old.expired(now):
            raise _no_key()
        secret = self.maker.new_secret()
        text = key_text(user_id, secret)
        key = replace(
            old,
            id=self.ids.new(),
            prefix=key_prefix(user_id, secret),
            created_at=now,
            expires_at=old.expires_at and now + old.expires_at - old.created_at,
            last_used_at=None,
            retires_at=None,
        )
        policy = self.policy()
        retires = now + policy.rotation_grace
        entry = key_entry(
            caller, Action.API_KEY_ROTATED, key_id, user_id, at=now, detail=f"now {key.id}"
        )
        gone = (of_key(key_id, at=now),) if retires <= now else ()
        record = Record(entry=entry, revocations=gone)
        kept = self.maker.kept(text)
        match await self.keys.replace_key(
            key_id, key, kept, retires=retires, most=policy.keys_each, record=record
        ):
            case Replacement.NO_KEY:
                raise _no_key()
            case Replacement.LIMIT:
                raise too_many(policy)
            case Replacement.DONE:
                self.revocations.announce()
                return key, text


def _no_key() -> AppError:
    return AppError(REASON_API_KEY_NOT_FOUND, "API key not found")
