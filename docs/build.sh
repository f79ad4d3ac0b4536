#!/bin/sh
# Builds the documentation of the library's modules from their debug build: docs/build.sh OUTPUT
set -eu
cd "$(dirname "$0")/.."
swift=${SWIFT-swift}
output=$1
modules="HTTPCaching Larder LarderRedis LarderHummingbird"

# The tool of the toolchain that `swift` is from.
docc=$(dirname "$(command -v "$swift")")/docc
[ -x "$docc" ] || docc=$(xcrun --find docc 2>/dev/null || command -v docc)

bin=$("$swift" build --show-bin-path)
target=$("$swift" -print-target-info | sed -n 's/.*"triple": "\(.*\)".*/\1/p' | head -n 1)
work=$output.work
rm -rf "$output" "$work"
mkdir -p "$work"

# Modules of C that the modules of Swift import: those that the build wrote, and those of the packages themselves.
set --
for map in "$bin"/*.build/module.modulemap "$bin"/../../checkouts/*/Sources/*/include/module.modulemap; do
    set -- "$@" -Xcc "-fmodule-map-file=$map"
done
if command -v xcrun >/dev/null; then set -- "$@" -sdk "$(xcrun --show-sdk-path)"; fi

dependencies=
archives=
for module in $modules; do
    mkdir "$work/$module"
    "$swift" symbolgraph-extract -module-name "$module" -target "$target" -I "$bin/Modules" "$@" \
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
