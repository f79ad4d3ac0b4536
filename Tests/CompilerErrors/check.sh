#!/bin/sh
# Checks that an ordinary mistake is a clear error of the compiler: that a line of Mistakes.swift below comments
# `// error: TEXT` has one error for each comment, which begins with TEXT, and that nothing else has an error.
set -eu
cd "$(dirname "$0")/../.."
. .ci/modules.sh
folder=Tests/CompilerErrors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$swift"c -typecheck -parse-as-library -swift-version 6 -module-name CompilerErrors "$@" \
    -module-cache-path "$work/cache" -no-color-diagnostics -diagnostic-style llvm \
    $folder/Correct.swift $folder/Mistakes.swift >"$work/log" 2>&1 || true

# The errors as lines `NUMBER TEXT`, those of other files with the number 0.
sed -n -e 's|^.*Mistakes.swift:\([0-9]*\):[0-9]*: error: |\1 |p; t' -e 's|.*error: |0 &|p' "$work/log" >"$work/errors"

awk '
    FILENAME == ARGV[2] {
        for (place = 1; place <= expected[$1]; place++) {
            if (!seen[$1, place] && index($0, $1 " " text[$1, place]) == 1) { seen[$1, place] = 1; next }
        }
        print "unexpected, line " $0
        faults++
        next
    }
    sub(/^ *\/\/ error: /, "") { texts[++count] = $0; next }
    count {
        for (place = 1; place <= count; place++) text[FNR, place] = texts[place]
        expected[FNR] = count
        count = 0
        mistakes++
    }
    END {
        for (line in expected) {
            for (place = 1; place <= expected[line]; place++) {
                if (!seen[line, place]) { print "missing, line " line " " text[line, place]; faults++ }
            }
        }
        print mistakes + 0 " mistakes in Mistakes.swift, " faults + 0 " faults"
        exit faults > 0 || !mistakes
    }' "$folder/Mistakes.swift" "$work/errors"
