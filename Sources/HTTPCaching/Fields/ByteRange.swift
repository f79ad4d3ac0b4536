public import HTTPTypes

/// The part of a complete stored response that a request with `Range` gets (RFC 9110 §14).
///
/// A request for one range of bytes gets that part. A request for several ranges, in other units, or with a value that
/// cannot be read gets the whole content: "A server MAY ignore the Range header field."
public enum ByteRange: Hashable, Sendable {
    /// The whole content, with the status of the stored response.
    case whole
    /// These bytes, with status 206.
    case part(Range<Int>)
    /// No content, with status 416.
    case unsatisfiable

    /// Returns the part of a stored response with `length` bytes of content that the request gets.
    public static func evaluate(_ request: HTTPRequest, stored: HTTPResponse, length: Int) -> ByteRange {
        // "A server MUST ignore a Range header field received with a request method that is unrecognized or for which
        // range handling is not defined. For this specification, GET is the only method for which range handling is
        // defined." The field applies "only [...] if the result in absence of the Range header field would be a 200
        // (OK) response" (§14.2).
        guard request.method == .get, stored.status == .ok,
            ifRangeHolds(request.headerFields, stored.headerFields)
        else { return .whole }
        let values = request.headerFields[values: .range]
        guard values.count == 1, let range = Self.parse(values[0]) else { return .whole }
        switch range {
        case .from(let first, let last):
            // "An int-range is satisfiable if it contains a first-pos that is less than the current length."
            return first < length ? .part(first..<min(last, length - 1) + 1) : .unsatisfiable
        case .suffix(let count):
            // "A suffix-range is satisfiable if the suffix-length is non-zero." Content-Range cannot describe an empty
            // range, so empty content is sent whole.
            guard count > 0 else { return .unsatisfiable }
            return length == 0 ? .whole : .part(max(0, length - count)..<length)
        }
    }

    /// Returns the `Content-Range` of the response, such as `bytes 0-99/1234` or `bytes */1234`, or nil for the whole
    /// content (RFC 9110 §14.4).
    public func contentRange(length: Int) -> String? {
        switch self {
        case .whole: nil
        case .part(let range): "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(length)"
        case .unsatisfiable: "bytes */\(length)"
        }
    }

    private enum Specification {
        case from(Int, through: Int)
        case suffix(Int)
    }

    /// Reads `bytes=0-499`, `bytes=500-` or `bytes=-500`. Returns nil if the value has another form.
    private static func parse(_ value: String) -> Specification? {
        let bytes = value.utf8
        guard let equals = bytes.firstIndex(of: ASCII.equals), value[..<equals].equalsIgnoringCase("bytes")
        else { return nil }
        let members = Array(FieldList(value[bytes.index(after: equals)...]))
        guard members.count == 1, let hyphen = members[0].utf8.firstIndex(of: ASCII.hyphen) else { return nil }
        let before = members[0].utf8[..<hyphen]
        let after = members[0].utf8[hyphen...].dropFirst()
        if before.isEmpty { return Self.position(after).map { .suffix($0) } }
        guard let first = Self.position(before) else { return nil }
        if after.isEmpty { return .from(first, through: Self.limit) }
        // "An int-range is invalid if the last-pos value is present and less than first-pos."
        guard let last = Self.position(after), first <= last else { return nil }
        return .from(first, through: last)
    }

    /// The largest position. No content is longer, and sums with it do not overflow.
    private static let limit = Int.max / 16

    private static func position(_ digits: Substring.UTF8View) -> Int? {
        ASCII.integer(digits, limit: Int64(limit)).map(Int.init)
    }

    /// Returns true if the condition of `If-Range` holds or the request has none: "A recipient of an If-Range header
    /// field MUST ignore the Range header field if the If-Range condition evaluates as false." (RFC 9110 §13.1.5)
    private static func ifRangeHolds(_ request: HTTPFields, _ stored: HTTPFields) -> Bool {
        let values = request[values: .ifRange]
        guard let value = values.first else { return true }
        guard values.count == 1 else { return false }
        if let tag = EntityTag(value) {
            // "The client [...] comparing using the strong comparison function."
            return stored.entityTag.map { tag.stronglyMatches($0) } ?? false
        }
        // "If the HTTP-date validator provided is not a strong validator in the sense defined by Section 8.8.2.2, the
        // condition is false": it is strong if the response has "a Date value which is at least one second after the
        // Last-Modified value". "If [it] exactly matches the Last-Modified field value [...], the condition is true."
        let epoch = Timestamp(secondsSinceEpoch: 0)
        guard let date = stored.date(.date, now: epoch), let modified = stored.date(.lastModified, now: epoch),
            date.duration(since: modified) >= .seconds(1)
        else { return false }
        return HTTPDate.parse(value, now: epoch) == modified
    }
}
