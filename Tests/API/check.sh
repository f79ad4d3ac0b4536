#!/bin/sh
# Sends generated requests to the admin API of a gateway and of the example API, and to the example API itself, and
# compares the responses with the OpenAPI documents (schemathesis, https://schemathesis.io). SEED chooses the requests,
# and EXAMPLES how many there are for each operation.
set -eu
cd "$(dirname "$0")/../.."
folder=$PWD/.build-api
token=a-token-of-16-letters
if ! "$folder/bin/st" --version >/dev/null 2>&1; then
    python3 -m venv "$folder" || { echo "make test-api needs python3 with venv" >&2; exit 1; }
    "$folder/bin/pip" install -q --disable-pip-version-check schemathesis==4.32.5
fi
bin=$("${SWIFT-swift}" build --show-bin-path)

port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
demo=$(port)
gateway=$(port)
programs=
trap 'kill $programs 2>/dev/null || :' EXIT INT TERM
export LARDER_ADMIN_TOKEN=$token LOG_LEVEL=error
PORT=$demo "$bin/larder-demo" >"$folder/demo.log" 2>&1 &
programs="$programs $!"
"$bin/larder" serve --listen "127.0.0.1:$gateway" --origin "http://127.0.0.1:$demo" >"$folder/gateway.log" 2>&1 &
programs="$programs $!"

# The URL of the server is relative to the document, which schemathesis does not resolve.
check() {
    # It writes into the folder that it runs in.
    (cd "$folder" && exec bin/st --config-file ../Tests/API/schemathesis.toml run "$1" --url "${1%/openapi.json}" \
        --checks all --wait-for-schema 30 --seed "${SEED-1}" --max-examples "${EXAMPLES-30}" --no-color --header "Authorization: Bearer $token" \
        >"$folder/report.log" 2>&1) || { cat "$folder/report.log" "$folder/demo.log" "$folder/gateway.log" >&2; exit 1; }
    echo "$1: $(grep -E 'generated|passed' "$folder/report.log" | tail -1 | sed 's/^ *//')"
}

check "http://127.0.0.1:$demo/openapi.json"
check "http://127.0.0.1:$demo/larder/openapi.json"
check "http://127.0.0.1:$gateway/-/larder/openapi.json"
