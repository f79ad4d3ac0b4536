#!/bin/sh
# Checks that a package that depends on Larder downloads only the packages that its traits need.
set -eu
cd "$(dirname "$0")/../.."
rm -rf .build-consumer Tests/Consumer/Package.resolved

# Resolves the consumer's packages with the traits $1, and fails if one of the others is among them.
check() {
    traits=$1
    shift
    log=$(LARDER_TRAITS=$traits "${SWIFT-swift}" package --package-path Tests/Consumer \
        --scratch-path .build-consumer resolve 2>&1) || { echo "$log" >&2; exit 1; }
    echo "traits: [$traits] $(ls .build-consumer/checkouts | wc -l) packages"
    # Without what every product needs, nothing was resolved.
    [ -d .build-consumer/checkouts/swift-nio ]
    for package in "$@"; do
        if [ -d ".build-consumer/checkouts/$package" ]; then
            echo "traits: [$traits] must not resolve $package" >&2
            exit 1
        fi
    done
}

gateway="Yams swift-argument-parser"
hummingbird="hummingbird async-http-client swift-configuration swift-nio-extras swift-nio-http2 swift-certificates"
# From the fewest to the most: a second resolution adds to the first.
check "" $gateway $hummingbird
check Hummingbird $gateway
[ -d .build-consumer/checkouts/hummingbird ]
