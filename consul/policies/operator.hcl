# Who looks after the system: changes settings, sees the rest, and the UI's pages.

key_prefix "leaky/" {
  policy = "write"
}

service_prefix "" {
  policy     = "read"
  intentions = "read"
}

node_prefix "" {
  policy = "read"
}

agent_prefix "" {
  policy = "read"
}

operator = "read"
