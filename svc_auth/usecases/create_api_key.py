"""Makes API keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_API_KEY_LIMIT
from mesh.clock import Clock, Ids
from mesh.errors import AppError, invalid
from svc_auth.domain.api_key import ApiKey, key_prefix, key_text
from svc_auth.domain.audit import Action, AuditEntry, SubjectKind
from svc_auth.domain.caller import Caller
from svc_auth.domain.claims import SCOPES
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.record import Record
from svc_auth.domain.text import name_problem, provider_problem
from svc_auth.ports import ApiKeys, KeyMaker, Users
from svc_auth.usecases.known_user import require_user

MOST_PROVIDERS = 32


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
        self,
        caller: Caller,
        *,
        user_id: str,
        name: str,
        expires_at: int | None,
        scopes: Sequence[str] = (),
        providers: Sequence[str] = (),
    ) -> tuple[ApiKey, str]:
        """The key and its text; `expires_at` in microseconds, None for never.

        `scopes` and `providers` are what it is limited to, none for no limit.
        AppError INVALID_ARGUMENT, API_KEY_LIMIT or USER_NOT_FOUND.
        """
        now, policy = self.clock.now_us(), self.policy()
        _check(name, scopes, providers)
        if expires_at is not None and expires_at <= now:
            raise invalid("expires_at", "must be in the future")
        await require_user(self.users, user_id, policy)
        secret = self.maker.new_secret()
        text = key_text(user_id, secret)
        key = ApiKey(
            id=self.ids.new(),
            user_id=user_id,
            name=name,
            prefix=key_prefix(user_id, secret),
            created_at=now,
            expires_at=expires_at,
            scopes=tuple(sorted(set(scopes))),
            providers=tuple(sorted(set(providers))),
        )
        record = Record(entry=key_entry(caller, Action.API_KEY_CREATED, key.id, user_id, at=now))
        kept = self.maker.kept(text)
        if not await self.keys.add_key(key, kept, most=policy.keys_each, record=record):
            raise too_many(policy)
        return key, text


def too_many(policy: AuthPolicy) -> AppError:
    """A 409."""
    message = f"the user has {policy.keys_each} API keys, as many as it may"
    return AppError(REASON_API_KEY_LIMIT, message)


def key_entry(
    caller: Caller, action: Action, key_id: str, user_id: str, *, at: int, detail: str = ""
) -> AuditEntry:
    """A line about a key."""
    return AuditEntry(
        caller=caller,
        action=action,
        subject_kind=SubjectKind.API_KEY,
        subject_id=key_id,
        user_id=user_id,
        at=at,
        detail=detail,
    )


def _check(name: str, scopes: Sequence[str], providers: Sequence[str]) -> None:
    problem = name_problem(name)
    if problem is not None:
        raise invalid("name", problem)
    if unknown := set(scopes) - set(SCOPES):
        raise invalid("scopes", f"{min(unknown)} is none of " + ", ".join(SCOPES))
    if len(providers) > MOST_PROVIDERS:
        raise invalid("providers", f"must be at most {MOST_PROVIDERS}")
    for one in providers:
        problem = provider_problem(one)
        if problem is not None:
            raise invalid("providers", problem)
