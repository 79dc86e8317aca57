"""What both ends of a connection agree on."""

# A refusal that names many fields travels in the trailers, past gRPC's 8 KiB.
SIZES = (
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.absolute_max_metadata_size", 128 * 1024),
)
# A client pings a quiet connection this often; a server puts up with that.
KEEPALIVE_MS = 20_000
# Who has not answered a ping by then is gone, and its calls with it.
ANSWER_MS = 5_000
