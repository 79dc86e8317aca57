#!/usr/bin/env bash
# Redis on loopback: install | start DIR | stop DIR | status DIR | url DIR. Port: REDIS_PORT.
# Data, configuration, log and password (0600) are under DIR/redis.
# shellcheck disable=SC2034
part=redis
ports=(REDIS_PORT=6379)
patience=30
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=shared/lifecycle.sh
. "$here/shared/lifecycle.sh"
# shellcheck source-path=SCRIPTDIR source=shared/install.sh
. "$here/shared/install.sh"

part_install() {
  if ! command -v redis-server redis-cli >/dev/null; then install_packages redis-server redis-tools; fi
}

part_configure() {
  mkdir -p "$home/data"
  chmod 700 "$home"
  secret "$home/password"
  (umask 077 && configuration >"$home/redis.conf")
}

configuration() {
  cat <<CONF
bind 127.0.0.1
port $port
requirepass $(<"$home/password")
dir $home/data
# A corner each for the systems of all tests that run at once.
databases 64
# A second of writes at most is lost when the machine dies, none when only the process does.
appendonly yes
appendfsync everysec
save ""
# A backup is the only one that asks for a snapshot: it waits for no second.
repl-diskless-sync-delay 0
# Rate buckets and windows must never be forgotten to make room: a write is refused instead.
maxmemory-policy noeviction
# The command line must keep naming this file: it is how a pid is known to be this server.
set-proc-title no
CONF
}

part_command() {
  mark=$home/redis.conf
  command=(redis-server "$mark")
}

# The password travels in the environment, not in arguments that anybody can list.
part_answers() {
  [[ $(REDISCLI_AUTH=$(<"$home/password") timeout 5 redis-cli -h 127.0.0.1 -p "$port" ping 2>/dev/null) == PONG ]]
}

part_url() { echo "PARTS_REDIS=redis://:$(<"$home/password")@127.0.0.1:$port"; }

run "$@"
