#!/bin/sh
# Builds the documentation of the library's modules from their debug build: docs/build.sh OUTPUT
set -eu
cd "$(dirname "$0")/.."
swift=${SWIFT-swift}
output=$1
modules="HTTPCaching OpenMetrics Larder LarderRedis LarderHummingbird LarderTestSupport"

# The tool of the toolchain that `swift` is from.
docc=$(dirname "$(command -v "$swift")")/docc
[ -x "$docc" ] || docc=$(xcrun --find docc 2>/dev/null || command -v docc)

target=$("$swift" -print-target-info | sed -n 's/.*"triple": "\(.*\)".*/\1/p' | head -n 1)
work=$output.work
rm -rf "$output" "$work"
mkdir -p "$work"

. .ci/modules.sh

dependencies=
archives=
for module in $modules; do
    mkdir "$work/$module"
    "$swift" symbolgraph-extract -module-name "$module" -target "$target" "$@" \
        -module-cache-path "$work/cache" -output-dir "$work/$module" -minimum-access-level public \
        -emit-extension-block-symbols -skip-synthesized-members -skip-inherited-docs
    # A later module links to the symbols of those before it.
    "$docc" convert "docs/$module.docc" --additional-symbol-graph-dir "$work/$module" \
        --fallback-display-name "$module" --fallback-bundle-identifier "larder.$module" --warnings-as-errors \
        --enable-experimental-external-link-support $dependencies --output-dir "$work/$module.doccarchive"
    dependencies="$dependencies --dependency $work/$module.doccarchive"
    archives="$archives $work/$module.doccarchive"
done
"$docc" merge $archives --synthesized-landing-page-name Larder --output-path "$output"
rm -rf "$work"
