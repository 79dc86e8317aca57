#!/usr/bin/env bash
# Makes one consume that is to be followed, and finds it in Jaeger as one connected trace: edge,
# auth, token, SQL, provider, and analytics, which links to it. Prints the tree. Exits 0 when so,
# and 1 with the name of each hop that is missing.
#
#   API_KEY=... scripts/verify-tracing.sh [redis] [kafka]
#
# redis, kafka   hops that have to be there besides, where the system stands on them
# API_KEY        whose consume it is; one that the edge has not seen for its cache's time, since
#                svc_auth is asked only then (gateway.api-key.cache-ttl, 120 s unless set)
# BASE_URL       where the edge is, http://127.0.0.1:8080 unless set
# JAEGER_URL     where Jaeger's query API is, http://127.0.0.1:16686 unless set
# PROVIDER       where to consume one token, openai unless set
# WAIT_SECONDS   how long the spans may take, 30 unless set
#
# Needs curl and python3.
set -euo pipefail

fail() { echo "verify-tracing: $*" >&2; exit 1; }
usage() { sed -n '2,17s/^# \{0,1\}//p' "$0" >&2; exit 2; }

for hop in "$@"; do [[ $hop =~ ^(redis|kafka)$ ]] || usage; done
[[ -n ${API_KEY:-} ]] || usage
BASE_URL=${BASE_URL:-http://127.0.0.1:8080}
JAEGER_URL=${JAEGER_URL:-http://127.0.0.1:16686}
PROVIDER=${PROVIDER:-openai}
WAIT_SECONDS=${WAIT_SECONDS:-30}
[[ $WAIT_SECONDS =~ ^[0-9]+$ && $PROVIDER =~ ^[A-Za-z0-9_-]+$ ]] || usage
here=$(cd "$(dirname "$0")" && pwd -P)
# The key, which must not show in a list of processes, and what curl fetches.
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT

hexadecimal() { od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
trace=$(hexadecimal 16) parent=$(hexadecimal 8)
printf 'X-Api-Key: %s\n' "$API_KEY" >"$FOLDER/headers"

# call EXPECTED METHOD PATH HEADER: its body is on stdin, its answer in $FOLDER/answer.
call() {
  local status
  status=$(curl --silent --show-error --max-time 15 --request "$2" --header "@$FOLDER/headers" \
    --header 'Content-Type: application/json' --header "$4" \
    --data-binary @- --output "$FOLDER/answer" --write-out '%{http_code}' \
    "${BASE_URL%/}$3" 2>"$FOLDER/error") || fail "$2 ${BASE_URL%/}$3: $(<"$FOLDER/error")"
  [[ $status == "$1" ]] || fail "$2 ${BASE_URL%/}$3 answered $status: $(head -c 500 "$FOLDER/answer")"
}

# Public, so that the edge does not ask who sends it, and does not know the key after it.
call 200 GET /api/v1/auth/api-keys/validate 'Accept: application/json' </dev/null
user=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["userId"])' "$FOLDER/answer")
call 200 POST /api/v1/tokens/consume "traceparent: 00-$trace-$parent-01" \
  <<<"{\"userId\": \"$user\", \"provider\": \"$PROVIDER\", \"tokens\": 1}"
exec python3 "$here/trace_tree.py" "$JAEGER_URL" "$trace" "$parent" "$WAIT_SECONDS" "$@"
