#!/usr/bin/env bash
# Makes the secrets that compose/full.yaml and compose/observability.yaml mount, once:
#
#   compose/secrets.sh [DIR]      DIR is compose/secrets unless given; git ignores it
#
# What is there stays, so that it may be run again. The folder lets only its owner in. The files
# inside are readable to all, because a container reads a mounted file under a user of its own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
folder=${1:-$here/secrets}
services=(auth token)

install -d -m 0700 "$folder"

# write NAME MODE: stdin, whole or not at all; a file that is there stays.
write() {
  # Read to its end either way: who writes into a closed pipe has failed.
  if [[ -e $folder/$1 ]]; then cat >/dev/null; return; fi
  cat >"$folder/.$1.new"
  chmod "$2" "$folder/.$1.new"
  mv "$folder/.$1.new" "$folder/$1"
  echo "made $1"
}
# Letters and digits alone, for they stand in URLs and in configuration files.
random() { head -c 128 /dev/urandom | base64 | LC_ALL=C tr -dc 'A-Za-z0-9' | cut -c -40 | tr -d '\n'; }
secret() { random | write "$1" 0444; }
of() { cat "$folder/$1"; }

secret postgresql
for name in "${services[@]}"; do secret "postgresql-$name"; done
secret redis
secret mesh
secret pepper
secret keys
secret actuator
secret grafana
tr -d '\n' </proc/sys/kernel/random/uuid | write consul 0444

printf 'requirepass %s\n' "$(of redis)" | write redis.conf 0444
printf 'acl { tokens { initial_management = "%s", agent = "%s" } }\n' "$(of consul)" "$(of consul)" \
  | write consul.hcl 0444

# What services read from their environment; compose reads these files, no container does.
env_of() { printf 'LEAKY_ACTUATOR_TOKEN=%s\n' "$(of actuator)"; }
store() { printf 'LEAKY_%s_STORE=postgresql://leaky_%s:%s@postgresql:5432/leaky_%s\n' \
  "${1^^}" "$1" "$(of "postgresql-$1")" "$1"; }
redis() { printf '%s=redis://:%s@redis:6379\n' "$1" "$(of redis)"; }
{
  env_of
  printf 'LEAKY_MESH_SECRET=%s\n' "$(of mesh)"
  redis LEAKY_GATEWAY_RATE_LIMIT_STORE
} | write gateway.env 0600
{
  env_of
  store auth
  printf 'LEAKY_AUTH_API_KEY_PEPPER=%s\nLEAKY_AUTH_KEYS_ENCRYPTION_KEY=%s\n' "$(of pepper)" "$(of keys)"
} | write auth.env 0600
{
  env_of
  store token
  redis LEAKY_TOKEN_BUCKET_STORE
} | write token.env 0600
env_of | write analytics.env 0600
env_of | write stubs.env 0600
{
  store auth
  store token
} | write migrate.env 0600
