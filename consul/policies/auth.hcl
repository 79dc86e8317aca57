# svc_auth: registers itself, finds those it calls, reads its own settings.

service "auth" {
  policy = "write"
}

# Where an instance is, is told with its node.
node_prefix "" {
  policy = "read"
}

key_prefix "leaky/auth/" {
  policy = "list"
}
