"""The SDK's hand-written half, copied as it is into `leaky.client._runtime`.

It knows no service: endpoints, messages and reasons are generated around it.
Decisions (deadline, retry, errors) are in `attempts`, without I/O; the async
and the sync connection differ only in how they send and sleep.
"""
