#!/usr/bin/env bash
# Run once by the image, on an empty data volume: a database and a role of its own for each service.
set -euo pipefail
for name in auth token; do
  psql -X -v ON_ERROR_STOP=1 -v role="leaky_$name" -v password="$(<"/run/secrets/postgresql-$name")" \
    -U postgres -d postgres <<'SQL'
create role :"role" login password :'password';
create database :"role" owner :"role";
revoke connect on database :"role" from public;
SQL
done
