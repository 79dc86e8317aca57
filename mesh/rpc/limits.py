"""What both ends of a connection agree on."""

# A refusal that names many fields travels in the trailers, past gRPC's 8 KiB.
SIZES = (
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.absolute_max_metadata_size", 128 * 1024),
)
# Either end pings a quiet connection this often; a server puts up with that.
KEEPALIVE_MS = 20_000
# Who has not answered a ping by then is gone, and its calls with it.
ANSWER_MS = 5_000
KEEPALIVE = (
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", ANSWER_MS),
    # gRPC never starts that timer (grpc/grpc#39239): what ends a connection whose peer stands
    # still is the limit of any ping, a minute unless set.
    ("grpc.http2.ping_timeout_ms", ANSWER_MS),
    # Else a stream on which nothing is said is asked about only twice, and then once a minute.
    ("grpc.http2.max_pings_without_data", 0),
)
