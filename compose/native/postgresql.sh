#!/usr/bin/env bash
# PostgreSQL on loopback: install | start DIR | stop DIR | status DIR | url DIR. Port: POSTGRESQL_PORT.
# Data, log and passwords (0600) are under DIR/postgresql. The role leaky owns a database a service, and may
# create more (tests do). PostgreSQL refuses to run as root: started by root it runs as the user postgres.
# shellcheck disable=SC2034
part=postgresql
ports=(POSTGRESQL_PORT=5432)
patience=60
# Its SIGTERM waits for every client to leave; SIGINT rolls back what is open and ends.
stop_signal=INT
databases=(leaky_auth leaky_token leaky_analytics leaky_stubs)
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=shared/lifecycle.sh
. "$here/shared/lifecycle.sh"
# shellcheck source-path=SCRIPTDIR source=shared/install.sh
. "$here/shared/install.sh"

newest_bin() { printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1 | xargs dirname; }

part_install() { [[ -x $(newest_bin)/postgres ]] || install_packages postgresql-15; }

# Data written by one major version are read by no other.
find_bin() {
  bin=$(newest_bin)
  [[ ! -r $home/data/PG_VERSION ]] || bin=/usr/lib/postgresql/$(<"$home/data/PG_VERSION")/bin
  [[ -x $bin/postgres ]] || fail "the data in $home need PostgreSQL $(<"$home/data/PG_VERSION")"
}

# setpriv becomes the program (runuser would stay as its parent, with another pid).
unprivileged() {
  if ((EUID == 0)); then
    as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups --)
  else
    as_postgres=()
  fi
}

refuse_unreachable() {
  "${as_postgres[@]}" test -w "$home" && return
  local parent=$home barred=
  while [[ $parent != / ]]; do
    parent=$(dirname "$parent")
    "${as_postgres[@]}" test -x "$parent" || barred=$parent
  done
  [[ -z $barred ]] || fail "the user postgres may not enter $barred: choose another folder, or chmod o+x $barred"
  fail "the user postgres may not write in $home"
}

part_configure() {
  unprivileged
  secret "$home/password"
  secret "$home/superuser-password"
  [[ $EUID != 0 ]] || chown postgres:postgres "$home" "$home"/*password
  chmod 700 "$home"
  refuse_unreachable
  find_bin
  if [[ -r $home/data/PG_VERSION ]]; then
    wait_for_orphans
  else
    initialise
  fi
}

# The children of a server that was killed leave by themselves, and it refuses to start beside them.
wait_for_orphans() {
  local deadline=$((SECONDS + 20))
  while find /proc -mindepth 2 -maxdepth 2 -name cwd -lname "$home/data" 2>/dev/null | grep -q . &&
    ((SECONDS < deadline)); do
    sleep 0.05
  done
}

# In a folder of its own first: half a cluster must never be taken for one.
initialise() {
  say 'making the cluster'
  rm -rf "$home/data.new"
  (cd / && "${as_postgres[@]}" "$bin/initdb" -D "$home/data.new" -U postgres -E UTF8 --locale=C.UTF-8 \
    --auth=scram-sha-256 --pwfile="$home/superuser-password") >>"$home/log" 2>&1 || give_up 'initdb failed'
  mv "$home/data.new" "$home/data"
}

part_command() {
  unprivileged
  find_bin
  mark=$home/data
  command=("${as_postgres[@]}" "$bin/postgres" -D "$mark" -p "$port" -c listen_addresses=127.0.0.1
    -c unix_socket_directories= -c max_connections=200)
}

# psql_as ROLE PASSWORD-FILE ARGUMENT...
psql_as() {
  PGPASSWORD=$(<"$2") PGCONNECT_TIMEOUT=5 psql -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U "$1" "${@:3}"
}

part_answers() { [[ $(psql_as postgres "$home/superuser-password" -d postgres -Atc 'select 1' 2>/dev/null) == 1 ]]; }

part_ready() {
  local database
  {
    echo "select 'create role leaky' where not exists (select from pg_roles where rolname = 'leaky') \\gexec"
    echo "alter role leaky login createdb nosuperuser password '$(<"$home/password")';"
    for database in "${databases[@]}"; do
      echo "select 'create database $database owner leaky'
        where not exists (select from pg_database where datname = '$database') \\gexec"
    done
  } | psql_as postgres "$home/superuser-password" -d postgres || give_up 'could not make its role and databases'
}

part_url() { echo "PARTS_POSTGRESQL=postgresql://leaky:$(<"$home/password")@127.0.0.1:$port"; }

run "$@"
