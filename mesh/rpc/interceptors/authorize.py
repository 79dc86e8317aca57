"""Lets through only what the policy allows."""

from typing import Any

from mesh.identity.policy import Policy
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Handler


class Authorize:
    """Asks the policy before the handler runs; the request's fields are valid by then."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    async def __call__(self, request: Any, call: Call, proceed: Handler) -> Any:
        """Proceeds, unless the policy raises."""
        await self._policy.check(request, call)
        return await proceed(request, call)
