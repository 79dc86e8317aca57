"""Lets through only what the policy allows."""

from collections.abc import Awaitable
from typing import Any

from mesh.identity.policy import Policy
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Handler


class Admit:
    """Turns away who may not use the method at all, before anything of the request is told."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __call__(self, request: Any, call: Call, proceed: Handler) -> Awaitable[Any]:
        """Proceeds, unless the policy raises."""
        self._policy.admit(call)
        return proceed(request, call)


class Authorize:
    """Asks whose data the request names; its fields are valid by then."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __call__(self, request: Any, call: Call, proceed: Handler) -> Awaitable[Any]:
        """Proceeds, unless the policy raises."""
        asking = self._policy.check(request, call)
        if asking is None:
            return proceed(request, call)
        return _allowed(asking, request, call, proceed)


async def _allowed(asking: Awaitable[None], request: Any, call: Call, proceed: Handler) -> Any:
    await asking
    return await proceed(request, call)
