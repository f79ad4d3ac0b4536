public import HTTPTypes

/// What this cache did with a request, for the `Cache-Status` field (RFC 9211).
public struct CacheStatus: Hashable, Sendable {
    /// Why a request went to the origin (RFC 9211 §2.2).
    public enum ForwardReason: String, Hashable, Sendable, CaseIterable {
        /// The cache was told not to handle it.
        case bypass
        /// The method has to be forwarded.
        case method
        /// Nothing is stored for the URI.
        case uriMiss = "uri-miss"
        /// Something is stored for the URI, but not for the fields it varies by.
        case varyMiss = "vary-miss"
        /// Nothing stored would do, for no reason above.
        case miss
        /// What is stored is fresh, but the request's directives ask for more.
        case request
        /// What is stored is stale.
        case stale
        /// What is stored is a part only.
        case partial
    }

    /// Whether the store answered, or the origin was asked.
    public enum Outcome: Hashable, Sendable {
        /// The store answered, without asking the origin.
        case hit
        /// The origin was asked; what it answered, whether that was stored, and whether the request joined another's.
        case forwarded(ForwardReason, status: Int? = nil, stored: Bool = false, collapsed: Bool = false)
    }

    /// The name of this cache, such as `Larder`.
    public var cache: String
    /// Whether the store answered.
    public var outcome: Outcome
    /// Freshness left in seconds, negative where stale (RFC 9211 §2.4).
    public var ttl: Int?
    /// The key in the store (RFC 9211 §2.7).
    public var key: String?
    /// More, such as a ``NotStorableReason``'s token (RFC 9211 §2.8).
    public var detail: String?

    /// Creates a status.
    public init(cache: String, _ outcome: Outcome, ttl: Int? = nil, key: String? = nil, detail: String? = nil) {
        self.cache = cache
        self.outcome = outcome
        self.ttl = ttl
        self.key = key
        self.detail = detail
    }

    /// The member of the list, such as `Larder; fwd=uri-miss; fwd-status=200; stored`: a structured field (RFC 9651)
    /// for whatever the key and the detail hold.
    public func serialized() -> String {
        var text = Self.isToken(self.cache) ? self.cache : Self.quoted(self.cache)
        switch self.outcome {
        case .hit:
            text += "; hit"
        case .forwarded(let reason, _, _, _):
            text += "; fwd=\(reason.rawValue)"
        }
        if case .forwarded(_, let status?, _, _) = self.outcome { text += "; fwd-status=\(Self.integer(status))" }
        if let ttl = self.ttl { text += "; ttl=\(Self.integer(ttl))" }
        if case .forwarded(_, _, true, _) = self.outcome { text += "; stored" }
        if case .forwarded(_, _, _, true) = self.outcome { text += "; collapsed" }
        if let key = self.key { text += "; key=\(Self.quoted(key))" }
        if let detail = self.detail { text += "; detail=\(Self.isToken(detail) ? detail : Self.quoted(detail))" }
        return text
    }

    /// Adds this status to the fields of a response: "The first member represents the cache closest to the origin
    /// server, and the last member represents the cache closest to the user" (RFC 9211 §2).
    public func append(to fields: inout HTTPFields) {
        fields.append(HTTPField(name: .cacheStatus, value: self.serialized()))
    }

    /// The nearest integer of structured fields, which have 15 digits at most (RFC 9651 §3.3.1).
    private static func integer(_ number: Int) -> Int {
        min(max(number, -999_999_999_999_999), 999_999_999_999_999)
    }

    /// Whether `text` is a token of structured fields (RFC 9651 §3.3.4).
    private static func isToken(_ text: String) -> Bool {
        guard let first = text.utf8.first, ASCII.isLetter(first) || first == ASCII.asterisk else { return false }
        return text.utf8.allSatisfy { ASCII.isToken($0) || $0 == ASCII.colon || $0 == ASCII.slash }
    }

    /// `text` as a string of structured fields, which hold printable ASCII only (RFC 9651 §3.3.3); other bytes become
    /// `%` and two digits.
    private static func quoted(_ text: String) -> String {
        var output: [UInt8] = [ASCII.quote]
        output.reserveCapacity(text.utf8.count + 2)
        for byte in text.utf8 {
            switch byte {
            case ASCII.quote, ASCII.backslash: output += [ASCII.backslash, byte]
            case 0x20...0x7E: output.append(byte)
            default: output.appendPercentEncoded(byte)
            }
        }
        output.append(ASCII.quote)
        return String(decoding: output, as: UTF8.self)
    }
}
