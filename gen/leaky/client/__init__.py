"""A typed client of Leaky Tokens, speaking REST; see AsyncClient and Client.

Generated from proto/ by `make gen`; not to be edited.
"""

from . import errors, models
from ._runtime.headers import Trace
from ._runtime.retry import RetryPolicy
from ._version import __version__
from .client import AsyncClient, Client
from .errors import DeadlineExceeded, LeakyError

__all__ = [
    "AsyncClient",
    "Client",
    "DeadlineExceeded",
    "LeakyError",
    "RetryPolicy",
    "Trace",
    "__version__",
    "errors",
    "models",
]
