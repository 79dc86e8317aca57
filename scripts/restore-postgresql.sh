#!/usr/bin/env bash
# Restores what backup-postgresql.sh wrote to INPUT.
#
#   POSTGRESQL_URL=postgresql://leaky:PASSWORD@127.0.0.1:5432 scripts/restore-postgresql.sh INPUT [DATABASE...]
#
# Without names: all databases in INPUT. A database that is missing is made; one that holds any
# table already is refused, before anything is written to any. Each database is restored as a whole
# or not at all. Stop the services first; `leaky migrate` afterwards brings an older backup up to date.

# shellcheck source-path=SCRIPTDIR source=backing-up.sh
. "$(dirname "$0")/backing-up.sh"

[[ $# -ge 1 && $1 != -* ]] || usage
input=$1
shift
read_url "${POSTGRESQL_URL:-${PARTS_POSTGRESQL:?set POSTGRESQL_URL}}" 5432
export PGPASSWORD=$url_password PGHOST=$url_host PGPORT=$url_port PGUSER=$url_user PGCONNECT_TIMEOUT=10

[[ $# -gt 0 ]] || for dump in "$input"/*.dump; do set -- "$@" "$(basename "$dump" .dump)"; done
for database in "$@"; do
  [[ -r $input/$database.dump ]] || fail "there is no $input/$database.dump"
done

ask() { psql -X -At -v ON_ERROR_STOP=1 -v "database=${2:-}" -d "$1" -f -; }

missing=()
for database in "$@"; do
  if [[ -z $(ask postgres "$database" <<<"select 1 from pg_database where datname = :'database'") ]]; then
    missing+=("$database")
  elif [[ -n $(ask "$database" <<<"select 1 from pg_class where relnamespace = 'public'::regnamespace limit 1") ]]; then
    fail "$database holds tables already; nothing was restored"
  fi
done

for database in "${missing[@]}"; do
  ask postgres "$database" <<<'create database :"database"'
done
for database in "$@"; do
  echo "$name: $database"
  pg_restore --no-owner --no-privileges --exit-on-error --single-transaction \
    --dbname="$database" "$input/$database.dump"
done
