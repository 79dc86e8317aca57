"""Who plays in the access matrix, and what they own."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from leaky.analytics.v1.usage_event_pb2 import UsageEvent
from leaky.auth.v1.invitation_service_pb2 import CreateInvitationRequest
from leaky.auth.v1.oauth_client_service_pb2 import CreateOauthClientRequest
from leaky.auth.v1.organization_service_pb2 import PutMemberRequest, SetMemberRoleRequest
from leaky.provider.v1.payment_service_pb2 import AuthorizePaymentRequest
from leaky.token.v1.member_cap_service_pb2 import SetMemberCapRequest
from leaky.token.v1.metering_service_pb2 import ReserveRequest
from mesh.identity.scopes import SCOPES
from tests.e2e.consenting import CALLBACK, Consenting
from tests.e2e.matrix import CERTIFICATE, GRPC, Doors, Headers, Names
from tests.e2e.system import System, until

PASSWORD = "trombone lantern gravel 7"
# Reached only on failure.
LATE_SECONDS = 60
# What is asked about Ada's organisation, and leaves it as it is or can be repeated.
ABOUT_THE_ORG = (
    "UpdateOrgQuota",
    "GetOrgQuota",
    "PutMember",
    "DeleteMember",
    "SetMemberRole",
    "GetOrganization",
    "RenameOrganization",
    "ListMembers",
    "CreateInvitation",
    "ListInvitations",
    "DeleteInvitation",
    "ListMemberCaps",
    "SetMemberCap",
    "RemoveMemberCap",
)
DONE_TO_USERS = ("DisableUser", "EnableUser", "GrantRole", "RevokeRole", "ResetPassword")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user with a session and an API key."""

    id: str
    username: str
    token: str
    key: str

    @property
    def bearer(self) -> Headers:
        """Signed in."""
        return {"authorization": f"Bearer {self.token}"}

    @property
    def api_key(self) -> Headers:
        """With its key."""
        return {"x-api-key": self.key}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Ada owns the organisation, Carol is a member, Erin is for billing, Bob is none of these;
    Dave comes and goes. Grace is whom administrators do things to, Frank is disabled.
    """

    system: System
    doors: Doors
    ada: Person
    bob: Person
    carol: Person
    dave: Person
    erin: Person
    frank: Person
    grace: Person
    admin: Person
    # Keys of Ada's that have all scopes but one; "" is the one that has all.
    without: Mapping[str, Headers]
    # One of an ADMIN's that has all scopes.
    admin_with_scopes: Headers
    # One of Ada's for a provider that nobody has.
    elsewhere: Headers
    org: str
    saga: str
    adas_browser: Consenting

    def names(self, **more: Any) -> Names:
        """What requests name when they speak of Ada and what is hers."""
        return {
            "user_id": self.ada.id,
            "saga_id": self.saga,
            "provider": "openai",
            "tokens": 1,
            "api_key": self.ada.key,
            "LoginRequest.username": self.ada.username,
            "LoginRequest.password": PASSWORD,
            "RegisterRequest.password": PASSWORD,
            "CreateOrgQuotaRequest.org_id": lambda: str(uuid.uuid4()),
            **{f"{request}Request.org_id": self.org for request in ABOUT_THE_ORG},
            "PutMemberRequest.user_id": self.dave.id,
            "DeleteMemberRequest.user_id": self.member,
            "UpdateOrgQuotaRequest.total_tokens": 10_000,
            "SetMemberRoleRequest.user_id": self.member,
            "role": "BILLING",
            "LeaveOrganizationRequest.org_id": self.crowd,
            "TransferOwnershipRequest.org_id": self.crowd,
            "DeleteInvitationRequest.invitation_id": self.invitation,
            "AcceptInvitationRequest.token": self.invited,
            "RemoveMemberCapRequest.user_id": self.capped,
            "SettleRequest.id": self.reservation,
            "ReleaseRequest.id": self.reservation,
            "GetReservationRequest.id": self.reservation,
            "RequeueParkedRequest.all": True,
            "api_key_id": self.spare_key,
            **{f"{name}Request.user_id": self.grace.id for name in DONE_TO_USERS},
            "GrantRoleRequest.role": "TESTER",
            "RevokeRoleRequest.role": "TESTER",
            "ResetPasswordRequest.password": PASSWORD,
            "CreateOauthClientRequest.scopes": ["openid"],
            "CreateOauthClientRequest.redirect_uris": [CALLBACK],
            "CreateOauthClientRequest.post_logout_redirect_uris": [CALLBACK],
            "RotateOauthClientSecretRequest.client_id": self.application,
            "DeleteOauthClientRequest.client_id": self.application,
            "DeleteOauthConsentRequest.client_id": self.allowed,
            "current_password": PASSWORD,
            "new_password": PASSWORD,
            "PublishUsageRequest.events": [event(self.ada.id)],
            "CapturePaymentRequest.id": self.payment,
            "VoidPaymentRequest.id": self.payment,
            "GetPaymentRequest.id": self.payment,
            **more,
        }

    def fixed_names(self, **more: Any) -> Names:
        """The same, with what is made for each request made once."""
        named = self.names(**more)
        return {name: value() if callable(value) else value for name, value in named.items()}

    def member(self) -> str:
        """Dave, who is a member from now on."""
        request = PutMemberRequest(org_id=self.org, user_id=self.dave.id)
        assert self.doors.ask(GRPC, request, self.admin.bearer).status == 200
        return self.dave.id

    def capped(self) -> str:
        """Ada, whose share of the organisation's tokens has a cap from now on."""
        request = SetMemberCapRequest(
            org_id=self.org, user_id=self.ada.id, provider="openai", max_tokens=1_000_000
        )
        assert self.doors.ask(GRPC, request, self.admin.bearer).status == 200
        return self.ada.id

    def crowd(self) -> str:
        """Another organisation, in which everybody but Bob and Dave is and Ada owns, too."""
        org = str(uuid.uuid4())
        for one in (self.admin, self.ada, self.carol, self.erin):
            request = PutMemberRequest(org_id=org, user_id=one.id)
            assert self.doors.ask(GRPC, request, self.admin.bearer).status == 200
        owns = SetMemberRoleRequest(org_id=org, user_id=self.ada.id, role="OWNER")
        assert self.doors.ask(GRPC, owns, self.admin.bearer).status == 200
        return org

    def invitation(self) -> str:
        """The id of an open invitation into the organisation."""
        return str(self._invite(self.org, f"{uuid.uuid4().hex}@example.com").id)

    def invited(self) -> str:
        """A token that invites Ada into an organisation that she is not in."""
        org = str(uuid.uuid4())
        request = PutMemberRequest(org_id=org, user_id=self.admin.id)
        assert self.doors.ask(GRPC, request, self.admin.bearer).status == 200
        return str(self._invite(org, f"{self.ada.username}@example.com").token)

    def _invite(self, org: str, email: str) -> Any:
        request = CreateInvitationRequest(org_id=org, email=email, role="MEMBER")
        answer = self.doors.ask(GRPC, request, self.admin.bearer)
        assert answer.status == 200, answer
        return answer.body.invitation

    def reservation(self) -> str:
        """One of Ada's, which nobody has ended."""
        request = ReserveRequest(
            id=str(uuid.uuid4()),
            user_id=self.ada.id,
            provider="openai",
            tokens=1,
            ttl_seconds=3600,
        )
        assert self.doors.ask(GRPC, request, self.ada.bearer).status == 200
        return request.id

    def spare_key(self) -> str:
        """The id of a key of Ada's that nobody needs."""
        return str(new_key(self.doors.http, self.ada.id, self.ada.bearer)["id"])

    def application(self) -> str:
        """The id of an OAuth2 client that nobody needs."""
        request = CreateOauthClientRequest(
            name="An application",
            redirect_uris=[CALLBACK],
            scopes=["openid"],
        )
        answer = self.doors.ask(GRPC, request, self.admin.bearer)
        assert answer.status == 200, answer
        return str(answer.body.client.client_id)

    def allowed(self) -> str:
        """The id of an OAuth2 client that Ada has allowed something."""
        client_id = self.application()
        self.adas_browser.allow(client_id)
        return client_id

    def newcomer(self) -> Person:
        """Somebody whose sessions may end."""
        return registered(self.doors.http)

    def payment(self) -> str:
        """A payment that is authorised."""
        request = AuthorizePaymentRequest(id=str(uuid.uuid4()), tokens=1)
        assert self.doors.ask(GRPC, request, self.service("token")).status == 200
        return request.id

    def service(self, name: str) -> Headers:
        """What a service proves itself with, which over REST is nothing."""
        return {CERTIFICATE: name}


def assemble(system: System, doors: Doors) -> Cast:
    """Everybody, with a pool, an organisation and a finished purchase."""
    make_admin(system, "root-1")
    http, org = doors.http, str(uuid.uuid4())
    admin = signed_in(http, "root-1")
    ada, bob, carol, dave, erin, frank, grace = map(registered, [http] * 7)
    for one in (ada, carol, erin):
        put = http.put(f"/api/v1/orgs/{org}/members/{one.id}", headers=admin.bearer)
        assert put.status_code == 204, put.text
    role = http.put(
        f"/api/v1/orgs/{org}/members/{erin.id}/role", json={"role": "BILLING"}, headers=admin.bearer
    )
    assert role.status_code == 204, role.text
    pool = {"orgId": org, "provider": "openai", "totalTokens": 10_000}
    assert http.post("/api/v1/tokens/quota/org", json=pool, headers=admin.bearer).is_success
    order = {"userId": ada.id, "provider": "openai", "tokens": 5}
    bought = http.post("/api/v1/tokens/purchase", json=order, headers=ada.bearer).json()
    saga = f"/api/v1/tokens/purchase/{bought['sagaId']}"
    until(lambda: _completed(http, saga, ada), LATE_SECONDS)
    stop = f"/api/v1/users/{frank.id}/disable"
    assert http.post(stop, headers=admin.bearer).status_code == 204
    mine = f"/api/v1/auth/api-keys?userId={frank.id}"
    until(lambda: http.get(mine, headers=frank.bearer).status_code == 401, LATE_SECONDS)

    def limited(who: Person, **limits: Any) -> Headers:
        return {"x-api-key": new_key(http, who.id, who.bearer, **limits)["rawKey"]}

    return Cast(
        system=system,
        doors=doors,
        ada=ada,
        bob=bob,
        carol=carol,
        dave=dave,
        erin=erin,
        frank=frank,
        grace=grace,
        without={
            scope: limited(ada, scopes=[one for one in SCOPES if one != scope])
            for scope in ("", *SCOPES)
        },
        admin_with_scopes=limited(admin, scopes=list(SCOPES)),
        elsewhere=limited(ada, providers=["nowhere"]),
        admin=admin,
        org=org,
        saga=bought["sagaId"],
        adas_browser=Consenting(system, ada.username, PASSWORD),
    )


def _completed(http: httpx.Client, path: str, who: Person) -> bool:
    return bool(http.get(path, headers=who.bearer).json()["status"] == "COMPLETED")


def make_admin(system: System, name: str) -> None:
    """An administrator, as an operator makes one."""
    made = system.leaky(
        *("admin", "create", "--username", name, "--email", f"{name}@example.com"),
        "--password-stdin",
        stdin=f"{PASSWORD}\n",
    )
    assert made.returncode == 0, made.stderr


def login(http: httpx.Client, name: str, password: str = PASSWORD) -> httpx.Response:
    """Signs in, or fails to."""
    return http.post("/api/v1/auth/login", json={"username": name, "password": password})


def registered(http: httpx.Client) -> Person:
    """Somebody new."""
    name = f"u-{uuid.uuid4().hex[:12]}"
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    made = http.post("/api/v1/auth/register", json=body)
    assert made.status_code == 201, made.text
    return _with_key(http, name, made.json())


def signed_in(http: httpx.Client, name: str) -> Person:
    """Somebody who is there already, with a new key."""
    return _with_key(http, name, login(http, name).json())


def _with_key(http: httpx.Client, name: str, session: Mapping[str, str]) -> Person:
    user, token = session["userId"], session["token"]
    key = new_key(http, user, {"authorization": f"Bearer {token}"})["rawKey"]
    return Person(id=user, username=name, token=token, key=key)


def new_key(http: httpx.Client, user: str, credential: Headers, **limits: Any) -> dict[str, Any]:
    """A new API key, as it is shown once."""
    body = {"userId": user, "name": "laptop", **limits}
    made = http.post("/api/v1/auth/api-keys", json=body, headers=credential)
    assert made.status_code == 201, made.text
    shown: dict[str, Any] = made.json()
    return shown


def ended_session(cast: Cast) -> Headers:
    """A token of Ada's that she has logged out with."""
    http = cast.doors.http
    token = login(http, cast.ada.username).json()["token"]
    held = {"authorization": f"Bearer {token}"}
    assert http.post("/api/v1/auth/logout", headers=held).status_code == 204
    mine = f"/api/v1/auth/api-keys?userId={cast.ada.id}"
    until(lambda: http.get(mine, headers=held).status_code == 401, LATE_SECONDS)
    return held


def event(user: str) -> UsageEvent:
    """A use of tokens that never was."""
    made = UsageEvent(event_id=str(uuid.uuid4()), user_id=user, provider="openai", tokens=1)
    made.allowed, made.schema_version = True, 1
    made.timestamp.GetCurrentTime()
    return made
