public import HTTPTypes
import RawStructuredFieldValues

extension CacheStatus {
    /// Creates the status that a cache has added to the fields of a response, as the last member of `Cache-Status` with
    /// the name of the cache: "The first member represents the cache closest to the origin server, and the last member
    /// represents the cache closest to the user" (RFC 9211 §2).
    ///
    /// Nil if the field is not a list of structured fields, if no member has that name, or if that member says neither
    /// that the response is a hit nor why the request was forwarded, or both.
    public init?(of cache: String, in fields: HTTPFields) {
        guard let text = fields[.cacheStatus] else { return nil }
        self.init(of: cache, inFieldValue: text)
    }

    /// Creates the same from the value of the field, with its lines joined by commas.
    public init?(of cache: String, inFieldValue text: String) {
        var parser = StructuredFieldValueParser(Array(text.utf8))
        // "If parsing fails, either the entire field value MUST be ignored (i.e., treated as if the field were not present
        // in the section), or alternatively the entire HTTP message MUST be treated as malformed." (RFC 9651 §4.2)
        guard let members = try? parser.parseListFieldValue() else { return nil }
        let name = Self.printable(cache)
        let member = members.last { Self.name(of: $0) == name }
        guard case .item(let item)? = member, let outcome = Outcome(item.rfc9651Parameters) else { return nil }
        self.init(
            cache: cache,
            outcome,
            ttl: item.rfc9651Parameters["ttl"]?.integer,
            key: item.rfc9651Parameters["key"]?.string,
            detail: item.rfc9651Parameters["detail"]?.text
        )
    }

    /// Returns the name of the cache that added a member; nil if the member is not a string or token.
    private static func name(of member: ItemOrInnerList) -> String? {
        guard case .item(let item) = member else { return nil }
        return item.rfc9651BareItem.text
    }
}

extension CacheStatus.Outcome {
    /// Creates the outcome of a member's parameters. A parameter of another type than RFC 9211 states is not there.
    fileprivate init?(_ parameters: OrderedMap<String, RFC9651BareItem>) {
        let isHit = parameters["hit"] == .bool(true)
        guard case .token(let forward)? = parameters["fwd"] else {
            guard isHit else { return nil }
            self = .hit
            return
        }
        guard !isHit, let reason = CacheStatus.ForwardReason(rawValue: forward) else { return nil }
        self = .forwarded(
            reason,
            status: parameters["fwd-status"]?.integer,
            stored: parameters["stored"] == .bool(true),
            collapsed: parameters["collapsed"] == .bool(true)
        )
    }
}

extension RFC9651BareItem {
    fileprivate var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The text of a string or token.
    fileprivate var text: String? {
        switch self {
        case .string(let text), .token(let text): text
        default: nil
        }
    }

    fileprivate var integer: Int? {
        guard case .integer(let number) = self else { return nil }
        return Int(exactly: number)
    }
}
