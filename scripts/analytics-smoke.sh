#!/usr/bin/env bash
# Consumes TOKENS at PROVIDER on a running system and waits until analytics shows it: the event
# once in /usage, and the totals of the report and of the user risen by it. Exits 0 when so.
#
#   scripts/analytics-smoke.sh openai 25
#
# BASE_URL       where the edge is, http://127.0.0.1:8080 unless set
# API_KEY        consume as this key's user, or
# BEARER_TOKEN   as this token's; without either a throw-away user is registered
# WAIT_SECONDS   how long analytics may take, 30 unless set
#
# Needs curl and python3. A user's own total must rise by exactly TOKENS, so let nothing else
# consume as the same user meanwhile; the report may rise by more, as others consume too.
set -euo pipefail

fail() { echo "analytics-smoke: $*" >&2; exit 1; }
usage() { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }

[[ $# -eq 2 && $1 =~ ^[A-Za-z0-9_-]+$ && $2 =~ ^[1-9][0-9]*$ ]] || usage
PROVIDER=$1 TOKENS=$2
BASE_URL=${BASE_URL:-http://127.0.0.1:8080}
BASE_URL=${BASE_URL%/}
WAIT_SECONDS=${WAIT_SECONDS:-30}
[[ $WAIT_SECONDS =~ ^[0-9]+$ ]] || usage
# What curl fetches, and the credentials, which must not show in a list of processes.
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
: >"$FOLDER/headers"

# Prints an expression over the JSON of the last answer, `answer`; the rest are argv.
of() { python3 -c 'import json, sys
with open(sys.argv[1]) as file:
    answer = json.load(file)
print(eval(sys.argv[2]))' "$FOLDER/answer" "$@"; }

# call EXPECTED METHOD PATH [BODY]: the answer is in $FOLDER/answer, or the script ends.
call() {
  local status
  status=$(printf '%s' "${4:-}" | curl --silent --show-error --max-time 15 --request "$2" \
    --header "@$FOLDER/headers" --header 'Content-Type: application/json' --data-binary @- \
    --output "$FOLDER/answer" --write-out '%{http_code}' "$BASE_URL$3" 2>"$FOLDER/error") \
    || fail "$2 $BASE_URL$3: $(<"$FOLDER/error")"
  [[ $status == "$1" ]] || fail "$2 $BASE_URL$3 answered $status: $(head -c 500 "$FOLDER/answer")"
}
get() { call 200 GET "$1"; }

random() { python3 -c 'import secrets; print(secrets.token_hex(12))'; }

identify() {
  if [[ -n ${API_KEY:-} ]]; then
    printf 'X-Api-Key: %s\n' "$API_KEY" >"$FOLDER/headers"
    get /api/v1/auth/api-keys/validate
    USER_ID=$(of "answer['userId']")
  elif [[ -n ${BEARER_TOKEN:-} ]]; then
    printf 'Authorization: Bearer %s\n' "$BEARER_TOKEN" >"$FOLDER/headers"
    USER_ID=$(python3 -c 'import base64, json, sys
body = sys.stdin.read().split(".")[1]
print(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["sub"])' \
      <<<"$BEARER_TOKEN" 2>/dev/null) || fail "BEARER_TOKEN is no JWT"
  else
    local name password
    name=smoke-$(random) password=$(random)
    call 201 POST /api/v1/auth/register \
      "{\"username\":\"$name\",\"email\":\"$name@example.com\",\"password\":\"$password\"}"
    USER_ID=$(of "answer['userId']")
    printf 'Authorization: Bearer %s\n' "$(of "answer['token']")" >"$FOLDER/headers"
  fi
}

# New events of this user and size in /usage, the report's total, and the user's.
seen() {
  get "/api/v1/analytics/usage?provider=$PROVIDER&limit=200"
  [[ -e $FOLDER/before ]] || cp "$FOLDER/answer" "$FOLDER/before"
  EVENTS=$(of "sum(one['allowed'] and one['userId'] == sys.argv[3]
    and one['tokens'] == int(sys.argv[4]) and one not in json.load(open(sys.argv[5]))['items']
    for one in answer['items'])" "$USER_ID" "$TOKENS" "$FOLDER/before")
  get "/api/v1/analytics/report?provider=$PROVIDER&windowMinutes=43200"
  REPORT=$(of "answer['totalTokens']")
  get "/api/v1/analytics/users/$USER_ID?windowMinutes=43200"
  OWN=$(of "answer['totalTokens']")
}
now_ms() { python3 -c 'import time; print(time.monotonic_ns() // 1000000)'; }
state() { echo "/usage shows $EVENTS new events of $TOKENS tokens (1 expected)," \
  "the report rose by $((REPORT - REPORT_BEFORE)), the user's total by $((OWN - OWN_BEFORE))" \
  "($TOKENS expected)"; }

identify
seen
REPORT_BEFORE=$REPORT OWN_BEFORE=$OWN
call 200 POST /api/v1/tokens/consume \
  "{\"userId\":\"$USER_ID\",\"provider\":\"$PROVIDER\",\"tokens\":$TOKENS,\"prompt\":\"smoke\"}"
STARTED=$(now_ms)
while :; do
  seen
  TOOK=$(($(now_ms) - STARTED))
  # More than was consumed will not become less by waiting.
  ((EVENTS <= 1 && OWN - OWN_BEFORE <= TOKENS)) || fail "counted twice: $(state)"
  ((EVENTS == 1 && OWN - OWN_BEFORE == TOKENS \
    && REPORT - REPORT_BEFORE >= TOKENS)) && break
  ((TOOK < WAIT_SECONDS * 1000)) || fail "not there after $WAIT_SECONDS s: $(state)"
  sleep 0.1
done
echo "$PROVIDER: $TOKENS tokens of user $USER_ID are in usage and report after $TOOK ms"
