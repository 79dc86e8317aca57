"""What `leaky admin` runs, in its own process, whether or not the service is up.

What it revokes is stored, and a service that is up finds it there. Each takes a
user by its name or its id, and raises AppError for what cannot be done,
SettingsError or WrongDataError when the store cannot be opened.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from mesh.clock import RandomIds, SystemClock
from svc_auth.blocklist import read_blocklist
from svc_auth.domain.caller import OPERATOR
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.user import ADMIN, USER
from svc_auth.settings import AuthSettings
from svc_auth.stores.stores import AuthStores
from svc_auth.usecases.change_password import ResetPassword, SetPassword
from svc_auth.usecases.change_role import GrantRole, RevokeRole
from svc_auth.usecases.disable_user import DisableUser, EnableUser
from svc_auth.usecases.end_access import EndAccess
from svc_auth.usecases.look_at_users import ListUsers
from svc_auth.usecases.register import Register
from svc_auth.usecases.user_change import no_user
from svc_auth.wiring import open_passwords, open_stores

PAGE = 1000
CLOCK = SystemClock()


async def create_admin(settings: AuthSettings, *, username: str, email: str, password: str) -> str:
    """The id of a new user with the role ADMIN."""
    policy = _policy(settings)
    async with open_stores(settings) as store, open_passwords() as passwords:
        register = Register(
            users=store.users,
            passwords=passwords,
            policy=lambda: policy,
            clock=CLOCK,
            ids=RandomIds(),
            roles=(ADMIN, USER),
        )
        user = await register(OPERATOR, username=username, email=email, password=password)
    return user.id


async def list_users(settings: AuthSettings) -> AsyncIterator[Sequence[str]]:
    """Each user's id, name, address, roles, and whether it is disabled."""
    async with open_stores(settings) as store:
        page, after = ListUsers(users=store.users), ""
        while users := await page(after=after, limit=PAGE):
            for user in users:
                roles, state = " ".join(user.roles), "disabled" if user.disabled else ""
                yield user.id, user.username, user.email, roles, state
            after = users[-1].id


async def disable_user(settings: AuthSettings, *, user: str) -> None:
    """Ends all that the user holds."""
    async with _found(settings, user) as (store, user_id):
        disable = DisableUser(
            users=store.users,
            end=end_access(store),
            clock=CLOCK,
        )
        await disable(OPERATOR, user_id=user_id)


async def enable_user(settings: AuthSettings, *, user: str) -> None:
    """Lets the user in again."""
    async with _found(settings, user) as (store, user_id):
        await EnableUser(users=store.users, clock=CLOCK)(OPERATOR, user_id=user_id)


async def grant_role(settings: AuthSettings, *, user: str, role: str) -> None:
    """Gives the user a role."""
    async with _found(settings, user) as (store, user_id):
        grant = GrantRole(users=store.users, clock=CLOCK)
        await grant(OPERATOR, user_id=user_id, role=role)


async def revoke_role(settings: AuthSettings, *, user: str, role: str) -> None:
    """Takes a role from the user."""
    async with _found(settings, user) as (store, user_id):
        revoke = RevokeRole(
            users=store.users,
            end=end_access(store),
            clock=CLOCK,
        )
        await revoke(OPERATOR, user_id=user_id, role=role)


async def reset_password(settings: AuthSettings, *, user: str, password: str) -> None:
    """Gives the user another password, and ends its sessions."""
    policy = _policy(settings)
    async with _found(settings, user) as (store, user_id), open_passwords() as passwords:
        set_password = SetPassword(
            users=store.users,
            passwords=passwords,
            end=end_access(store),
            clock=CLOCK,
        )
        reset = ResetPassword(users=store.users, set=set_password, policy=lambda: policy)
        await reset(OPERATOR, user_id=user_id, password=password)


class Unheard:
    """Implements Revocations: nobody watches this process."""

    def announce(self) -> None:
        """Who watches another process hears of it there."""


def end_access(store: AuthStores) -> EndAccess:
    """Ends access in the store; who watches other processes hears of it there."""
    return EndAccess(
        log=store.revocations, keys=store.signing_keys, revocations=Unheard(), clock=CLOCK
    )


def _policy(settings: AuthSettings) -> AuthPolicy:
    policy, blocked = settings.policy, read_blocklist(settings.auth.password.blocklist_file)
    return replace(policy, password=replace(policy.password, blocked=blocked))


@asynccontextmanager
async def _found(settings: AuthSettings, user: str) -> AsyncIterator[tuple[AuthStores, str]]:
    """The store, and the id of the user. Raises USER_NOT_FOUND."""
    async with open_stores(settings) as store:
        account = await store.users.find_login(user)
        if account is None and _is_id(user):
            account = await store.users.find_account(str(uuid.UUID(user)))
        if account is None:
            raise no_user()
        yield store, account.user.id


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
