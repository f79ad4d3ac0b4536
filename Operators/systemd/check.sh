#!/usr/bin/env bash
# Checks the systemd units without a running systemd:
#   1. their syntax and settings (systemd-analyze verify), also as a template for several instances,
#   2. the hardening: an exposure of at most 2.0 of 10 (systemd-analyze security --offline),
#   3. the program under socket activation (systemd-socket-activate),
#   4. the system calls of the program under load (strace): all of them are in SystemCallFilter=.
#
# Usage: Operators/systemd/check.sh [PATH OF larder]
# Without a path, steps 3 and 4 are left out. A missing tool is named, and the exit status is then 2.
set -euo pipefail
cd "$(dirname "$0")"

program=${1:-}
missing=()
have() { command -v "$1" >/dev/null || { missing+=("$1 (apt-get install $2)"); return 1; }; }
fail() { echo "check.sh: error: $*" >&2; exit 1; }

work=$(mktemp -d)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

if have systemd-analyze systemd; then
    # The program of the units does not have to be installed where they are checked.
    stand_in=$(realpath "${program:-$(type -P true)}")
    for unit in larder.service larder.socket; do
        sed "s|/usr/local/bin/larder|$stand_in|" "$unit" >"$work/$unit"
    done
    cp "$work/larder.service" "$work/larder@.service"
    sed 's/^\[Socket\]$/&\nService=larder@1.service/' "$work/larder.socket" >"$work/larder-instances.socket"
    found=$(cd "$work" && systemd-analyze verify ./larder.service ./larder.socket ./larder@1.service \
        ./larder-instances.socket 2>&1) || fail "systemd-analyze verify: $found"
    [ -z "$found" ] || fail "systemd-analyze verify: $found"
    echo "verify: larder.service, larder.socket and larder@1.service are valid ($(systemd-analyze --version | head -1))"
    report=$(systemd-analyze security --offline=true --threshold=20 "$work/larder.service") ||
        fail "the exposure is above 2.0: $report"
    echo "security:${report##*→}"
fi

if [ -n "$program" ] && have systemd-socket-activate systemd && have curl curl; then
    port=$((20000 + RANDOM % 10000))
    traced=()
    if have strace strace; then traced=(strace -f -qq -o "$work/calls"); fi
    mkdir -m 700 "$work/tmp"
    # The tool waits for a connection, and then becomes the program.
    LARDER_SPOOL_DIRECTORY=$work/tmp "${traced[@]}" systemd-socket-activate --fdname=listen -l "127.0.0.1:$port" \
        "$program" serve --origin "http://127.0.0.1:9" --drain-delay 0s --access-log "$work/access.log" \
        >"$work/log" 2>&1 &
    pids+=($!)
    url=http://127.0.0.1:$port
    curl -sS --retry 50 --retry-delay 1 --retry-connrefused -o /dev/null "$url/-/larder/health" ||
        fail "no answer under socket activation: $(cat "$work/log")"
    larder=$(sed -n 's/^\([0-9]*\) .*execve("[^"]*larder".*/\1/p' "$work/calls" 2>/dev/null | tail -1)
    larder=${larder:-$!}
    for _ in 1 2 3; do
        curl -sS -o /dev/null -d content "$url/post" || fail "no answer: $(cat "$work/log")"
        kill -HUP "$larder"
    done
    kill -TERM "$larder"
    wait "${pids[0]}" || fail "the program ended with an error: $(cat "$work/log")"
    pids=()
    grep -q 'Listening on an inherited socket' "$work/log" || fail "no inherited socket: $(cat "$work/log")"
    echo "socket activation: answered, reloaded and stopped"
    if [ ${#traced[@]} -gt 0 ]; then
        # The calls of the program, from its execve on.
        sed -n "/execve(\"[^\"]*larder\"/,\$p" "$work/calls" >"$work/own"
        sed -n 's/^[0-9]* *\([a-z0-9_]*\)(.*/\1/p' "$work/own" | sort -u >"$work/used"
        [ "$(wc -l <"$work/used")" -gt 20 ] || fail "strace recorded too few system calls"
        # The filter of the unit: the groups that it allows, without those that it takes away.
        expand() {
            for group in "$@"; do
                case $group in @*) ;; *) echo "$group"; continue ;; esac
                systemd-analyze syscall-filter "$group" | sed -n 's/^ *\([@a-z][a-z0-9_-]*\)$/\1/p' | tail -n +2 |
                    while read -r name; do
                        case $name in @*) expand "$name" ;; *) echo "$name" ;; esac
                    done
            done
        }
        expand @default | sort -u >"$work/filter"
        sed -n 's/^SystemCallFilter=//p' larder.service | while read -r line; do
            # shellcheck disable=SC2086
            expand ${line#\~} | sort -u >"$work/line"
            case $line in
                "~"*) comm -23 "$work/filter" "$work/line" >"$work/next" ;;
                *) sort -u "$work/filter" "$work/line" >"$work/next" ;;
            esac
            mv "$work/next" "$work/filter"
        done
        outside=$(comm -23 "$work/used" "$work/filter" | tr '\n' ' ')
        [ -z "$outside" ] || fail "system calls outside of SystemCallFilter=: $outside"
        # MemoryDenyWriteExecute= and RestrictAddressFamilies= are about the arguments of calls.
        grep -E 'mmap\(.*PROT_WRITE\|PROT_EXEC|(mprotect|pkey_mprotect)\(.*PROT_EXEC' "$work/own" &&
            fail "memory that is written and executed, which MemoryDenyWriteExecute= denies"
        families=$(sed -n 's/^[0-9]* *socket(\([A-Z0-9_]*\),.*/\1/p' "$work/own" | sort -u)
        for family in $families; do
            grep -qE "^RestrictAddressFamilies=.*\b$family\b" larder.service ||
                fail "a socket of $family, which RestrictAddressFamilies= denies"
        done
        echo "system calls: the $(wc -l <"$work/used") that the program used are in SystemCallFilter=; sockets:" $families
    fi
fi

if [ ${#missing[@]} -gt 0 ]; then
    printf 'check.sh: not checked, because this is missing: %s\n' "${missing[@]}" >&2
    exit 2
fi
