import Crypto
import HTTPCaching
import HTTPTypes
import NIOCore

/// Makes what is stored of what the origin answered, and what is sent of what is stored. Decides nothing about caching.
struct Serving: Sendable {
    /// The name of this cache in `Cache-Status` (RFC 9211 §2).
    let name: String

    /// The answer to a request from an entry: the whole response, its head alone, or a 304 (RFC 9111 §4.3.2).
    func response<Response: OriginResponse>(
        _ entry: CacheEntry,
        to inquiry: Inquiry,
        at now: Timestamp,
        _ outcome: CacheStatus.Outcome,
        detail: String? = nil
    ) -> Response {
        var head = entry.head
        let isNotModified =
            inquiry.isConditional
            && Preconditions.evaluate(inquiry.request, stored: head, receivedAt: entry.lifetimes.born) == .notModified
        if isNotModified {
            head = HTTPResponse(
                status: .notModified,
                headerFields: Preconditions.notModifiedFields(from: head.headerFields)
            )
        }
        // RFC 9111 §4: "When a stored response is used to satisfy a request without validation, a cache MUST generate
        // an Age header field".
        let age = entry.lifetimes.age(at: now)
        if age > 0 || outcome.isReuse {
            head.headerFields.append(HTTPField(name: .age, value: String(age)))
        }
        status(outcome, ttl: entry.lifetimes.ttl(at: now), detail: detail).append(to: &head.headerFields)
        return isNotModified || inquiry.isHead ? Response(headOnly: head) : Response(head: head, body: entry.body)
    }

    /// The origin's own head as a client gets it: with this cache's word, and without what only caches read.
    func head(
        _ head: HTTPResponse,
        _ outcome: CacheStatus.Outcome,
        detail: String? = nil,
        policy: CachePolicy
    ) -> HTTPResponse {
        var head = head
        for name in policy.rules.tagFields { head.headerFields[name] = nil }
        status(outcome, detail: detail).append(to: &head.headerFields)
        return head
    }

    private func status(_ outcome: CacheStatus.Outcome, ttl: Int? = nil, detail: String?) -> CacheStatus {
        CacheStatus(cache: name, outcome, ttl: ttl, detail: detail)
    }
}

extension Serving {
    /// The head of a response as it is stored: without what belongs to the connection, with the body's length, and with
    /// a validator.
    static func storedHead(
        _ head: HTTPResponse,
        body: ByteBuffer,
        directives: ResponseDirectives,
        receivedAt: Timestamp,
        policy: CachePolicy
    ) -> HTTPResponse {
        var stored = HTTPResponse(
            status: head.status,
            headerFields: HopByHop.storedFields(
                of: head.headerFields,
                directives: directives,
                receivedAt: receivedAt
            )
        )
        for name in policy.rules.tagFields { stored.headerFields[name] = nil }
        stored.headerFields[.contentLength] = String(body.readableBytes)
        if policy.makesEntityTags, !stored.headerFields.contains(.eTag) {
            stored.headerFields[.eTag] = entityTag(of: body)
        }
        return stored
    }

    /// A strong validator made of the body: the first half of its SHA-256, the same in every process.
    static func entityTag(of body: ByteBuffer) -> String {
        let digest = body.withUnsafeReadableBytes { SHA256.hash(data: $0) }
        var tag: [UInt8] = [UInt8(ascii: "\"")]
        for byte in digest.prefix(16) {
            tag.append(PercentEncoding.digit(byte >> 4))
            tag.append(PercentEncoding.digit(byte & 0xF))
        }
        tag.append(UInt8(ascii: "\""))
        return String(decoding: tag, as: UTF8.self)
    }
}

extension CacheStatus.Outcome {
    /// Whether the answer was made for somebody else before.
    fileprivate var isReuse: Bool {
        switch self {
        case .hit: true
        case .forwarded(_, _, _, let collapsed): collapsed
        }
    }
}
