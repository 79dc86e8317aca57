"""The runtime every service stands on; knows no service and no business word."""

import os

# gRPC's core prints past our logs, among other things a line for each stranger without a
# certificate. Read when grpc is imported, which everybody does after this.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
