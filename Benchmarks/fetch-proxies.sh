#!/bin/sh
# Fetches the programs that the benchmarks run beside larder: fetch-proxies.sh DIRECTORY PROGRAM...
#
# nginx, varnishd, haproxy and h2load come from Debian's packages, which are unpacked into the directory. Installed, the
# first three would be services that start at once and at every boot, so nothing is installed. Programs that are
# installed already are used as they are. `python` is a virtual environment with FastAPI and its caches. A program that
# cannot be fetched is named, and the exit status is 0: the benchmark goes on without it.
set -u
mkdir -p "$1"
directory=$(cd "$1" && pwd)
shift
programs=$*
python=$directory/python

missing() {
    for program in $programs; do
        [ "$program" != python ] || continue
        PATH=$PATH:/usr/local/sbin:/usr/sbin:$directory/usr/sbin:$directory/usr/bin \
            command -v "$program" >/dev/null || echo "$program"
    done
}

packages() {
    for program in $(missing); do
        case $program in
        nginx) echo nginx-light ;;
        varnishd) echo varnish ;;
        h2load) echo nghttp2-client ;;
        *) echo "$program" ;;
        esac
    done
}

fetch() {
    # shellcheck disable=SC2046
    apt-get install -yq --no-install-recommends --download-only -o Debug::NoLocking=1 \
        -o Dir::Cache::archives="$directory/archives/" $(packages)
}

has_python() {
    "$python/bin/python" -c 'import cashews, fastapi, fastapi_cache, hiredis, httptools, redis, uvicorn, uvloop' \
        2>/dev/null
}

if [ -n "$(missing)" ] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
    mkdir -p "$directory/archives/partial"
    if ! fetch >"$directory/log" 2>&1; then
        # The lists of packages may be old, or not there.
        { $([ "$(id -u)" = 0 ] || echo sudo -n) apt-get update -q && fetch; } >"$directory/log" 2>&1 \
            || tail -n 3 "$directory/log" >&2
    fi
    for archive in "$directory"/archives/*.deb; do
        [ ! -e "$archive" ] || dpkg-deb -x "$archive" "$directory" || true
    done
fi
for program in $(missing); do
    echo "bench-tools: $program is not here, and could not be fetched from Debian's packages." >&2
done

case " $programs " in
*" python "*)
    # fastapi-cache2 imports jinja2 but does not depend on it. hiredis parses the replies of Redis in C, and `standard`
    # brings uvloop and httptools: the fast configuration.
    if ! has_python; then
        python3 -m venv "$python" >"$directory/log" 2>&1 && "$python/bin/pip" install -q fastapi 'uvicorn[standard]' \
            'fastapi-cache2[redis]' 'cashews[redis]' hiredis jinja2 >>"$directory/log" 2>&1
        has_python || { tail -n 3 "$directory/log" >&2
            echo "bench-tools: FastAPI, fastapi-cache2 and cashews could not be installed by pip." >&2; }
    fi
    ;;
esac
exit 0
