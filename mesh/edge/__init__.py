"""REST at the door, gRPC behind it: transcoding compiled from descriptors."""
