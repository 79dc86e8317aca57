# svc_analytics: registers itself, finds those it calls, reads its own settings.

service "analytics" {
  policy = "write"
}

service "auth" {
  policy = "read"
}

# Where an instance is, is told with its node.
node_prefix "" {
  policy = "read"
}

key_prefix "leaky/analytics/" {
  policy = "list"
}
