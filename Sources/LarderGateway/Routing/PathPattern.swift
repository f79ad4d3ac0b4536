import HTTPCaching

/// A pattern of the paths that a route matches: `/api/posts`, `/api/*/comments`, `/static/**`.
///
/// A literal segment matches itself, `*` matches any one segment, and `**`, which must be last, matches any number of
/// segments, including none: `/api/**` matches `/api` too. Percent-encoding, empty segments and a slash at the end do
/// not matter (``RoutePath``).
struct PathPattern: Hashable, Sendable, CustomStringConvertible {
    /// The maximum length of a pattern in bytes.
    static let maximumLength = 1_024

    /// The pattern as it was written.
    let description: String
    private let strict: Compiled
    /// The pattern in lower case.
    private let folded: Compiled

    /// A pattern in the form of a reading. A segment that is one NUL byte matches any segment.
    private struct Compiled: Hashable, Sendable {
        static let any: UInt8 = 0
        var bytes: [UInt8] = []
        var takesMore = false

        func matches(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
            var place = 0
            for byte in bytes {
                guard place < path.count else { return false }
                if byte == Self.any {
                    while place < path.count, path[place] != ASCII.slash { place += 1 }
                } else if path[place] == byte {
                    place += 1
                } else {
                    return false
                }
            }
            return place == path.count || takesMore && path[place] == ASCII.slash
        }
    }

    /// The pattern that matches all paths.
    static let everything: PathPattern = {
        let all = Compiled(bytes: [], takesMore: true)
        return PathPattern(description: "/**", strict: all, folded: all)
    }()

    /// True if the pattern has upper-case letters.
    var hasCase: Bool { strict != folded }

    /// True if the pattern matches one path only.
    var isLiteral: Bool { !strict.takesMore && !strict.bytes.contains(Compiled.any) }

    /// Returns true if the pattern matches a path. If case is ignored, the path must be in lower case.
    func matches(_ path: UnsafeBufferPointer<UInt8>, ignoringCase: Bool) -> Bool {
        ignoringCase ? folded.matches(path) : strict.matches(path)
    }

    /// Returns true if this pattern matches every path that `other` matches.
    func covers(_ other: PathPattern) -> Bool {
        // A wildcard of `other` is compared as a NUL byte. Only a wildcard of this pattern matches it, because literal
        // segments cannot contain NUL.
        (strict.takesMore || !other.strict.takesMore) && other.strict.bytes.withUnsafeBufferPointer(strict.matches)
    }

    /// Returns true if some servers take a path of one pattern for a path of the other, because they ignore case,
    /// decode a slash, or drop parameters.
    func isLike(_ other: PathPattern) -> Bool {
        guard folded.takesMore == other.folded.takesMore else { return false }
        func readings(_ pattern: PathPattern) -> Set<[UInt8]> {
            // A wildcard is one segment in every reading.
            let text = pattern.folded.bytes.flatMap { $0 == Compiled.any ? Array("*".utf8) : [$0] }
            var all: Set<[UInt8]> = []
            _ = PathReadingClosure.areAll(of: text) { reading in
                all.insert(Array(reading))
                return true
            }
            return all
        }
        return !readings(self).isDisjoint(with: readings(other))
    }
}

extension PathPattern {
    /// Creates a pattern from a text.
    /// - Throws: A description of the first fault in the text.
    init(_ text: String) throws(PatternError) {
        guard text.utf8.count <= Self.maximumLength else {
            throw PatternError("is longer than \(Self.maximumLength) bytes")
        }
        guard text.utf8.first == ASCII.slash else { throw PatternError("does not begin with `/`") }
        guard !text.utf8.contains(ASCII.question), !text.utf8.contains(ASCII.hash) else {
            throw PatternError("has a `?` or `#`: a pattern matches only the path")
        }
        var strict = Compiled()
        var segments = text.utf8.dropFirst().split(separator: ASCII.slash, omittingEmptySubsequences: false)
        if segments.last?.isEmpty == true { segments.removeLast() }
        for (place, segment) in segments.enumerated() {
            switch String(Substring(segment)) {
            case "": throw PatternError("has an empty segment: write one `/` instead of two")
            case "**":
                guard place == segments.count - 1 else {
                    throw PatternError("has `**` before its end: it must be the last segment")
                }
                strict.takesMore = true
            case "*":
                strict.bytes += [ASCII.slash, Compiled.any]
            case let literal:
                try Self.check(literal)
                strict.bytes += RoutePath.bytes(of: literal)
            }
        }
        var folded = strict
        folded.bytes = strict.bytes.map(ASCII.lowercased)
        self.init(description: text, strict: strict, folded: folded)
    }

    private static func check(_ literal: String) throws(PatternError) {
        guard !literal.utf8.contains(UInt8(ascii: "*")) else {
            throw PatternError("has a `*` next to other text: `*` is a whole segment; write `%2A` for the character")
        }
        let bytes = Array(literal.utf8)
        let isEncoded = bytes.withUnsafeBufferPointer { bytes in
            bytes.indices.allSatisfy {
                bytes[$0] != ASCII.percent || PercentEncoding.byte(ofDigits: bytes, at: $0 + 1) != nil
            }
        }
        guard isEncoded else { throw PatternError("has a `%` without two hexadecimal digits after it") }
        let strict = RoutePath.bytes(of: literal)
        guard !strict.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw PatternError("has a control character")
        }
        // Servers that decode or normalize the literal would read a dot segment, which leads to the segment before it
        // or to none.
        let parts = String(decoding: strict, as: UTF8.self).replacing("%2F", with: "/").split {
            $0 == "/" || $0 == "\\"
        }
        guard !parts.contains(where: { [".", ".."].contains($0.prefix { $0 != ";" }) }) else {
            throw PatternError("has a dot segment (`.` or `..`): remove it")
        }
    }

    /// A fault in a pattern, in words that follow the quoted text: `/a/**/b` *has `**` before its end*.
    struct PatternError: Error, Hashable {
        let description: String
        init(_ description: String) { self.description = description }
    }
}
