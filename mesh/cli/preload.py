"""Imports what services have in common, for those that are forked off afterwards.

Not the services themselves: each declares its metrics as it is imported, and shows all
that are declared in its process. See mesh.cli.forks.
"""

import gc
import signal
from importlib import import_module

from setproctitle import setproctitle

from mesh.cli.forks import KEPT_FROM_FORK_SERVER

_LIBRARIES = (
    "aiohttp",
    "alembic.migration",
    "alembic.operations",
    "fastapi",
    "google.rpc.status_pb2",
    "jinja2",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.ext.asyncio",
)

# What ends a terminal's or a unit's processes all at once is for the parent alone, which drains.
# Blocked, not ignored: a fork unblocks them, and what it was sent before that is not lost.
signal.pthread_sigmask(signal.SIG_BLOCK, KEPT_FROM_FORK_SERVER)
# Here at the latest: once the environment is another, the title's place is not found.
setproctitle("leaky forks")
for _name in ("mesh.cli.foreground", "mesh.cli.serve", *_LIBRARIES):
    import_module(_name)
# What the collector never looks at is never written to, and so stays shared.
gc.collect()
gc.freeze()
