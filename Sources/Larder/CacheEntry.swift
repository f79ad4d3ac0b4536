public import HTTPCaching
public import HTTPTypes
public import NIOCore

/// A response in a store: immutable, shared by everyone it is served to.
public final class CacheEntry: Sendable {
    /// The status, and the fields as they are sent, but for `Age` and `Cache-Status`.
    public let head: HTTPResponse
    /// The whole body.
    public let body: ByteBuffer
    /// How long the response is fresh, may be served stale, and is kept.
    public let lifetimes: Lifetimes
    /// Which request fields the response was selected by.
    public let vary: VaryRule
    /// The values of those fields that it was selected for.
    public let selectingFields: SelectingFields
    /// Where the invalidations stood before the origin was asked.
    public let birth: Birth
    /// Where the response lives.
    public let address: CacheAddress
    /// The tags that the handler added.
    public let tags: [CacheTag]
    /// The fingerprints of everything whose invalidation kills this entry.
    let covers: [Cover.Fingerprint]
    /// What the entry takes of a store's limit, in bytes.
    public let cost: Int

    /// An entry.
    /// - Parameters:
    ///   - request: the request that the response answers.
    ///   - head: the response's head, already without what is not stored.
    ///   - tags: the tags that the handler added.
    public convenience init(
        request: HTTPRequest,
        head: HTTPResponse,
        body: ByteBuffer,
        lifetimes: Lifetimes,
        birth: Birth,
        address: CacheAddress,
        tags: [CacheTag]
    ) {
        let vary = VaryRule(head.headerFields)
        self.init(
            head: head,
            body: body,
            lifetimes: lifetimes,
            selectingFields: vary.selectingFields(of: request.selectableFields) ?? .none,
            birth: birth,
            address: address,
            tags: tags
        )
    }

    /// An entry of what a store outside of the process kept of it. What follows from these parts is made anew.
    package init(
        head: HTTPResponse,
        body: ByteBuffer,
        lifetimes: Lifetimes,
        selectingFields: SelectingFields,
        birth: Birth,
        address: CacheAddress,
        tags: [CacheTag]
    ) {
        self.head = head
        self.body = body.fitted
        self.lifetimes = lifetimes
        self.vary = VaryRule(head.headerFields)
        self.selectingFields = selectingFields
        self.birth = birth
        self.address = address
        self.tags = tags
        self.covers = address.covers(with: tags).map(\.fingerprint)
        self.cost = Self.cost(of: head, body: self.body, address: address, tags: tags, covers: covers.count)
    }

    /// Whether the response may answer a request (RFC 9111 §4.1).
    public func matches(_ request: HTTPRequest) -> Bool {
        vary == .nothing || vary.matches(request.selectableFields, stored: selectingFields)
    }
}

extension CacheEntry {
    /// What an entry takes beyond its text and body: the object, its arrays, and its places in a store's tables.
    /// Measured against the allocator by a test of the memory store; it is rounded up, never down.
    static let overhead = 768
    /// What a field takes beyond its name and value.
    static let fieldOverhead = 112

    private static func cost(
        of head: HTTPResponse,
        body: ByteBuffer,
        address: CacheAddress,
        tags: [CacheTag],
        covers: Int
    ) -> Int {
        var cost = overhead + body.storageCapacity + 2 * address.key.description.utf8.count + 8 * covers
        for field in head.headerFields {
            cost += fieldOverhead + 2 * field.name.rawName.utf8.count + field.value.utf8.count
        }
        for tag in tags {
            cost += 32 + tag.description.utf8.count
        }
        return cost
    }
}

extension ByteBuffer {
    /// The readable bytes in an allocation of their own size: an entry that is kept must not keep the buffer it was
    /// sliced from.
    var fitted: ByteBuffer {
        guard storageCapacity > readableBytes else { return self }
        var copy = ByteBufferAllocator().buffer(capacity: readableBytes)
        copy.writeImmutableBuffer(self)
        return copy.storageCapacity < storageCapacity ? copy : self
    }
}
