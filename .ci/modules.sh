# To be read by a script that has changed to the root of the package. Sets
# - $bin to the folder of the debug build: $LARDER_BIN, or that of `swift build`,
# - the script's arguments to the compiler's options for its modules.
swift=${SWIFT-swift}
bin=${LARDER_BIN-$("$swift" build --show-bin-path)}
set -- -I "$bin/Modules"
# Modules of C that the modules of Swift import: those that the build wrote, and those of the packages themselves.
for map in "$bin"/*.build/module.modulemap "$bin"/../../checkouts/*/Sources/*/include/module.modulemap; do
    set -- "$@" -Xcc "-fmodule-map-file=$map"
done
if command -v xcrun >/dev/null; then set -- "$@" -sdk "$(xcrun --show-sdk-path)"; fi
