"""leaky.auth.v1.UserService."""

from dataclasses import dataclass
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import user_service_pb2
from leaky.auth.v1.user_pb2 import User as UserMessage
from leaky.auth.v1.user_service_pb2 import (
    DisableUserRequest,
    DisableUserResponse,
    EnableUserRequest,
    EnableUserResponse,
    GetUserRequest,
    GetUserResponse,
    GrantRoleRequest,
    GrantRoleResponse,
    ListUsersRequest,
    ListUsersResponse,
    ResetPasswordRequest,
    ResetPasswordResponse,
    RevokeRoleRequest,
    RevokeRoleResponse,
)
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_auth.domain.user import User
from svc_auth.servicers.caller import caller_of
from svc_auth.servicers.wire import optional_timestamp, uuid_of
from svc_auth.usecases.change_password import ResetPassword
from svc_auth.usecases.change_role import GrantRole, RevokeRole
from svc_auth.usecases.disable_user import DisableUser, EnableUser
from svc_auth.usecases.look_at_users import GetUser, ListUsers


@dataclass(frozen=True, slots=True, kw_only=True)
class UserServicer:
    """Users, as an administrator looks after them."""

    SERVICE: ClassVar[ServiceDescriptor] = user_service_pb2.DESCRIPTOR.services_by_name[
        "UserService"
    ]
    all_users: ListUsers
    one: GetUser
    disable: DisableUser
    enable: EnableUser
    grant: GrantRole
    revoke: RevokeRole
    reset: ResetPassword

    async def list_users(self, request: ListUsersRequest, _call: Call) -> ListUsersResponse:
        """A page of users."""
        users = await self.all_users(after=request.after, limit=request.limit)
        return ListUsersResponse(users=map(_message, users))

    async def get_user(self, request: GetUserRequest, _call: Call) -> GetUserResponse:
        """A user."""
        user = await self.one(user_id=uuid_of("user_id", request.user_id))
        return GetUserResponse(user=_message(user))

    async def disable_user(self, request: DisableUserRequest, call: Call) -> DisableUserResponse:
        """Ends all that a user holds."""
        await self.disable(caller_of(call), user_id=uuid_of("user_id", request.user_id))
        return DisableUserResponse()

    async def enable_user(self, request: EnableUserRequest, call: Call) -> EnableUserResponse:
        """Lets a user in again."""
        await self.enable(caller_of(call), user_id=uuid_of("user_id", request.user_id))
        return EnableUserResponse()

    async def grant_role(self, request: GrantRoleRequest, call: Call) -> GrantRoleResponse:
        """Gives a user a role."""
        user_id = uuid_of("user_id", request.user_id)
        await self.grant(caller_of(call), user_id=user_id, role=request.role)
        return GrantRoleResponse()

    async def revoke_role(self, request: RevokeRoleRequest, call: Call) -> RevokeRoleResponse:
        """Takes a role from a user."""
        user_id = uuid_of("user_id", request.user_id)
        await self.revoke(caller_of(call), user_id=user_id, role=request.role)
        return RevokeRoleResponse()

    async def reset_password(
        self, request: ResetPasswordRequest, call: Call
    ) -> ResetPasswordResponse:
        """Gives a user another password."""
        user_id = uuid_of("user_id", request.user_id)
        await self.reset(caller_of(call), user_id=user_id, password=request.password)
        return ResetPasswordResponse()


def _message(user: User) -> UserMessage:
    return UserMessage(
        id=user.id,
        username=user.username,
        email=user.email,
        roles=user.roles,
        created_at=timestamp(user.created_at),
        disabled_at=optional_timestamp(user.disabled_at),
    )
