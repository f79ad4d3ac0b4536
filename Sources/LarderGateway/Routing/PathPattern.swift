/// Which paths a route takes: `/api/posts`, `/api/*/comments`, `/static/**`.
///
/// A segment stands for itself, `*` for any one segment, and `**`, which comes last, for any number of them, none
/// included: `/api/**` takes `/api` too. Percent-encoding does not count, neither do empty segments and a slash at the
/// end (``PathReading``).
struct PathPattern: Hashable, Sendable, CustomStringConvertible {
    /// The longest pattern in bytes.
    static let maximumLength = 1_024

    /// The pattern as it was written.
    let description: String
    private let strict: Compiled
    /// The same in lower case.
    private let folded: Compiled

    /// A pattern in the spelling of a reading: a segment that is one NUL byte stands for any.
    private struct Compiled: Hashable, Sendable {
        static let any: UInt8 = 0
        var bytes: [UInt8] = []
        var takesMore = false

        func matches(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
            var place = 0
            for byte in bytes {
                guard place < path.count else { return false }
                if byte == Self.any {
                    while place < path.count, path[place] != Byte.slash { place += 1 }
                } else if path[place] == byte {
                    place += 1
                } else {
                    return false
                }
            }
            return place == path.count || takesMore && path[place] == Byte.slash
        }
    }

    /// The pattern of all paths.
    static let everything: PathPattern = {
        let all = Compiled(bytes: [], takesMore: true)
        return PathPattern(description: "/**", strict: all, folded: all)
    }()

    /// Whether it has letters in upper case.
    var hasCase: Bool { strict != folded }

    /// Whether it takes one path alone.
    var isLiteral: Bool { !strict.takesMore && !strict.bytes.contains(Compiled.any) }

    /// Whether the pattern takes a path, or, ignoring case, one in lower case.
    func matches(_ path: UnsafeBufferPointer<UInt8>, ignoringCase: Bool) -> Bool {
        ignoringCase ? folded.matches(path) : strict.matches(path)
    }

    /// Whether every path that `other` takes is taken by this one as well.
    func covers(_ other: PathPattern) -> Bool {
        // What stands for any segment is itself a segment that no other text can stand for.
        (strict.takesMore || !other.strict.takesMore) && other.strict.bytes.withUnsafeBufferPointer(strict.matches)
    }

    /// Whether some servers take a path of the one for a path of the other, as they ignore case, decode a slash, or
    /// leave parameters out.
    func isLike(_ other: PathPattern) -> Bool {
        guard folded.takesMore == other.folded.takesMore else { return false }
        func readings(_ pattern: PathPattern) -> Set<[UInt8]> {
            // What stands for any segment is one in every reading.
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
    /// Reads a pattern.
    /// - Throws: what is wrong with it, in words.
    init(_ text: String) throws(Flaw) {
        guard text.utf8.count <= Self.maximumLength else {
            throw Flaw("is longer than \(Self.maximumLength) bytes")
        }
        guard text.utf8.first == Byte.slash else { throw Flaw("does not begin with `/`") }
        guard !text.utf8.contains(Byte.question), !text.utf8.contains(Byte.hash) else {
            throw Flaw("has a `?` or `#`: a pattern is for the path alone")
        }
        var strict = Compiled()
        var segments = text.utf8.dropFirst().split(separator: Byte.slash, omittingEmptySubsequences: false)
        if segments.last?.isEmpty == true { segments.removeLast() }
        for (place, segment) in segments.enumerated() {
            switch String(Substring(segment)) {
            case "": throw Flaw("has an empty segment: two slashes count as one")
            case "**":
                guard place == segments.count - 1 else { throw Flaw("has `**` before its end, where alone it may be") }
                strict.takesMore = true
            case "*":
                strict.bytes += [Byte.slash, Compiled.any]
            case let literal:
                try Self.check(literal)
                strict.bytes += PathReading.bytes(of: literal)
            }
        }
        var folded = strict
        folded.bytes = strict.bytes.map(Byte.lowercased)
        self.init(description: text, strict: strict, folded: folded)
    }

    private static func check(_ literal: String) throws(Flaw) {
        guard !literal.utf8.contains(UInt8(ascii: "*")) else {
            throw Flaw("has a `*` beside other text: it stands for a whole segment, `%2A` for itself")
        }
        let bytes = Array(literal.utf8)
        let isEncoded = bytes.withUnsafeBufferPointer { bytes in
            bytes.indices.allSatisfy { bytes[$0] != Byte.percent || Byte.decoded(bytes, at: $0 + 1) != nil }
        }
        guard isEncoded else { throw Flaw("has a `%` without two hexadecimal digits after it") }
        let strict = PathReading.bytes(of: literal)
        guard !strict.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { throw Flaw("has a control character") }
        // Some reading of it would lead up from the segment before it, or be no segment.
        let parts = String(decoding: strict, as: UTF8.self).replacing("%2F", with: "/").split {
            $0 == "/" || $0 == "\\"
        }
        guard !parts.contains(where: { [".", ".."].contains($0.prefix { $0 != ";" }) }) else {
            throw Flaw("has a dot segment, which no path should have")
        }
    }

    /// What is wrong with a text, in words that go behind it: `/a/**/b` *has `**` before its end*.
    struct Flaw: Error, Hashable {
        let description: String
        init(_ description: String) { self.description = description }
    }
}
