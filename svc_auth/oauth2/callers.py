"""Who sends a request, as use cases write it down."""

from starlette.requests import Request

from mesh.edge import address, trace
from svc_auth.domain.caller import ANYBODY, Caller


def caller_of(request: Request, actor: str = ANYBODY) -> Caller:
    """The actor, and what surrounds the request."""
    story = request.scope[trace.SCOPE_KEY]
    return Caller(
        actor=actor,
        address=request.scope[address.SCOPE_KEY],
        correlation_id=story.correlation_id,
        trace_id=story.trace_id,
    )
