"""What svc_auth says of users, remembered for a while."""

from collections import OrderedDict

from leaky.auth.v1.credential_service_pb2 import GetUserRolesRequest, GetUserRolesResponse
from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.clock import Clock
from mesh.errors import AppError
from mesh.rpc.channel import Channel
from mesh.rpc.method import rpc

_GET = rpc(GetUserRolesRequest, GetUserRolesResponse)
FRESH_SECONDS = 10.0
MOST = 50_000


class GrpcRoles:
    """Asks at most every ten seconds a user; while svc_auth is away the last answer counts."""

    def __init__(self, auth: Channel, clock: Clock) -> None:
        self._auth = auth
        self._clock = clock
        self._known: OrderedDict[str, tuple[frozenset[str], float]] = OrderedDict()

    async def of(self, user_id: str) -> frozenset[str]:
        """Role names; none for a user that is not known."""
        known = self._known.get(user_id)
        now = self._clock.monotonic()
        if known is not None and now < known[1]:
            return known[0]
        try:
            response = await self._auth.unary(_GET, GetUserRolesRequest(user_id=user_id))
        except AppError as error:
            if known is not None:
                return known[0]
            # Whatever it is, it is between svc_auth and us, and not the caller's 401 or 404.
            message = "the user's roles cannot be found out"
            raise AppError(REASON_UNAVAILABLE, message, retry_after=1) from error
        return self._remember(user_id, frozenset(response.roles), now)

    def _remember(self, user_id: str, roles: frozenset[str], now: float) -> frozenset[str]:
        self._known[user_id] = (roles, now + FRESH_SECONDS)
        self._known.move_to_end(user_id)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return roles
