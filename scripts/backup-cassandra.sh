#!/usr/bin/env bash
# Backs up one keyspace of the Cassandra that compose/native/ runs under DIR.
#
#   scripts/backup-cassandra.sh DIR KEYSPACE OUTPUT
#
# OUTPUT must not be there yet; it gets schema.cql and a folder a table with the table's files.
# The node goes on working: it flushes and hard-links its files (nodetool snapshot), those are
# copied, and the links are removed again. Needs the python of this project (PYTHON, .venv's else).

# shellcheck source-path=SCRIPTDIR source=backing-up.sh
. "$(dirname "$0")/backing-up.sh"

[[ $# -eq 3 && $1 != -* ]] || usage
part=$(dirname "$0")/../compose/native/cassandra.sh
schema=("${PYTHON:-$(dirname "$0")/../.venv/bin/python}" "$(dirname "$0")/cassandra-schema.py")
dir=$1 keyspace=$2
"$part" status "$dir"
url=$("$part" url "$dir")

begin_output "$3"
"${schema[@]}" read "${url#*=}" "$keyspace" >"$partial/schema.cql"
tag=backup-$(date -u +%Y%m%dT%H%M%SZ)-$$
trap '"$part" nodetool "$dir" clearsnapshot -t "$tag" "$keyspace" >/dev/null; rm -rf "$partial"' EXIT
"$part" nodetool "$dir" snapshot -t "$tag" "$keyspace" >/dev/null

for snapshot in "$dir/cassandra/data/data/$keyspace"/*/snapshots/"$tag"; do
  [[ -d $snapshot ]] || fail "the node made no snapshot of $keyspace"
  # The folder is called after the table and its id: usage-6f1c...
  table=$(basename "$(dirname "$(dirname "$snapshot")")")
  mkdir "$partial/${table%-*}"
  find "$snapshot" -maxdepth 1 -type f ! -name manifest.json ! -name schema.cql -exec cp -t "$partial/${table%-*}" {} +
done
end_output
