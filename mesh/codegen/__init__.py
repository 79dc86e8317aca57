"""What `make gen` runs: protobuf code, typing and the client SDK, all from proto/."""
