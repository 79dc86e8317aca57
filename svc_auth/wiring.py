"""Puts auth together; the only file that names concrete classes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from google.api import annotations_pb2
from starlette.types import ASGIApp

from mesh.edge.app import service_app
from mesh.rpc.dispatcher import Servicer
from mesh.rpc.method import Method, methods_of
from mesh.service import Context, Parts, Service
from svc_auth.blocklist import read_blocklist
from svc_auth.crypto.api_keys import PepperedKeys
from svc_auth.crypto.keyring import Keyring
from svc_auth.crypto.opaque import OpaqueTexts
from svc_auth.crypto.passwords import open_passwords
from svc_auth.crypto.proofs import KeyedProofs
from svc_auth.crypto.tokens import Minter
from svc_auth.domain.claims import SECOND
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.throttle import Throttle
from svc_auth.domain.user import USER
from svc_auth.ports import Passwords
from svc_auth.revocations import Broadcaster
from svc_auth.servicers.api_key import ApiKeyServicer
from svc_auth.servicers.audit_log import AuditLogServicer
from svc_auth.servicers.auth import AuthServicer
from svc_auth.servicers.credential import CredentialServicer
from svc_auth.servicers.invitation import InvitationServicer
from svc_auth.servicers.organization import OrganizationServicer
from svc_auth.servicers.user import UserServicer
from svc_auth.settings import AuthSettings
from svc_auth.stores import STORES
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
from svc_auth.wiring_keys import keyring_of, secrets_of
from svc_auth.wiring_oauth2 import OAuth2House, lifetimes
from svc_auth.workers.expired_grants import ExpiredGrants
from svc_auth.workers.key_rotation import Rotating
from svc_auth.workers.last_used import LastUsed

__all__ = [
    "SERVICE",
    "build",
    "keyring_of",
    "lifetimes",
    "open_passwords",
    "open_stores",
    "secrets_of",
]


def open_stores(settings: AuthSettings) -> AbstractAsyncContextManager[AuthStores]:
    """The store that the settings name, brought up to date."""
    return STORES.open(settings.store_url)


@asynccontextmanager
async def build(context: Context[AuthSettings]) -> AsyncIterator[Parts]:
    """The service's parts; secrets that are not given are made under the data folder."""
    settings = context.settings.current
    secrets = secrets_of(settings)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_stores(settings))
        house = _House(
            context=context,
            store=store,
            passwords=await stack.enter_async_context(open_passwords()),
            maker=PepperedKeys(secrets.pepper, settings.auth.api_key.previous_pepper),
            throttle=Throttle(),
            blocked=read_blocklist(settings.auth.password.blocklist_file),
            # Its instances have it in common anyway: it opens the keys in their store.
            proofs=KeyedProofs(secrets.sealing),
            keyring=await keyring_of(settings, store, context.clock),
            revocations=Broadcaster(context.clock, store.revocations),
            last_used=LastUsed(store.keys),
        )
        yield house.parts()


@dataclass(frozen=True, slots=True, kw_only=True)
class _House:
    """The pieces that use cases are made of."""

    context: Context[AuthSettings]
    store: AuthStores
    passwords: Passwords
    maker: PepperedKeys
    throttle: Throttle
    blocked: frozenset[str]
    proofs: KeyedProofs
    keyring: Keyring
    revocations: Broadcaster
    last_used: LastUsed

    def policy(self) -> AuthPolicy:
        policy = self.context.settings.current.policy
        return replace(policy, password=replace(policy.password, blocked=self.blocked))

    @property
    def minter(self) -> Minter:
        return Minter(
            keyring=self.keyring,
            jwt=lambda: self.context.settings.current.auth.jwt,
            ids=self.context.ids,
        )

    @property
    def validate(self) -> ValidateApiKey:
        return ValidateApiKey(
            keys=self.store.keys,
            maker=self.maker,
            use=self.last_used,
            policy=self.policy,
            clock=self.context.clock,
        )

    def parts(self) -> Parts:
        servicers = (
            self._auth(),
            self._users(),
            self._api_keys(),
            self._organizations(),
            self._invitations(),
            self._credentials(),
            self._oauth2().clients(),
            self._oauth2().consents(),
            AuditLogServicer(read=ReadAuditLog(audit=self.store.audit)),
        )
        return Parts(
            servicers=servicers,
            workers=(
                self.last_used.run,
                self.revocations.run,
                self._rotating().run,
                ExpiredGrants(self.store.grants, self.context.clock).run,
            ),
            http={self.context.settings.current.auth.http_port: self._app(servicers)},
            ready={"database": self.store.ping},
        )

    def _app(self, servicers: Sequence[Servicer]) -> ASGIApp:
        return service_app(
            title="Leaky Tokens: auth",
            version=version("leaky-tokens"),
            methods=[method for servicer in servicers for method in _rest(servicer)],
            channel_for=lambda _method: self.context.local,
            settings=self.context.settings,
            ready={"database": self.store.ping},
            routers=self._oauth2().routers(),
        )

    def _oauth2(self) -> OAuth2House:
        return OAuth2House(
            context=self.context,
            store=self.store,
            opaque=OpaqueTexts(),
            proofs=self.proofs,
            keyring=self.keyring,
            revocations=self.revocations,
            login=self._login(),
        )

    def _rotating(self) -> Rotating:
        keys = self.context.settings.current.auth.keys
        return Rotating(
            self.keyring,
            every=int(keys.rotate_every * SECOND),
            look_seconds=min(30.0, keys.publish_before / 4),
        )

    def _login(self) -> Login:
        return Login(
            users=self.store.users,
            password=self.password,
            tokens=self.minter,
            audit=self.store.audit,
            clock=self.context.clock,
        )

    def _auth(self) -> AuthServicer:
        clock, minter = self.context.clock, self.minter
        register = Register(
            users=self.store.users,
            passwords=self.passwords,
            policy=self.policy,
            clock=clock,
            ids=self.context.ids,
            roles=(USER,),
        )
        return AuthServicer(
            sign_up=SignUp(register=register, tokens=minter),
            sign_in=self._login(),
            sign_out=Logout(log=self.store.revocations, revocations=self.revocations, clock=clock),
            change=ChangePassword(
                users=self.store.users,
                password=self.password,
                set=self.set_password,
                tokens=minter,
                audit=self.store.audit,
                policy=self.policy,
                clock=clock,
            ),
            clock=clock,
        )

    @property
    def password(self) -> TryPassword:
        return TryPassword(
            passwords=self.passwords,
            throttle=self.throttle,
            policy=self.policy,
            clock=self.context.clock,
        )

    @property
    def end_access(self) -> EndAccess:
        return EndAccess(
            log=self.store.revocations,
            keys=self.store.signing_keys,
            revocations=self.revocations,
            clock=self.context.clock,
        )

    @property
    def set_password(self) -> SetPassword:
        return SetPassword(
            users=self.store.users,
            passwords=self.passwords,
            end=self.end_access,
            clock=self.context.clock,
        )

    def _users(self) -> UserServicer:
        users, clock, end = self.store.users, self.context.clock, self.end_access
        return UserServicer(
            all_users=ListUsers(users=users),
            one=GetUser(users=users),
            disable=DisableUser(users=users, end=end, clock=clock),
            enable=EnableUser(users=users, clock=clock),
            grant=GrantRole(users=users, clock=clock),
            revoke=RevokeRole(users=users, end=end, clock=clock),
            reset=ResetPassword(users=users, set=self.set_password, policy=self.policy),
        )

    def _api_keys(self) -> ApiKeyServicer:
        create = CreateApiKey(
            users=self.store.users,
            keys=self.store.keys,
            maker=self.maker,
            policy=self.policy,
            clock=self.context.clock,
            ids=self.context.ids,
        )
        delete = DeleteApiKey(
            keys=self.store.keys, revocations=self.revocations, clock=self.context.clock
        )
        return ApiKeyServicer(
            create=create,
            keys_of=ListApiKeys(keys=self.store.keys),
            delete=delete,
            rotate=RotateApiKey(
                keys=self.store.keys,
                maker=self.maker,
                revocations=self.revocations,
                policy=self.policy,
                clock=self.context.clock,
                ids=self.context.ids,
            ),
            validate=self.validate,
        )

    def _organizations(self) -> OrganizationServicer:
        organizations, memberships = self.store.organizations, self.store.memberships
        revocations, clock = self.revocations, self.context.clock
        find = GetOrganization(organizations=organizations)
        put = PutMember(
            users=self.store.users,
            memberships=memberships,
            revocations=revocations,
            policy=self.policy,
            clock=clock,
        )
        create = CreateOrganization(
            organizations=organizations,
            policy=self.policy,
            clock=clock,
            ids=self.context.ids,
        )
        return OrganizationServicer(
            create=create,
            find=find,
            organizations_of=ListOrganizations(organizations=organizations),
            rename=RenameOrganization(organizations=organizations, clock=clock),
            members_of=ListMembers(memberships=memberships, organization=find),
            put=put,
            set_role=SetMemberRole(memberships=memberships, revocations=revocations, clock=clock),
            delete=DeleteMember(memberships=memberships, revocations=revocations, clock=clock),
            transfer=TransferOwnership(
                memberships=memberships, revocations=revocations, clock=clock
            ),
            standing_of=GetMembership(memberships=memberships),
        )

    def _invitations(self) -> InvitationServicer:
        clock, invitations = self.context.clock, self.store.invitations
        find = GetOrganization(organizations=self.store.organizations)
        invite = InviteMember(
            invitations=invitations,
            opaque=OpaqueTexts(),
            policy=self.policy,
            clock=clock,
            ids=self.context.ids,
        )
        accept = AcceptInvitation(
            users=self.store.users,
            invitations=invitations,
            organization=find,
            revocations=self.revocations,
            opaque=OpaqueTexts(),
            policy=self.policy,
            clock=clock,
        )
        return InvitationServicer(
            invite=invite,
            invitations_of=ListInvitations(invitations=invitations, organization=find, clock=clock),
            delete=DeleteInvitation(invitations=invitations, clock=clock),
            accept=accept,
        )

    def _credentials(self) -> CredentialServicer:
        return CredentialServicer(
            exchange=ExchangeApiKey(
                validate=self.validate, tokens=self.minter, clock=self.context.clock
            ),
            roles_of=GetUserRoles(users=self.store.users),
            watch=WatchRevocations(
                log=self.store.revocations, watching=self.revocations, clock=self.context.clock
            ),
            keys=self.keyring,
        )


def _rest(servicer: Servicer) -> list[Method[Any, Any]]:
    """The methods that have a place in REST."""
    return [
        method
        for method in methods_of(servicer.SERVICE)
        if method.descriptor.GetOptions().HasExtension(annotations_pb2.http)
    ]


SERVICE = Service(name="auth", settings=AuthSettings, build=build)
