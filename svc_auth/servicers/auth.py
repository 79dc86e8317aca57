"""leaky.auth.v1.AuthService."""

from dataclasses import dataclass
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import auth_service_pb2
from leaky.auth.v1.auth_service_pb2 import (
    ChangePasswordRequest,
    ChangePasswordResponse,
    GetHealthRequest,
    GetHealthResponse,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    RegisterRequest,
    RegisterResponse,
)
from leaky.common.v1.health_pb2 import ServiceHealth
from mesh.clock import Clock
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_auth.metrics import LOGINS, REGISTRATIONS, counted
from svc_auth.servicers.caller import caller_of
from svc_auth.usecases.change_password import ChangePassword
from svc_auth.usecases.login import Login
from svc_auth.usecases.logout import Logout
from svc_auth.usecases.sign_up import SignUp

PUBLIC_NAME = "auth-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthServicer:
    """Users and their sessions."""

    SERVICE: ClassVar[ServiceDescriptor] = auth_service_pb2.DESCRIPTOR.services_by_name[
        "AuthService"
    ]
    sign_up: SignUp
    sign_in: Login
    sign_out: Logout
    change: ChangePassword
    clock: Clock

    async def register(self, request: RegisterRequest, call: Call) -> RegisterResponse:
        """Makes a user and signs it in."""
        with counted(REGISTRATIONS):
            user, token = await self.sign_up(
                caller_of(call),
                username=request.username,
                email=request.email,
                password=request.password,
            )
        return RegisterResponse(
            user_id=user.id,
            username=user.username,
            email=user.email,
            token=token.text,
            roles=user.roles,
            created_at=timestamp(user.created_at),
        )

    async def login(self, request: LoginRequest, call: Call) -> LoginResponse:
        """Exchanges a password for a token."""
        with counted(LOGINS):
            user, token = await self.sign_in(
                caller_of(call), username=request.username, password=request.password
            )
        return LoginResponse(
            user_id=user.id,
            username=user.username,
            token=token.text,
            roles=user.roles,
            expires_at=timestamp(token.expires_at),
        )

    async def change_password(
        self, request: ChangePasswordRequest, call: Call
    ) -> ChangePasswordResponse:
        """Gives the calling user another password."""
        token = await self.change(
            caller_of(call), current=request.current_password, new=request.new_password
        )
        return ChangePasswordResponse(token=token.text, expires_at=timestamp(token.expires_at))

    async def logout(self, _request: LogoutRequest, call: Call) -> LogoutResponse:
        """Ends the calling session."""
        who = call.principal
        await self.sign_out(caller_of(call), token_id=who.token_id, expires_at=who.until_us)
        return LogoutResponse()

    async def get_health(self, _request: GetHealthRequest, _call: Call) -> GetHealthResponse:
        """Says that the service answers."""
        now = timestamp(self.clock.now_us())
        health = ServiceHealth(service=PUBLIC_NAME, status="ok", timestamp=now)
        return GetHealthResponse(health=health)
