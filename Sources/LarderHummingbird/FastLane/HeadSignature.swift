package import HTTPTypes
package import NIOHTTP1

/// The part of an HTTP/1.1 request head that decides how the request is answered from the cache.
///
/// It is the whole head, without the fields that neither a policy nor a stored response refers to: `User-Agent`,
/// `Referer` and some others (``isIgnorable(_:)``). Two requests with equal signatures get the same response.
package struct HeadSignature: Sendable {
    private let method: HTTPMethod
    private let uri: String
    private let version: HTTPVersion
    private let fields: [(name: String, value: String)]
    /// True if every field is part of the signature.
    private let isComplete: Bool
    /// The size in bytes that the ignored fields of an equal head may have, each counted with 32 bytes more than its
    /// name and value: with larger ones, a head can exceed the limit of all heads.
    private let room: Int

    /// The largest size of a head whose response is remembered, in bytes.
    private static let sizeLimit = 4_096

    /// Creates the signature of a head.
    /// - Parameters:
    ///   - deciding: The names of the fields that the policy and the stored responses refer to; nil if they are not
    ///     known.
    ///   - room: The size in bytes by which the head may grow.
    /// - Returns: Nil if the head is too large to be remembered.
    package init?(_ head: HTTPRequestHead, deciding: Set<HTTPField.Name>?, room: Int) {
        let ignoresFields = deciding.map { $0.isDisjoint(with: Self.ignorableNames) } ?? false
        var fields: [(name: String, value: String)] = []
        var (size, ignored) = (head.uri.utf8.count, 0)
        for (name, value) in head.headers {
            let length = name.utf8.count + value.utf8.count + 32
            if ignoresFields, Self.isIgnorable(name) {
                ignored += length
            } else {
                fields.append((name, value))
                size += length
            }
        }
        guard size <= Self.sizeLimit else { return nil }
        self.method = head.method
        self.uri = head.uri
        self.version = head.version
        self.fields = fields
        self.isComplete = !ignoresFields
        self.room = min(room + ignored, Self.sizeLimit)
    }

    /// Returns true if a head has this signature.
    package func matches(_ head: HTTPRequestHead) -> Bool {
        guard head.method == method, head.version == version, head.uri.hasBytes(of: uri) else { return false }
        var place = 0
        var ignored = 0
        for (name, value) in head.headers {
            if place < fields.count, name.hasBytes(of: fields[place].name), value.hasBytes(of: fields[place].value) {
                place += 1
            } else if !isComplete, Self.isIgnorable(name) {
                ignored += name.utf8.count + value.utf8.count + 32
            } else {
                return false
            }
        }
        return place == fields.count && ignored <= room
    }

    // MARK: - Fields that are ignored

    /// The names of fields that do not decide how a request is answered, unless a policy or `Vary` names them.
    /// `Accept-Encoding` is not among them: a stored response is selected by it even without `Vary`.
    private static let ignorable = [
        "accept", "accept-language", "dnt", "from", "origin", "priority", "referer", "save-data", "sec-ch-ua",
        "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site",
        "sec-fetch-user", "sec-gpc", "traceparent", "tracestate", "upgrade-insecure-requests", "user-agent",
        "x-correlation-id", "x-request-id", "x-requested-with",
    ]

    private static let ignorableNames = Set(ignorable.compactMap { HTTPField.Name($0) })

    /// The bytes of the ignorable names, by their length.
    private static let byLength: [[[UInt8]]] = {
        let longest = ignorable.map(\.utf8.count).max() ?? 0
        return (0...longest).map { length in ignorable.map { Array($0.utf8) }.filter { $0.count == length } }
    }()

    /// Returns true if a field is ignored, whatever the case of its name.
    private static func isIgnorable(_ name: String) -> Bool {
        let length = name.utf8.count
        guard length < byLength.count, !byLength[length].isEmpty else { return false }
        var name = name
        return name.withUTF8 { bytes in
            byLength[length].contains { candidate in
                // The names have letters and hyphens only, which a token has in no other case than these.
                for place in 0..<length where bytes[place] | 0x20 != candidate[place] { return false }
                return true
            }
        }
    }
}

extension String {
    /// Returns true if two texts have the same bytes. The operator `==` compares characters: two spellings of one
    /// letter are equal, and a cache tells them apart.
    fileprivate func hasBytes(of other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        var (own, other) = (self, other)
        return own.withUTF8 { own in other.withUTF8 { own.elementsEqual($0) } }
    }
}
