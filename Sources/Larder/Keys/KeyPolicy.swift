import Crypto
import HTTPCaching
public import HTTPTypes
package import NIOCore

/// The rules by which the key of a response is made from its request.
public struct KeyPolicy: Sendable {
    /// The end of the path in a key, with or without a slash. A router that takes `/api/posts` and `/api/posts/` for
    /// one route leaves it to the route to choose the one under which its responses are stored.
    public enum TrailingSlash: Sendable {
        /// The path ends without a slash, however it was requested: `GET:/api/users/1`.
        case dropped
        /// The path ends in a slash, however it was requested: `GET:/api/posts/`.
        case added
        /// The path ends as it was requested.
        case unchanged
    }

    /// The part of a target's spelling that is in its key.
    public enum Spelling: Sendable {
        /// Targets that the handlers of this process cannot distinguish, or are not meant to, have one key: the path
        /// without empty segments, the query sorted by name, no scheme and no host.
        case tidied
        /// Targets are in their keys byte for byte, after scheme and host: `GET:https://example.org/p?b=2&a=1`. Only
        /// the server knows which of them mean the same.
        case verbatim
    }

    /// The part of a target's spelling that is in its key; if it is verbatim, the next two properties have no effect.
    public var spelling: Spelling
    /// The end of the path in a key, with or without a slash.
    public var trailingSlash: TrailingSlash
    /// The query parameter that belongs to the cache and is left out of keys; nil if there is none.
    public var bypassParameter: String?
    /// The query parameters that responses must not depend on: they are left out of keys, and of fetches for all
    /// clients. A request that bypasses the cache is sent with them.
    public var ignoredParameters: [NamePattern] = []
    /// The only query parameters that are in keys, and that fetches for all clients see; nil, the default, for all but
    /// the ``ignoredParameters``. A request that bypasses the cache is sent with all.
    public var parameters: [NamePattern]?
    /// The digest of the request's content, which is part of the key of a query; nil for a request without content.
    package var content: String?
    /// The parts that the application takes from the request, in the key's order.
    public var parts: [KeyPart] = []
    /// The request fields that are parts of the key, in the key's order.
    public var fields: [HTTPField.Name]
    /// The length of the longest target of a stored response, and of the longest text of the fields that it is selected
    /// by (`Vary`): 8 KiB. Requests with a longer target bypass the cache; a response that is selected by longer fields
    /// is not stored.
    public var lengthLimit = ByteCount.kibibytes(8)

    /// Creates rules for keys.
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
    /// The key of a request's response, and the other facts that making it has shown.
    struct Result {
        var key: CacheKey
        /// True if the request asks for a bypass by the cache's own parameter.
        var asksForBypass: Bool
        /// The target in absolute form, if the key has scheme and host.
        var target: String?
    }

    /// Returns the key of a GET for the target of `request`; nil if the target cannot have a key, for one of these
    /// reasons:
    /// - It is not a path, or is too long.
    /// - It has bytes that no path or query may contain (RFC 3986 §3.3). A raw `#` would forge the parts that follow it
    ///   in keys.
    /// - It has more readings than a response can be stored with (``PathReadings``).
    /// - Parameter user: The user that the response is for, if the policy stores separate responses for users.
    func key(of request: HTTPRequest, user: String?) -> Result? {
        guard var target = request.path, target.utf8.first == UInt8(ascii: "/"),
            target.utf8.count <= lengthLimit.bytes
        else { return nil }
        let origin = spelling == .verbatim ? URIOrigin(request) : nil
        if spelling == .verbatim, origin == nil { return nil }
        // Only the key of a query has its method: a HEAD is answered from the response to GET, and a PURGE removes it.
        var builder = KeyBuilder(
            content == nil ? .get : request.method,
            capacity: target.utf8.count + 8 + (origin?.description.utf8.count ?? 0)
        )
        let legal: Bool? = target.withUTF8 { bytes in
            let end = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
            guard PathReadings.areStorable(UnsafeBufferPointer(rebasing: bytes[..<end])) else { return nil }
            if let origin { return builder.append(bytes, of: origin) }
            guard builder.appendPath(bytes[..<end], trailingSlash: trailingSlash) else { return nil }
            return end == bytes.endIndex
                || builder.appendQuery(bytes[(end + 1)...], without: bypassParameter.map { Array($0.utf8) })
        }
        guard legal == true else { return nil }
        if let user { builder.append("user", user) }
        if let content { builder.append("content", content) }
        for part in parts { builder.append(part.name, part.value) }
        for field in fields {
            let fields = field == .hostField ? request.selectableFields : request.headerFields
            builder.append(field, values: fields[values: field])
        }
        return Result(
            key: builder.key,
            asksForBypass: builder.asksForBypass,
            target: origin.map { $0.description + target }
        )
    }
}

extension KeyPolicy {
    /// Returns the scopes that a write to a target of the request's origin invalidates. "A cache MUST NOT trigger an
    /// invalidation […] if the origin […] of the URI to be invalidated differs" (RFC 9111 §4.4): if keys have
    /// a host, so do the scopes.
    func scopes(of target: String, for request: HTTPRequest) -> [InvalidationScope] {
        // Schemes are not distinguished: a write by https also invalidates the responses by http.
        let origin = spelling == .verbatim ? URIOrigin(request) : nil
        return PathReadings(target: target).paths.map { path in
            .path(origin.map { path.on($0.authority) } ?? path)
        }
    }

    /// Returns a target without the parameter that belongs to the cache; the rest is not changed.
    func withoutBypass(_ target: String) -> String {
        guard let bypassParameter else { return target }
        return Self.dropParameters(from: target) { $0.elementsEqual(bypassParameter.utf8) }
    }

    /// True if there are parameters that responses must not depend on.
    package var ignoresParameters: Bool { parameters != nil || !ignoredParameters.isEmpty }

    /// Returns a target without the parameters that responses must not depend on; the rest is not changed. The
    /// parameter that belongs to the cache stays.
    package func withoutIgnored(_ target: String) -> String {
        guard ignoresParameters else { return target }
        return Self.dropParameters(from: target) { name in
            if ignoredParameters.contains(where: { $0.matches(name) }) { return true }
            guard let parameters else { return false }
            return !parameters.contains { $0.matches(name) }
                && bypassParameter.map { name.elementsEqual($0.utf8) } != true
        }
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

extension KeyPolicy {
    /// Returns the digest that stands for a request's content in its key: the first half of the SHA-256 of the content
    /// and of the fields that say what it is.
    package static func digest(ofContent content: ByteBuffer, _ fields: HTTPFields) -> String {
        var hash = SHA256()
        for name in [HTTPField.Name.contentType, .contentEncoding] {
            // No field has a NUL in it.
            hash.update(data: Array((fields[values: name].joined(separator: ",") + "\0").utf8))
        }
        content.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        return Hexadecimal.text(hash.finalize().prefix(16), uppercase: false)
    }
}

/// A builder that writes the bytes of a key from front to back.
private struct KeyBuilder {
    private var text: [UInt8]
    private var hasParts = false
    private(set) var asksForBypass = false

    init(_ method: HTTPRequest.Method, capacity: Int) {
        text = []
        text.reserveCapacity(capacity)
        text.append(contentsOf: method.rawValue.utf8)
        text.append(UInt8(ascii: ":"))
    }

    var key: CacheKey { CacheKey(legal: String(decoding: text, as: UTF8.self)) }

    /// Appends a whole target as it came, after its origin; returns false if it has bytes that no target may contain.
    /// The only slashes of an origin are those after its scheme, so that the boundary between origin and path cannot be
    /// forged.
    mutating func append(_ target: UnsafeBufferPointer<UInt8>, of origin: URIOrigin) -> Bool {
        text.append(contentsOf: origin.description.utf8)
        text.append(contentsOf: target)
        return target.allSatisfy(Self.isLegal)
    }

    /// Appends a path with empty segments removed; returns false if it has bytes that no path may contain.
    /// Percent-encoded bytes stay encoded, although `%31` and `1` are the same by RFC 3986 §6.2.2: a handler gets the
    /// client's spelling, and may answer the two differently.
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
        case .dropped, .added, .unchanged: break
        }
        return true
    }

    /// Appends the pairs of a query sorted stably by name, without the cache's own parameter; returns false if the
    /// query has bytes that no query may contain.
    mutating func appendQuery(_ query: Slice<UnsafeBufferPointer<UInt8>>, without parameter: [UInt8]?) -> Bool {
        guard query.allSatisfy(Self.isLegal) else { return false }
        var pairs = query.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
        if let parameter {
            pairs.removeAll { pair in
                guard Self.name(of: pair).elementsEqual(parameter) else { return false }
                // Only the exact value `true` asks for a bypass.
                asksForBypass = asksForBypass || pair.dropFirst(parameter.count).elementsEqual("=true".utf8)
                return true
            }
        }
        guard pairs.contains(where: { !$0.isEmpty }) else { return true }
        if pairs.count > 1 {
            // `sort` has been stable since Swift 5.8, but does not guarantee it: the offset decides between equal
            // names.
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

    /// Appends `#user=42`, percent-encoded, so that a value cannot end its part and forge another.
    mutating func append(_ name: String, _ value: String) {
        beginPart()
        text.append(contentsOf: name.utf8)
        text.append(UInt8(ascii: "="))
        PercentEncoding.append(value, to: &text)
    }

    /// Appends `#accept-language:de`, percent-encoded; `#accept-language` if the request does not have the field. Lines
    /// are separated by commas, which an encoded value does not contain.
    mutating func append(_ field: HTTPField.Name, values: [String]) {
        beginPart()
        PercentEncoding.append(field.canonicalName, to: &text)
        for (place, value) in values.enumerated() {
            text.append(UInt8(ascii: place == 0 ? ":" : ","))
            PercentEncoding.append(value, to: &text)
        }
    }

    private mutating func beginPart() {
        text.append(UInt8(ascii: hasParts ? "&" : "#"))
        hasParts = true
    }

    private static func name(of pair: Slice<UnsafeBufferPointer<UInt8>>) -> Slice<UnsafeBufferPointer<UInt8>> {
        pair.prefix { $0 != UInt8(ascii: "=") }
    }

    private static func isLegal(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "#")
    }
}
