#!/bin/sh
# What `make bench-gateway` runs beside larder: nginx and Varnish, from Debian's packages, taken apart into a directory.
# Installed, both would be services that start at once and at every boot; so nothing is installed, and what is installed
# already is used as it is. Whatever goes wrong is said, and no reason to stop: the benchmark goes on without it.
set -u
mkdir -p "$1"
directory=$(cd "$1" && pwd)

missing() {
    for program in nginx varnishd; do
        PATH=$PATH:/usr/local/sbin:/usr/sbin:$directory/usr/sbin command -v "$program" >/dev/null || echo "$program"
    done
}

fetch() {
    apt-get install -yq --no-install-recommends --download-only -o Debug::NoLocking=1 \
        -o Dir::Cache::archives="$directory/archives/" nginx-light varnish
}

[ -n "$(missing)" ] || exit 0
if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
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
exit 0
