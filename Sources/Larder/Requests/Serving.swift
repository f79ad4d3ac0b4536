import Crypto
public import HTTPCaching
public import HTTPTypes
public import NIOCore

/// The conversion of the origin's responses to stored responses, and of stored responses to the responses that clients
/// get. It makes no decision about caching.
final class Serving: Sendable {
    /// The name of this cache in `Cache-Status` (RFC 9211 §2).
    let name: String
    /// `Age` for ages below 900 seconds, and the `Cache-Status` of a fresh hit with a remaining lifetime below 900
    /// seconds: nearly every hit has one of each, and formatting text would be the largest part of its cost.
    private let ages: [HTTPField]
    private let hits: [HTTPField]
    private static var prepared: Int { 900 }

    init(name: String) {
        self.name = name
        ages = (0..<Self.prepared).map { HTTPField(name: .age, value: String($0)) }
        hits = (0..<Self.prepared).map {
            HTTPField(name: .cacheStatus, value: CacheStatus(cache: name, .hit, ttl: $0).serialized())
        }
    }

    /// Returns the response to a request from an entry: the whole response, its head alone, a range of it, or a 304
    /// (RFC 9111 §4.3.2).
    /// - Parameters:
    ///   - frames: The fetches that the request is made in.
    ///   - received: The fields that the origin sent for this very request; nil if it sent none.
    func answer(
        _ entry: CacheEntry,
        to cacheable: CacheableRequest,
        at now: Timestamp,
        _ outcome: CacheStatus.Outcome,
        in frames: [FetchContext.Frame],
        detail: String? = nil,
        received: HTTPFields? = nil
    ) -> ServedResponse {
        let whole = received.map { Self.head(of: entry, received: $0, cacheable.policy) } ?? entry.head
        let notModified = cacheable.notModified(whole, receivedAt: entry.lifetimes.generatedAt)
        var head = notModified ?? whole
        var body = notModified != nil || cacheable.isHead ? nil : entry.body
        if cacheable.hasRange, let whole = body { body = Self.cut(&head, whole, for: cacheable.request, at: now) }
        // RFC 9111 §4: "When a stored response is used to satisfy a request without validation, a cache MUST generate
        // an Age header field".
        let age = entry.lifetimes.age(at: now)
        let showsAge = age > 0 || outcome.isReuse
        if showsAge {
            head.headerFields.append(ages.indices.contains(age) ? ages[age] : HTTPField(name: .age, value: String(age)))
        }
        let ttl = entry.lifetimes.ttl(at: now)
        cacheable.policy.tellClients(
            &head,
            age: age,
            isPersonal: cacheable.isPersonal,
            isNested: !frames.isEmpty,
            hasInner: received != nil || entry.hasInnerClientCaching
        )
        if !frames.isEmpty {
            Self.addTags((entry.location.tags + entry.tags).map(\.description), to: frames, in: &head.headerFields)
            // The cache around this one stores no response for longer than it is fresh here.
            if cacheable.policy.originKind == .handler, ttl > 0 {
                head.headerFields[.larderCacheControl] = HandlerDirective.fresh(for: .seconds(age + ttl)).fieldValue
            }
        }
        let status = CacheStatus(cache: name, outcome, ttl: ttl, detail: detail)
        if outcome == .hit, detail == nil, hits.indices.contains(ttl) {
            head.headerFields.append(hits[ttl])
        } else {
            status.append(to: &head.headerFields)
        }
        return ServedResponse(
            head: head,
            body: body,
            entry: body == nil ? nil : entry,
            status: status,
            age: showsAge ? age : nil
        )
    }

    /// Returns the origin's head as a client gets it: with the `Cache-Status` of this cache, and without the fields
    /// that only caches read. A server's head also loses its hop-by-hop fields, since the connection to the server is
    /// not the client's.
    func head(
        _ head: HTTPResponse,
        _ outcome: CacheStatus.Outcome,
        in frames: [FetchContext.Frame],
        detail: String? = nil,
        policy: CachePolicy,
        isPersonal: Bool = true,
        at now: Timestamp
    ) -> ServedHead {
        var head = head
        if policy.originKind == .server {
            HopByHop.strip(&head.headerFields)
            // "A recipient with a clock that receives a response message without a Date header field MUST […] append a
            // corresponding Date header field […] if it is cached or forwarded downstream." (RFC 9110 §6.6.1)
            if !head.headerFields.contains(.date) { head.headerFields[.date] = HTTPDate.format(now) }
        }
        if outcome != .forwarded(.method, status: head.status.code) {
            policy.tellClients(&head, age: 0, isPersonal: isPersonal, isNested: !frames.isEmpty)
        }
        if frames.isEmpty {
            for name in policy.rules.tagFields { head.headerFields[name] = nil }
            if policy.originKind == .handler { head.headerFields[.larderCacheControl] = nil }
        } else {
            let tags = ResponseTags(head.headerFields, named: policy.rules.tagFields)
            for name in policy.rules.tagFields { head.headerFields[name] = nil }
            let texts = (policy.tags + tags.tags).map(\.description) + tags.rejected
            Self.addTags(texts, to: frames, in: &head.headerFields)
        }
        let status = CacheStatus(cache: name, outcome, detail: detail)
        status.append(to: &head.headerFields)
        return ServedHead(head: head, status: status)
    }

    /// Adds the tags of a response for the cache around this one. The response of that cache is made from this one, and
    /// has to be invalidated with it.
    private static func addTags(_ tags: [String], to frames: [FetchContext.Frame], in fields: inout HTTPFields) {
        guard !tags.isEmpty, let name = frames.last?.tagFields.first else { return }
        for tag in tags { fields.append(HTTPField(name: name, value: tag)) }
    }

    /// Returns the head of a response for the client whose request was forwarded, with every field that the origin
    /// sent.
    ///
    /// The fields that `no-cache` names are withheld from others: a cache may use the response "to satisfy a subsequent
    /// request […] if the listed header fields are excluded from the subsequent response" (RFC 9111 §5.2.2.4), and
    /// those that `private` names are not stored (§5.2.2.7). This is not a subsequent request.
    private static func head(of entry: CacheEntry, received: HTTPFields, _ policy: CachePolicy) -> HTTPResponse {
        var head = entry.head
        var received = received
        if policy.originKind == .server { HopByHop.strip(&received) }
        for field in received where !entry.head.headerFields.contains(field.name) {
            switch field.name {
            // These fields describe the encoding, the length and the age of the stored body.
            case .contentLength, .contentEncoding, .contentRange, .transferEncoding, .age: continue
            case .larderCacheControl where policy.originKind == .handler: continue
            case let name where policy.rules.tagFields.contains(name): continue
            default: head.headerFields.append(field)
            }
        }
        return head
    }
}

/// A response made from a stored response, independent of any framework.
@usableFromInline
package struct ServedResponse: Sendable {
    @usableFromInline package let head: HTTPResponse
    /// The body; nil if the response is a head alone.
    @usableFromInline package let body: ByteBuffer?
    /// The stored response that the body belongs to.
    @usableFromInline package let entry: CacheEntry?
    /// The way in which the cache handled the request, as `Cache-Status` says it.
    @usableFromInline package let status: CacheStatus
    /// The value of `Age` in seconds; nil if the head does not have the field.
    package let age: Int?

    package init(
        head: HTTPResponse,
        body: ByteBuffer?,
        entry: CacheEntry?,
        status: CacheStatus,
        age: Int? = nil
    ) {
        (self.head, self.body, self.entry, self.status, self.age) = (head, body, entry, status, age)
    }
}

extension OriginResponse {
    /// Creates the framework's response from an answer.
    @inlinable
    init(_ answer: ServedResponse) {
        if let body = answer.body {
            self.init(head: answer.head, body: body)
            if let entry = answer.entry { hold(entry) }
        } else {
            self.init(headOnly: answer.head)
        }
        note(answer.status)
    }
}

/// A head of the origin as a client gets it, with the way in which the cache handled the request.
struct ServedHead: Sendable {
    let head: HTTPResponse
    let status: CacheStatus
}

extension OriginResponse {
    /// Creates a response without a body.
    init(headOnly served: ServedHead) {
        self.init(headOnly: served.head)
        note(served.status)
    }

    /// Creates a response whose body is still being read.
    init(_ served: ServedHead, streaming body: BodyReader, length: Int?) {
        self.init(head: served.head, streaming: body, length: length)
        note(served.status)
    }

    /// Changes the head to the one that the client gets.
    mutating func take(_ served: ServedHead) {
        head = served.head
        note(served.status)
    }
}

extension Serving {
    /// Returns the head of a response as it is stored: without the fields that belong to the connection, with the
    /// body's length, and with an entity tag if the policy makes them.
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
        if policy.originKind == .handler { stored.headerFields[.larderCacheControl] = nil }
        // "A server MUST NOT send a Content-Length header field in any response with a status code of 1xx
        // (Informational) or 204 (No Content)." (RFC 9110 §8.6)
        stored.headerFields[.contentLength] = head.status == .noContent ? nil : String(body.readableBytes)
        if policy.makesEntityTags, !stored.headerFields.contains(.eTag) {
            stored.headerFields[.eTag] = entityTag(of: body)
        }
        return stored
    }

    /// Returns a strong validator made from the body: the first half of its SHA-256, the same in every process.
    static func entityTag(of body: ByteBuffer) -> String {
        let digest = body.withUnsafeReadableBytes { SHA256.hash(data: $0) }
        return "\"" + Hexadecimal.text(digest.prefix(16), uppercase: true) + "\""
    }
}

extension FlightOutcome.Source {
    /// Returns the `Cache-Status` of a request that asked the origin, or waited for one that did.
    func outcome(_ reason: CacheStatus.ForwardReason, collapsed: Bool = false) -> CacheStatus.Outcome {
        switch self {
        case .fetched(let status, let notStored):
            .forwarded(reason, status: status, stored: notStored == nil, collapsed: collapsed)
        case .validated(let status, _): .forwarded(reason, status: status, collapsed: collapsed)
        case .staleOnError(let status): .forwarded(reason, status: status, collapsed: collapsed)
        case .staleOnSoftTimeout: .forwarded(reason, collapsed: collapsed)
        case .stalePaused: .hit
        }
    }

    var detail: String? {
        switch self {
        case .fetched(_, let notStored), .validated(_, let notStored): notStored?.detail
        case .staleOnError, .stalePaused: Self.staleIfError
        case .staleOnSoftTimeout: Self.softTimeout
        }
    }

    private static var staleIfError: String { "stale-if-error" }
    private static var softTimeout: String { "soft-timeout" }

    /// The details of requests that were forwarded, and got a stale response nevertheless.
    static var staleDetails: [String] { [staleIfError, softTimeout] }

    /// The kind of miss that the request counts as.
    var kind: CacheEvent.Miss {
        switch self {
        case .fetched, .validated: .led
        case .staleOnError, .stalePaused: .staleOnError
        case .staleOnSoftTimeout: .staleOnTimeout
        }
    }
}

extension CacheStatus.Outcome {
    /// True if the response was made for another request before.
    fileprivate var isReuse: Bool {
        switch self {
        case .hit: true
        case .forwarded(_, _, _, let collapsed): collapsed
        }
    }
}
