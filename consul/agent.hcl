# A Consul server that is a cluster of its own, for one machine.
# Ports, addresses, the data folder and the first token come from who starts it.

server           = true
bootstrap_expect = 1
datacenter       = "dc1"
log_level        = "warn"

# A cluster of one has nobody to be slow for.
performance {
  raft_multiplier = 1
}

acl {
  enabled        = true
  default_policy = "deny"
  # What a token was allowed goes on while the servers cannot be asked.
  down_policy = "extend-cache"
  # The agent's own token, set over the API, is still there after a restart.
  enable_token_persistence = true
  # Without it a folder of KV that may not be read looks empty instead of refused,
  # and a service would run on its defaults.
  enable_key_list_policy = true
}

connect {
  enabled = true
}

ui_config {
  enabled = true
}

# Checks are gRPC calls that services register; none runs a command here.
enable_script_checks       = false
enable_local_script_checks = false
check_output_max_size      = 512

limits {
  # Each watch of each service holds a connection: 200, the default, are soon had on one machine.
  http_max_conns_per_client = 1000
}

disable_update_check = true
