# Prometheus: finds the services, whose metrics it asks them for itself.

service "gateway" {
  policy = "read"
}

service "auth" {
  policy = "read"
}

service "token" {
  policy = "read"
}

service "analytics" {
  policy = "read"
}

service "stubs" {
  policy = "read"
}

# Where an instance is, is told with its node.
node_prefix "" {
  policy = "read"
}
