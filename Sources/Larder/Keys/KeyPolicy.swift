import HTTPCaching
public import HTTPTypes

/// How the key of a response is made from its request.
public struct KeyPolicy: Sendable {
    /// Whether the path in a key ends in a slash. A router that takes `/api/posts` and `/api/posts/` for one route
    /// leaves it to the route to say under which of the two its responses are kept.
    public enum TrailingSlash: Sendable {
        /// `GET:/api/users/1`, however it was requested.
        case dropped
        /// `GET:/api/posts/`, however it was requested.
        case added
        /// As it was requested.
        case kept
    }

    /// How much of a target's spelling is in its key.
    public enum Spelling: Sendable {
        /// What the handlers of this process cannot tell apart, or are not meant to, has one key: the path without
        /// empty segments, the query sorted by name, no scheme and no host.
        case tidied
        /// Byte for byte, after scheme and host: `GET:https://example.org/p?b=2&a=1`. What means the same is the
        /// server's to say.
        case verbatim
    }

    /// How much of a target's spelling is in its key; where it is verbatim, the next two do not count.
    public var spelling: Spelling
    /// Whether keys end in a slash.
    public var trailingSlash: TrailingSlash
    /// The query parameter that belongs to the cache and is left out of keys; nil where there is none.
    public var bypassParameter: String?
    /// The query parameters that answers must not depend on: they are left out of keys, and of what is fetched for
    /// everybody. A request that goes past the cache keeps them.
    public var ignoredParameters: [NamePattern] = []
    /// The request fields that the responses are kept apart by, in the key's order.
    public var fields: [HTTPField.Name]
    /// The longest target of a stored response, and the longest text of the fields that it is selected by (`Vary`):
    /// 8 KiB. Requests with a longer target bypass the cache; a response that is selected by longer fields is not
    /// stored.
    public var lengthLimit = ByteCount.kibibytes(8)

    /// A rule for keys.
    public init(
        spelling: Spelling = .tidied,
        trailingSlash: TrailingSlash = .dropped,
        bypassParameter: String? = nil,
        fields: [HTTPField.Name] = []
    ) {
        self.spelling = spelling
        self.trailingSlash = trailingSlash
        self.bypassParameter = bypassParameter
        self.fields = fields
    }
}

extension KeyPolicy {
    /// The key of a request's response, and whether the request asks to pass the cache by.
    struct Result {
        var key: CacheKey
        var asksForBypass: Bool
        /// The target in absolute form, where the key has scheme and host.
        var target: String?
    }

    /// The key of a GET for the target of `request`; nil where the target can have none: not a path, or with bytes that
    /// no path or query may hold (RFC 3986 §3.3), a raw `#` above all, which would forge the part that follows it; or
    /// one that is too long, or has more readings than a response is stored with (``PathReadings``).
    /// - Parameter user: who the response is for, where the policy keeps users apart.
    func key(of request: HTTPRequest, user: String?) -> Result? {
        guard var target = request.path, target.utf8.first == UInt8(ascii: "/"),
            target.utf8.count <= lengthLimit.bytes
        else { return nil }
        let site = spelling == .verbatim ? URIOrigin(request) : nil
        if spelling == .verbatim, site == nil { return nil }
        var builder = KeyBuilder(capacity: target.utf8.count + 8 + (site?.description.utf8.count ?? 0))
        let legal: Bool? = target.withUTF8 { bytes in
            if let site { return builder.append(bytes, of: site) }
            let end = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
            guard builder.appendPath(bytes[..<end], trailingSlash: trailingSlash) else { return nil }
            return end == bytes.endIndex
                || builder.appendQuery(bytes[(end + 1)...], without: bypassParameter.map { Array($0.utf8) })
        }
        guard legal == true, PathReadings.areStorable(target) else { return nil }
        if let user {
            builder.append(user: user)
        }
        for field in fields {
            let fields = field == .hostField ? request.selectableFields : request.headerFields
            builder.append(field, values: fields[values: field])
        }
        return Result(
            key: builder.key,
            asksForBypass: builder.asksForBypass,
            target: site.map { $0.description + target }
        )
    }
}

extension KeyPolicy {
    /// What a write to a target of the request's site kills. "A cache MUST NOT trigger an invalidation […] if the
    /// origin […] of the URI to be invalidated differs" (RFC 9111 §4.4): where keys tell hosts apart, so do writes.
    func scopes(of target: String, for request: HTTPRequest) -> [InvalidationScope] {
        // Schemes are not told apart: a write by https that left the answers by http would be of use to nobody.
        let site = spelling == .verbatim ? URIOrigin(request) : nil
        return PathReadings(target: target).paths.map { path in
            .path(site.map { path.on($0.authority) } ?? path)
        }
    }

    /// A target without the parameter that belongs to the cache, the rest as it came.
    func withoutBypass(_ target: String) -> String {
        guard let bypassParameter else { return target }
        return Self.dropParameters(from: target) { $0.elementsEqual(bypassParameter.utf8) }
    }

    /// A target without the parameters that answers must not depend on, the rest as it came.
    func withoutIgnored(_ target: String) -> String {
        if ignoredParameters.isEmpty { return target }
        return Self.dropParameters(from: target) { name in ignoredParameters.contains { $0.matches(name) } }
    }

    private static func dropParameters(
        from target: String,
        where isDropped: (Substring.UTF8View) -> Bool
    ) -> String {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return target }
        let query = target.utf8[mark...].dropFirst()
        let pairs = query.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
        let others = pairs.filter { pair in !isDropped(pair.prefix { $0 != UInt8(ascii: "=") }) }
        guard others.count < pairs.count else { return target }
        return target[..<mark] + (others.isEmpty ? "" : "?" + others.map { Substring($0) }.joined(separator: "&"))
    }
}

/// Writes the bytes of a key, front to back.
private struct KeyBuilder {
    private var text: [UInt8]
    private var hasParts = false
    private(set) var asksForBypass = false

    init(capacity: Int) {
        text = []
        text.reserveCapacity(capacity)
        text.append(contentsOf: "GET:".utf8)
    }

    var key: CacheKey { CacheKey(legal: String(decoding: text, as: UTF8.self)) }

    /// Appends a whole target as it came, after its site; false where it holds what no target may. No site has a slash
    /// but those of its scheme: where one ends and a path begins cannot be forged.
    mutating func append(_ target: UnsafeBufferPointer<UInt8>, of site: URIOrigin) -> Bool {
        text.append(contentsOf: site.description.utf8)
        text.append(contentsOf: target)
        return target.allSatisfy(Self.isLegal)
    }

    /// Appends a path with empty segments removed; false where it holds what no path may. What is percent-encoded stays
    /// so, though RFC 3986 §6.2.2 calls `%31` and `1` the same: a handler gets the spelling of the client, and may
    /// answer one as it would not the other.
    mutating func appendPath(_ path: Slice<UnsafeBufferPointer<UInt8>>, trailingSlash: KeyPolicy.TrailingSlash) -> Bool
    {
        let slash = UInt8(ascii: "/")
        let start = text.count
        var previous: UInt8 = 0
        for byte in path {
            if byte == slash {
                if previous != slash { text.append(slash) }
            } else if Self.isLegal(byte) {
                text.append(byte)
            } else {
                return false
            }
            previous = byte
        }
        let endsInSlash = text.last == slash
        switch trailingSlash {
        case .dropped where endsInSlash && text.count > start + 1: text.removeLast()
        case .added where !endsInSlash: text.append(slash)
        case .dropped, .added, .kept: break
        }
        return true
    }

    /// Appends the pairs of a query sorted stably by name, without the cache's own parameter; false where it holds what
    /// no query may.
    mutating func appendQuery(_ query: Slice<UnsafeBufferPointer<UInt8>>, without parameter: [UInt8]?) -> Bool {
        guard query.allSatisfy(Self.isLegal) else { return false }
        var pairs = query.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
        if let parameter {
            pairs.removeAll { pair in
                guard Self.name(of: pair).elementsEqual(parameter) else { return false }
                // Only `true` bypasses, to the letter.
                asksForBypass = asksForBypass || pair.dropFirst(parameter.count).elementsEqual("=true".utf8)
                return true
            }
        }
        guard pairs.contains(where: { !$0.isEmpty }) else { return true }
        if pairs.count > 1 {
            // `sort` is stable since Swift 5.8 in fact, but not by its word: the place decides between equals.
            let sorted = pairs.enumerated().sorted {
                let (left, right) = (Self.name(of: $0.element), Self.name(of: $1.element))
                return left.elementsEqual(right) ? $0.offset < $1.offset : left.lexicographicallyPrecedes(right)
            }
            pairs = sorted.map(\.element)
        }
        for (place, pair) in pairs.enumerated() {
            text.append(UInt8(ascii: place == 0 ? "?" : "&"))
            text.append(contentsOf: pair)
        }
        return true
    }

    /// Appends `#user=42`, percent-encoded, so that no value can end its part and forge another.
    mutating func append(user: String) {
        beginPart()
        text.append(contentsOf: "user=".utf8)
        appendEncoded(user)
    }

    /// Appends `#accept-language:de`, percent-encoded; `#accept-language` if the request does not have the field. Lines
    /// are separated by commas, which an encoded value does not have.
    mutating func append(_ field: HTTPField.Name, values: [String]) {
        beginPart()
        appendEncoded(field.canonicalName)
        for (place, value) in values.enumerated() {
            text.append(UInt8(ascii: place == 0 ? ":" : ","))
            appendEncoded(value)
        }
    }

    private mutating func beginPart() {
        text.append(UInt8(ascii: hasParts ? "&" : "#"))
        hasParts = true
    }

    private mutating func appendEncoded(_ part: String) {
        for byte in part.utf8 {
            PercentEncoding.append(byte, to: &text, escaping: !PercentEncoding.isUnreserved(byte))
        }
    }

    private static func name(of pair: Slice<UnsafeBufferPointer<UInt8>>) -> Slice<UnsafeBufferPointer<UInt8>> {
        pair.prefix { $0 != UInt8(ascii: "=") }
    }

    private static func isLegal(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "#")
    }
}
