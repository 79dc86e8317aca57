"""Makes API keys."""

from collections.abc import Callable
from dataclasses import dataclass

from mesh.clock import Clock, Ids
from mesh.errors import invalid
from svc_auth.domain.api_key import ApiKey, key_prefix, key_text
from svc_auth.domain.audit import Action, AuditEntry, SubjectKind
from svc_auth.domain.caller import Caller
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.record import Record
from svc_auth.domain.text import name_problem
from svc_auth.ports import ApiKeys, KeyMaker, Users
from svc_auth.usecases.known_user import require_user


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateApiKey:
    """Makes a key whose text leaves once and is kept as a hash alone."""

    users: Users
    keys: ApiKeys
    maker: KeyMaker
    policy: Callable[[], AuthPolicy]
    clock: Clock
    ids: Ids

    async def __call__(
        self, caller: Caller, *, user_id: str, name: str, expires_at: int | None
    ) -> tuple[ApiKey, str]:
        """The key and its text; `expires_at` in microseconds, None for never."""
        problem = name_problem(name)
        if problem is not None:
            raise invalid("name", problem)
        now = self.clock.now_us()
        if expires_at is not None and expires_at <= now:
            raise invalid("expires_at", "must be in the future")
        await require_user(self.users, user_id, self.policy())
        secret = self.maker.new_secret()
        text = key_text(user_id, secret)
        key = ApiKey(
            id=self.ids.new(),
            user_id=user_id,
            name=name,
            prefix=key_prefix(user_id, secret),
            created_at=now,
            expires_at=expires_at,
        )
        entry = AuditEntry(
            caller=caller,
            action=Action.API_KEY_CREATED,
            subject_kind=SubjectKind.API_KEY,
            subject_id=key.id,
            user_id=user_id,
            at=now,
        )
        await self.keys.add_key(key, self.maker.hash(text), Record(entry=entry))
        return key, text
