#!/usr/bin/env bash
# Backs up a Redis, all its databases and functions at one moment, into OUTPUT/dump.rdb.
#
#   REDIS_URL=redis://:PASSWORD@127.0.0.1:6379 scripts/backup-redis.sh OUTPUT
#
# OUTPUT must not be there yet. The server makes the snapshot as for a replica, so it may be
# on another machine and goes on working. REDIS_URL may also be called PARTS_REDIS, as
# compose/native/parts.sh does.

# shellcheck source-path=SCRIPTDIR source=backing-up.sh
. "$(dirname "$0")/backing-up.sh"

[[ $# -eq 1 && $1 != -* ]] || usage
read_url "${REDIS_URL:-${PARTS_REDIS:?set REDIS_URL}}" 6379

begin_output "$1"
export REDISCLI_AUTH=$url_password
reach=(redis-cli -h "$url_host" -p "$url_port")
[[ $url_scheme != rediss ]] || reach+=(--tls)
[[ -z $url_user ]] || reach+=(--user "$url_user")
# It ends with 0 also when it was refused: only a whole file counts.
"${reach[@]}" --rdb "$partial/dump.rdb" >"$partial/told" 2>&1 || fail "$(tail -n 3 "$partial/told")"
redis-check-rdb "$partial/dump.rdb" >>"$partial/told" 2>&1 || fail "$(tail -n 3 "$partial/told")"
rm "$partial/told"
end_output
