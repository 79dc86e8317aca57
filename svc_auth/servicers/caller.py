"""Who calls, as use cases write it down."""

from mesh.rpc.call import Call
from svc_auth.domain.caller import ANYBODY, Caller


def caller_of(call: Call) -> Caller:
    """The verified user, and what surrounds the call."""
    return Caller(
        actor=call.principal.user_id or ANYBODY,
        api_key_id=call.principal.api_key_id,
        address=call.client_address,
        correlation_id=call.correlation_id,
        trace_id=call.trace_id,
    )
