"""Whether something may be given to a user that nobody has registered."""

from leaky.common.v1.reason_pb2 import REASON_USER_NOT_FOUND
from mesh.errors import AppError
from svc_auth.domain.policy import AuthPolicy
from svc_auth.ports import Users


async def require_user(users: Users, user_id: str, policy: AuthPolicy) -> None:
    """AppError USER_NOT_FOUND for an unknown user, where the policy asks for known ones."""
    if policy.known_users_only and await users.find_user(user_id) is None:
        raise AppError(REASON_USER_NOT_FOUND, "user not found")
