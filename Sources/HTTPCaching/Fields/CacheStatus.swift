public import HTTPTypes

/// The way this cache handled a request, for the `Cache-Status` field (RFC 9211).
public struct CacheStatus: Hashable, Sendable {
    /// The reason why a request was forwarded to the origin (RFC 9211 §2.2).
    public enum ForwardReason: String, Hashable, Sendable, CaseIterable {
        /// The cache was configured not to handle the request.
        case bypass
        /// The method of the request has to be forwarded.
        case method
        /// Nothing is stored for the URI.
        case uriMiss = "uri-miss"
        /// Responses are stored for the URI, but none with the request's values of the fields it varies by.
        case varyMiss = "vary-miss"
        /// No stored response can be used, for a reason not listed here.
        case miss
        /// A stored response is fresh, but the request's directives do not allow its use.
        case request
        /// The stored response is stale.
        case stale
        /// Only a part of the response is stored.
        case partial
    }

    /// The source of the response: the store or the origin.
    public enum Outcome: Hashable, Sendable {
        /// The response came from the store, without a request to the origin.
        case hit
        /// The request was forwarded: the origin's status, and if its response was stored and the request joined a
        /// flight.
        case forwarded(ForwardReason, status: Int? = nil, stored: Bool = false, collapsed: Bool = false)
    }

    /// The name of this cache, such as `Larder`.
    public var cache: String
    /// The source of the response.
    public var outcome: Outcome
    /// The freshness left in seconds, negative if the response is stale (RFC 9211 §2.4).
    public var ttl: Int?
    /// The key of the response in the store (RFC 9211 §2.7).
    public var key: String?
    /// Further information, such as the token of a ``NotStorableReason`` (RFC 9211 §2.8).
    public var detail: String?

    /// Creates a status.
    public init(cache: String, _ outcome: Outcome, ttl: Int? = nil, key: String? = nil, detail: String? = nil) {
        self.cache = cache
        self.outcome = outcome
        self.ttl = ttl
        self.key = key
        self.detail = detail
    }

    /// Returns the member of the list, such as `Larder; fwd=uri-miss; fwd-status=200; stored`. It is a valid structured
    /// field (RFC 9651) for any key and detail.
    public func serialized() -> String {
        var text = Self.isToken(cache) ? cache : Self.quoted(cache)
        switch outcome {
        case .hit:
            text += "; hit"
        case .forwarded(let reason, _, _, _):
            text += "; fwd=\(reason.rawValue)"
        }
        if case .forwarded(_, let status?, _, _) = outcome { text += "; fwd-status=\(Self.integer(status))" }
        if let ttl { text += "; ttl=\(Self.integer(ttl))" }
        if case .forwarded(_, _, true, _) = outcome { text += "; stored" }
        if case .forwarded(_, _, _, true) = outcome { text += "; collapsed" }
        if let key { text += "; key=\(Self.quoted(key))" }
        if let detail { text += "; detail=\(Self.isToken(detail) ? detail : Self.quoted(detail))" }
        return text
    }

    /// Adds this status to the fields of a response: "The first member represents the cache closest to the origin
    /// server, and the last member represents the cache closest to the user" (RFC 9211 §2).
    public func append(to fields: inout HTTPFields) {
        fields.append(HTTPField(name: .cacheStatus, value: serialized()))
    }

    /// Returns the nearest integer that structured fields can hold: they have at most 15 digits (RFC 9651 §3.3.1).
    private static func integer(_ number: Int) -> Int {
        min(max(number, -999_999_999_999_999), 999_999_999_999_999)
    }

    /// Returns true if `text` is a token of structured fields (RFC 9651 §3.3.4).
    private static func isToken(_ text: String) -> Bool {
        guard let first = text.utf8.first, ASCII.isLetter(first) || first == ASCII.asterisk else { return false }
        return text.utf8.allSatisfy { ASCII.isToken($0) || $0 == ASCII.colon || $0 == ASCII.slash }
    }

    /// Returns `text` as a string of structured fields (RFC 9651 §3.3.3).
    private static func quoted(_ text: String) -> String {
        var output: [UInt8] = [ASCII.quote]
        output.reserveCapacity(text.utf8.count + 2)
        for byte in printable(text).utf8 {
            if byte == ASCII.quote || byte == ASCII.backslash { output.append(ASCII.backslash) }
            output.append(byte)
        }
        output.append(ASCII.quote)
        return String(decoding: output, as: UTF8.self)
    }

    /// Returns `text` with `%` and two hexadecimal digits in place of each byte that a string of structured fields
    /// cannot hold: all but printable ASCII.
    static func printable(_ text: String) -> String {
        let isPrintable = { (byte: UInt8) in (0x20...0x7E).contains(byte) }
        if text.utf8.allSatisfy(isPrintable) { return text }
        var output: [UInt8] = []
        for byte in text.utf8 {
            if isPrintable(byte) { output.append(byte) } else { PercentEncoding.append(byte, to: &output) }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
