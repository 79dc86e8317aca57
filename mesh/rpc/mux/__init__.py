"""Many calls between two processes on one stream (leaky.mesh.v1.MuxService)."""
