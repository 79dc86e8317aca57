"""Auth over a real database with real cryptography; only time stands still."""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mesh.clock import RandomIds
from mesh.errors import AppError
from svc_auth.crypto.api_keys import PepperedKeys
from svc_auth.crypto.keyring import Keyring, Lifetimes, open_keyring
from svc_auth.crypto.opaque import OpaqueTexts
from svc_auth.crypto.passwords import Argon2Passwords
from svc_auth.crypto.tokens import Minter
from svc_auth.crypto.vault import Vault
from svc_auth.domain.audit import Action, AuditEntry, AuditQuery
from svc_auth.domain.caller import ANYBODY, Caller
from svc_auth.domain.organization import OrganizationLimits
from svc_auth.domain.password import PasswordRules
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import Kind, Revocation
from svc_auth.domain.throttle import LoginLimits, Throttle
from svc_auth.domain.user import User
from svc_auth.revocations import Broadcaster, Watcher
from svc_auth.servicers.user import UserServicer
from svc_auth.settings import ClientJwt
from svc_auth.stores import SCHEMAS, STORES
from svc_auth.stores.stores import AuthStores
from svc_auth.usecases.accept_invitation import AcceptInvitation
from svc_auth.usecases.change_password import ChangePassword, ResetPassword, SetPassword
from svc_auth.usecases.change_role import GrantRole, RevokeRole
from svc_auth.usecases.create_api_key import CreateApiKey
from svc_auth.usecases.create_organization import CreateOrganization
from svc_auth.usecases.delete_api_key import DeleteApiKey
from svc_auth.usecases.delete_invitation import DeleteInvitation
from svc_auth.usecases.delete_member import DeleteMember
from svc_auth.usecases.disable_user import DisableUser, EnableUser
from svc_auth.usecases.end_access import EndAccess
from svc_auth.usecases.exchange_api_key import ExchangeApiKey
from svc_auth.usecases.get_membership import GetMembership
from svc_auth.usecases.get_organization import GetOrganization
from svc_auth.usecases.get_user_roles import GetUserRoles
from svc_auth.usecases.invite_member import InviteMember
from svc_auth.usecases.list_api_keys import ListApiKeys
from svc_auth.usecases.list_invitations import ListInvitations
from svc_auth.usecases.list_members import ListMembers
from svc_auth.usecases.list_organizations import ListOrganizations
from svc_auth.usecases.login import Login
from svc_auth.usecases.logout import Logout
from svc_auth.usecases.look_at_users import GetUser, ListUsers
from svc_auth.usecases.put_member import PutMember
from svc_auth.usecases.read_audit_log import ReadAuditLog
from svc_auth.usecases.register import Register
from svc_auth.usecases.rename_organization import RenameOrganization
from svc_auth.usecases.rotate_api_key import RotateApiKey
from svc_auth.usecases.set_member_role import SetMemberRole
from svc_auth.usecases.sign_up import SignUp
from svc_auth.usecases.transfer_ownership import TransferOwnership
from svc_auth.usecases.try_password import TryPassword
from svc_auth.usecases.validate_api_key import ValidateApiKey
from svc_auth.usecases.watch_revocations import WatchRevocations
from svc_auth.workers.last_used import LastUsed
from tests.parts import postgresql
from tests.parts.urls import POSTGRESQL, backends
from tests.svc_auth.records import RECORD

NOW_US = 1_700_000_000_123_456
LIMITS = OrganizationLimits(
    owned=3, members=5, invitations=3, invitation_lifetime=7 * 86_400_000_000
)
LIFETIMES = Lifetimes(
    tokens={"RS256": 3_600_000_000, "ES256": 120_000_000}, publish_before=600_000_000
)
LOCAL = AuthPolicy(
    known_users_only=False,
    password=PasswordRules(min_length=8, blocklist=False),
    login=LoginLimits(tries=10, longest_wait=30.0, address_tries=100, account_tries=100),
    keys_each=10,
    rotation_grace=3_600_000_000,
    organizations=LIMITS,
)
SECURE = replace(LOCAL, known_users_only=True, password=PasswordRules(min_length=8, blocklist=True))


@dataclass
class StillClock:
    now: int = NOW_US

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1_000_000


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


# Every use case's test runs over every store that there is.
@pytest.fixture(params=backends("sqlite", postgresql=POSTGRESQL))
async def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return await postgresql.store_url(request.param, tmp_path, "auth", SCHEMAS)


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[AuthStores]:
    async with STORES.open(store_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def passwords() -> Iterator[Argon2Passwords]:
    with ThreadPoolExecutor(2) as threads:
        yield Argon2Passwords(threads)


@pytest.fixture
async def keyring(store: AuthStores, clock: StillClock) -> Keyring:
    return await open_keyring(store.signing_keys, Vault("a secret of the tests"), clock, LIFETIMES)


CALLER = Caller(
    actor="cccccccc-0000-4000-8000-000000000000",
    address="192.0.2.1",
    correlation_id="c-1",
    trace_id="0af7651916cd43dd8448eb211c80319c",
)


@dataclass
class House:
    """Every use case, put together as the service does; `policy` may be changed."""

    store: AuthStores
    passwords: Argon2Passwords
    keyring: Keyring
    clock: StillClock
    policy: AuthPolicy = LOCAL
    jwt: ClientJwt = field(default_factory=ClientJwt)
    ids: RandomIds = field(default_factory=RandomIds)
    caller: Caller = CALLER

    def __post_init__(self) -> None:
        self.maker = PepperedKeys("the pepper of the tests")
        self.revocations = Broadcaster(self.clock, self.store.revocations)
        self.watcher: Watcher = self.revocations.watch()
        self.watch = WatchRevocations(
            log=self.store.revocations, watching=self.revocations, clock=self.clock
        )
        self.last_used = LastUsed(self.store.keys)
        self.minter = Minter(keyring=self.keyring, jwt=lambda: self.jwt, ids=self.ids)
        self._users()
        self._keys()
        self._orgs()

    def _users(self) -> None:
        self.register = Register(
            users=self.store.users,
            passwords=self.passwords,
            policy=lambda: self.policy,
            clock=self.clock,
            ids=self.ids,
            roles=("USER",),
        )
        self.sign_up = SignUp(register=self.register, tokens=self.minter)
        self.throttle = Throttle()
        self.password = TryPassword(
            passwords=self.passwords,
            throttle=self.throttle,
            policy=lambda: self.policy,
            clock=self.clock,
        )
        self.login = Login(
            users=self.store.users,
            password=self.password,
            tokens=self.minter,
            audit=self.store.audit,
            clock=self.clock,
        )
        self.roles = GetUserRoles(users=self.store.users)
        self.logout = Logout(
            log=self.store.revocations, revocations=self.revocations, clock=self.clock
        )
        self._changes()

    def _changes(self) -> None:
        users, clock = self.store.users, self.clock
        end = EndAccess(
            log=self.store.revocations,
            keys=self.store.signing_keys,
            revocations=self.revocations,
            clock=clock,
        )
        self.set_password = SetPassword(
            users=users,
            passwords=self.passwords,
            end=end,
            clock=clock,
        )
        self.change_password = ChangePassword(
            users=users,
            password=self.password,
            set=self.set_password,
            tokens=self.minter,
            audit=self.store.audit,
            policy=lambda: self.policy,
            clock=clock,
        )
        self.user_servicer = UserServicer(
            all_users=ListUsers(users=users),
            one=GetUser(users=users),
            disable=DisableUser(users=users, end=end, clock=clock),
            enable=EnableUser(users=users, clock=clock),
            grant=GrantRole(users=users, clock=clock),
            revoke=RevokeRole(users=users, end=end, clock=clock),
            reset=ResetPassword(users=users, set=self.set_password, policy=lambda: self.policy),
        )
        self.read_audit_log = ReadAuditLog(audit=self.store.audit)

    def _keys(self) -> None:
        self.create = CreateApiKey(
            users=self.store.users,
            keys=self.store.keys,
            maker=self.maker,
            policy=lambda: self.policy,
            clock=self.clock,
            ids=self.ids,
        )
        self.keys = ListApiKeys(keys=self.store.keys)
        self.delete = DeleteApiKey(
            keys=self.store.keys, revocations=self.revocations, clock=self.clock
        )
        self.rotate = RotateApiKey(
            keys=self.store.keys,
            maker=self.maker,
            revocations=self.revocations,
            policy=lambda: self.policy,
            clock=self.clock,
            ids=self.ids,
        )
        self.validate = ValidateApiKey(
            keys=self.store.keys,
            maker=self.maker,
            use=self.last_used,
            policy=lambda: self.policy,
            clock=self.clock,
        )
        self.exchange = ExchangeApiKey(validate=self.validate, tokens=self.minter, clock=self.clock)

    def _orgs(self) -> None:
        organizations, memberships = self.store.organizations, self.store.memberships
        self.put = PutMember(
            users=self.store.users,
            memberships=memberships,
            revocations=self.revocations,
            policy=lambda: self.policy,
            clock=self.clock,
        )
        changes: Any = {
            "memberships": memberships,
            "revocations": self.revocations,
            "clock": self.clock,
        }
        self.remove = DeleteMember(**changes)
        self.set_role = SetMemberRole(**changes)
        self.transfer = TransferOwnership(**changes)
        self.standing = GetMembership(memberships=memberships)
        self.create_org = CreateOrganization(
            organizations=organizations,
            policy=lambda: self.policy,
            clock=self.clock,
            ids=self.ids,
        )
        self.find_org = GetOrganization(organizations=organizations)
        self.orgs_of = ListOrganizations(organizations=organizations)
        self.rename_org = RenameOrganization(organizations=organizations, clock=self.clock)
        self.members_of = ListMembers(memberships=memberships, organization=self.find_org)
        self._invitations()

    def _invitations(self) -> None:
        self.invite = InviteMember(
            invitations=self.store.invitations,
            opaque=OpaqueTexts(),
            policy=lambda: self.policy,
            clock=self.clock,
            ids=self.ids,
        )
        self.invitations = ListInvitations(
            invitations=self.store.invitations, organization=self.find_org, clock=self.clock
        )
        self.withdraw = DeleteInvitation(invitations=self.store.invitations, clock=self.clock)
        self.accept = AcceptInvitation(
            users=self.store.users,
            invitations=self.store.invitations,
            organization=self.find_org,
            revocations=self.revocations,
            opaque=OpaqueTexts(),
            policy=lambda: self.policy,
            clock=self.clock,
        )

    async def told(self) -> list[tuple[Kind, str]]:
        """What has been revoked since the last time."""
        await self.revocations.poll()
        heard: list[Revocation] = list(self.watcher._pending)
        self.watcher._pending.clear()
        return [(said.kind, said.subject) for said in heard if said.kind is not Kind.HEARTBEAT]

    async def audited(self) -> list[AuditEntry]:
        """The audit log, oldest first, without the keys that were made at the start."""
        lines = await self.store.audit.lines(AuditQuery(), before=None, limit=1000)
        entries = [line.entry for line in reversed(lines)]
        return [one for one in entries if one.action is not Action.SIGNING_KEY_MADE]

    async def alice(self) -> Any:
        return await self.register(
            self.caller, username="alice", email="alice@example.com", password="correct horse"
        )

    def by(self, user_id: str) -> Caller:
        """This user as the caller; an empty id is nobody."""
        return replace(self.caller, actor=user_id or ANYBODY)

    async def user(self, name: str) -> Any:
        """A registered user, whose password is nobody's business and not hashed."""
        user = User(
            id=self.ids.new(),
            username=name,
            email=f"{name}@example.com",
            roles=("USER",),
            created_at=self.clock.now,
        )
        assert await self.store.users.add_user(user, "no hash", Record(entry=RECORD.entry)) is None
        return user


@pytest.fixture
async def house(
    store: AuthStores, passwords: Argon2Passwords, keyring: Keyring, clock: StillClock
) -> House:
    house = House(store=store, passwords=passwords, keyring=keyring, clock=clock)
    await house.revocations.poll()
    return house


@pytest.fixture
def secure() -> AuthPolicy:
    return SECURE


@pytest.fixture
def refusal() -> Callable[[Any], Any]:
    """The reason's name and the field that an awaitable is refused with."""

    async def refused(work: Any) -> tuple[str, str]:
        with pytest.raises(AppError) as caught:
            await work
        fields = [violation.field for violation in caught.value.violations]
        return caught.value.outcome.name, ",".join(fields)

    return refused
