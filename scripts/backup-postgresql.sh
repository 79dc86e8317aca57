#!/usr/bin/env bash
# Backs up databases of PostgreSQL, each into OUTPUT/NAME.dump (pg_dump's custom format).
#
#   POSTGRESQL_URL=postgresql://leaky:PASSWORD@127.0.0.1:5432 scripts/backup-postgresql.sh OUTPUT [DATABASE...]
#
# Without names: all databases that the URL's role owns. OUTPUT must not be there yet. Each dump is
# one moment of its database; the system may go on working. POSTGRESQL_URL may also be called
# PARTS_POSTGRESQL, as compose/native/parts.sh does. Roles and their passwords are not part of it.

# shellcheck source-path=SCRIPTDIR source=backing-up.sh
. "$(dirname "$0")/backing-up.sh"

[[ $# -ge 1 && $1 != -* ]] || usage
read_url "${POSTGRESQL_URL:-${PARTS_POSTGRESQL:?set POSTGRESQL_URL}}" 5432
# In the environment, where other users cannot list it.
export PGPASSWORD=$url_password PGHOST=$url_host PGPORT=$url_port PGUSER=$url_user PGCONNECT_TIMEOUT=10

begin_output "$1"
shift
if [[ $# -eq 0 ]]; then
  owned=$(psql -X -At -d postgres -c "select datname from pg_database
    where datdba = (select oid from pg_roles where rolname = current_user) order by datname")
  mapfile -t databases <<<"$owned"
  [[ -n $owned ]] || fail "$url_user owns no database there"
else
  databases=("$@")
fi

for database in "${databases[@]}"; do
  echo "$name: $database"
  pg_dump --format=custom --no-owner --no-privileges --file="$partial/$database.dump" --dbname="$database"
  pg_restore --list "$partial/$database.dump" >/dev/null
done
end_output
