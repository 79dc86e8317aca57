# The Consul agent itself: keeps its node in the catalogue.

node_prefix "" {
  policy = "write"
}

service_prefix "" {
  policy = "read"
}
