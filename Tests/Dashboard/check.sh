#!/bin/sh
# Tests the dashboard of the example API in headless Chromium: check.sh [ARGUMENTS OF PYTEST]
#
# Chromium comes from Debian's packages, or is the program that CHROMIUM names. Playwright, which drives it, and axe-core,
# which looks for what people with disabilities cannot use, come from PyPI, into a folder that git ignores.
set -eu
cd "$(dirname "$0")/../.."
directory=$PWD/.build-dashboard
python=$directory/python/bin/python
LARDER_DEMO=${LARDER_DEMO-$("${SWIFT-swift}" build --show-bin-path)/larder-demo}
export LARDER_DEMO

if [ -z "${CHROMIUM-}" ]; then
    command -v chromium >/dev/null || {
        root=$([ "$(id -u)" = 0 ] || echo sudo)
        $root apt-get update -q
        $root apt-get install -yq --no-install-recommends chromium fonts-dejavu-core
    }
    CHROMIUM=$(command -v chromium)
fi
export CHROMIUM

if ! "$python" -c 'import axe_playwright_python, playwright, pytest' 2>/dev/null; then
    mkdir -p "$directory"
    python3 -m venv "$directory/python"
    "$python" -m pip install -q -r Tests/Dashboard/requirements.txt
fi
exec "$python" -m pytest -q -p no:cacheprovider Tests/Dashboard "$@"
