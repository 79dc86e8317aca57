#!/usr/bin/env bash
# Restores what backup-cassandra.sh wrote to INPUT into the Cassandra that compose/native/ runs under DIR.
#
#   scripts/restore-cassandra.sh DIR INPUT
#
# A keyspace that is there already is refused. The schema is made, then each table's files are
# handed to the running node (nodetool import), which copies them: INPUT stays as it is.
# Where it fails half-way, drop the keyspace and run it again. Needs the python of this project (PYTHON, .venv's else).

# shellcheck source-path=SCRIPTDIR source=backing-up.sh
. "$(dirname "$0")/backing-up.sh"

[[ $# -eq 2 && $1 != -* ]] || usage
part=$(dirname "$0")/../compose/native/cassandra.sh
schema=("${PYTHON:-$(dirname "$0")/../.venv/bin/python}" "$(dirname "$0")/cassandra-schema.py")
dir=$1
input=$(cd "$2" && pwd -P)
[[ -r $input/schema.cql ]] || fail "there is no $input/schema.cql"
"$part" status "$dir"
url=$("$part" url "$dir")

keyspace=$("${schema[@]}" write "${url#*=}" "$input/schema.cql")
for table in "$input"/*/; do
  [[ -n $(ls -A "$table") ]] || continue
  echo "$name: $keyspace.$(basename "$table")"
  told=$("$part" nodetool "$dir" import --copy-data "$keyspace" "$(basename "$table")" "$table" 2>&1) || fail "$told"
  # Its exit status is 0 for files that it could not read, too.
  [[ $told != *ailed* ]] || fail "$told"
done
echo "$name: $keyspace is restored"
