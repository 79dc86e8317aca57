# svc_token: registers itself, finds those it calls, reads its own settings.

service "token" {
  policy = "write"
}

service "auth" {
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

key_prefix "leaky/token/" {
  policy = "list"
}
