public import HTTPCaching
public import HTTPTypes
public import NIOCore
import Synchronization

/// A stored response: immutable, and shared by all requests that it answers.
public final class CacheEntry: Sendable {
    /// The status, and the fields as they are sent, without `Age` and `Cache-Status`.
    public let head: HTTPResponse
    /// The whole body.
    public let body: ByteBuffer
    /// The times for which the response is fresh, may be served stale, and is stored.
    public let lifetimes: Lifetimes
    /// The rule by which the response answers requests: the fields it varies by, and its content coding.
    public let variant: VariantRule
    /// The values that its own request had in the fields that the response is selected by.
    public let selectingFields: SelectingFields
    /// The version of the invalidation log before the origin was asked.
    public let readVersion: LogVersion
    /// The location of the response in the store.
    public let location: EntryLocation
    /// The tags that the handler added.
    public let tags: [CacheTag]
    /// The fingerprints of the scopes that the entry belongs to: the invalidation of any of them invalidates it.
    let scopes: [InvalidationScope.Fingerprint]
    /// The fingerprints of the key, paths, prefixes and tags among the scopes. The first scope is "everything".
    var namedScopes: ArraySlice<InvalidationScope.Fingerprint> { scopes.dropFirst() }
    /// True if a cache inside this one says what clients are told.
    let hasInnerClientCaching: Bool
    /// The number of bytes that the entry takes of a store's limit, as the objects that it is. A ``MemoryStore`` packs
    /// small entries, and charges what is left.
    public let cost: Int
    /// The number of the last use, in a count of all uses; 0 if the entry was not used.
    private let lastUse: UseMark
    /// The number of uses that the store has not seen yet.
    private let uses = Atomic<UInt32>(0)
    /// The part of a budget that the entry takes while no store of this process holds it.
    private let charge: EntryCharge
    /// The value that the body is the encoding of; nil if the entry is the response of a route.
    private let decodedValue: DecodedValue?

    /// Creates the entry of a response that was fetched.
    /// - Parameters:
    ///   - request: The request that the response answers.
    ///   - head: The response's head, without the fields that are not stored.
    ///   - body: The whole body.
    ///   - lifetimes: The times for which the response is fresh, may be served stale, and is stored.
    ///   - readVersion: The version of the invalidation log before the origin was asked.
    ///   - location: The location of the response in the store.
    ///   - tags: The tags that the handler added.
    ///   - confirmed: The stored response that the origin has confirmed for this request, if it did: the new entry
    ///     still answers the requests that this one answered.
    public convenience init(
        request: HTTPRequest,
        head: HTTPResponse,
        body: ByteBuffer,
        lifetimes: Lifetimes,
        readVersion: LogVersion,
        location: EntryLocation,
        tags: [CacheTag],
        confirmed: CacheEntry? = nil
    ) {
        let variant = VariantRule(head.headerFields)
        var selecting = variant.selectingFields(of: request.selectableFields) ?? .unmatchable
        if let confirmed, confirmed.variant == variant, confirmed.selectingFields.fieldLines == selecting.fieldLines {
            selecting = selecting.adding(confirmed.selectingFields.preferredCodings)
        }
        self.init(
            head: head,
            body: body.fitted,
            lifetimes: lifetimes,
            selectingFields: selecting,
            readVersion: readVersion,
            location: location,
            tags: tags
        )
    }

    /// Creates an entry from the parts that a store outside of the process has stored. Everything else is computed from
    /// them.
    public convenience init(
        head: HTTPResponse,
        body: ByteBuffer,
        lifetimes: Lifetimes,
        selectingFields: SelectingFields,
        readVersion: LogVersion,
        location: EntryLocation,
        tags: [CacheTag]
    ) {
        self.init(
            head: head,
            body: body,
            lifetimes: lifetimes,
            selectingFields: selectingFields,
            readVersion: readVersion,
            location: location,
            tags: tags,
            lastUse: UseMark()
        )
    }

    /// Creates an entry in the same way, with the last use of the variant that it is.
    /// - Parameters:
    ///   - scopes: The fingerprints of the entry's scopes, if they are known.
    ///   - isCopy: True if the store has the response in another form, too, and gives this object up for others.
    package init(
        head: HTTPResponse,
        body: ByteBuffer,
        lifetimes: Lifetimes,
        selectingFields: SelectingFields,
        readVersion: LogVersion,
        location: EntryLocation,
        tags: [CacheTag],
        lastUse: UseMark,
        scopes: [InvalidationScope.Fingerprint]? = nil,
        isCopy: Bool = false
    ) {
        self.head = head
        // A part of a larger value need not be copied, unless that would hold twice the memory of the copy.
        self.body = body.storageCapacity >= 2 * body.readableBytes ? body.fitted : body
        self.lifetimes = lifetimes
        self.variant = VariantRule(head.headerFields)
        self.selectingFields = selectingFields
        self.readVersion = readVersion
        self.location = location
        self.tags = tags
        let scopes = scopes ?? location.scopes(with: tags).map(\.fingerprint)
        self.scopes = scopes
        self.hasInnerClientCaching = head.headerFields.contains(.larderClientCaching)
        self.cost = Self.cost(
            of: head,
            body: self.body,
            variant: variant,
            selectingFields: selectingFields,
            location: location,
            tags: tags,
            scopes: scopes.count
        )
        self.lastUse = lastUse
        self.charge = EntryCharge(needsRoom: isCopy)
        self.decodedValue = location.isOfValue ? DecodedValue() : nil
    }

    deinit { charge.end(cost) }

    /// Returns a copy of the entry whose freshness has ended (``/HTTPCaching/Lifetimes/endingFreshness(at:)``).
    package func endingFreshness(at now: Timestamp) -> CacheEntry {
        CacheEntry(
            head: head,
            body: body,
            lifetimes: lifetimes.endingFreshness(at: now),
            selectingFields: selectingFields,
            readVersion: readVersion,
            location: location,
            tags: tags,
            lastUse: lastUse,
            scopes: scopes
        )
    }

    /// Returns the value that the body is the encoding of. It is decoded once.
    /// - Throws: A `DecodingError` if the body is not the encoding of such a value.
    func decoded<Value: Decodable & Sendable>(as type: Value.Type) throws -> Value {
        let isFailure = head.headerFields.contains(.larderFailure)
        guard let decodedValue else { return try ValueCoding.decode(body, as: type, isFailure: isFailure) }
        return try decodedValue.value(of: body, as: type, isFailure: isFailure)
    }

    /// The fields that the response varies by.
    public var vary: VaryRule { variant.vary }

    /// Returns true if the response may answer a request (RFC 9111 §4.1).
    public func matches(_ request: HTTPRequest) -> Bool {
        let fields = vary == .nothing ? request.headerFields : request.selectableFields
        return variant.matches(fields, stored: selectingFields)
    }
}

// MARK: - Memory beside the store

extension CacheEntry {
    /// True if a store of this process holds the entry, as this object.
    package var isHeldByStore: Bool { charge.isStored }

    /// True if the entry's cost is charged to a budget now.
    package var isInFlight: Bool { charge.isTaken }

    /// Charges the entry's cost to a budget, for as long as something uses the entry and no store of this process holds
    /// it.
    package func charge(to budget: InFlightBudget) {
        _ = charge.begin(cost, in: budget) { budget, cost in
            budget.charge(cost)
            return true
        }
    }

    /// Charges the entry's cost to a budget in the same way, if the budget has room for it. A copy of a packed response
    /// needs room even if the store holds it: the store gives it up for the next one, and it is still being sent.
    /// - Returns: False if it has none.
    @discardableResult
    func take(from budget: InFlightBudget) -> Bool {
        charge.begin(cost, in: budget) { $0.take($1) }
    }

    /// Notes that a store of this process holds the entry, and suspends its charge.
    func noteStored() { charge.setStored(true, cost) }

    /// Notes that the store does not hold the entry any more, and resumes its charge.
    func noteRemoved() { charge.setStored(false, cost) }
}

// MARK: - Variants of a key

extension CacheEntry {
    /// Returns true if this response may answer every request that `other` may, so that it replaces it.
    package func replaces(_ other: CacheEntry) -> Bool {
        guard vary == other.vary, selectingFields.fieldLines == other.selectingFields.fieldLines else { return false }
        guard variant.dependsOnPreferredCodings, other.variant.dependsOnPreferredCodings else { return true }
        return other.selectingFields.preferredCodings.isSubset(of: selectingFields.preferredCodings)
    }

    /// Returns true if no request can be answered by both this response and `other`.
    package func isApart(from other: CacheEntry) -> Bool {
        vary == other.vary && vary != .nothing
            && selectingFields.fieldLines != other.selectingFields.fieldLines
    }

    /// Counts a request that the entry answers, or that asks the origin to confirm it: once for each request. A store
    /// in memory evicts entries that have few uses.
    package func noteUse() { if uses.load(ordering: .relaxed) < 255 { uses.add(1, ordering: .relaxed) } }

    /// Returns the number of uses since the last call.
    func takeUses() -> Int {
        uses.load(ordering: .relaxed) == 0 ? 0 : Int(uses.exchange(0, ordering: .relaxed))
    }

    /// Counts a use, so that a store can evict the least recently used variants of a key.
    package func markUsed() { lastUse.mark() }

    /// The number of the last use: a higher number is a later use.
    package var usedAt: UInt64 { lastUse.number }
}

/// The last use of a variant, numbered by a counter of the process.
package final class UseMark: Sendable {
    private static let uses = Atomic<UInt64>(0)
    private let last = Atomic<UInt64>(0)

    package init() {}

    /// The number of the last use: a higher number is a later use; 0 if there was none.
    package var number: UInt64 { last.load(ordering: .relaxed) }

    package func mark() {
        last.store(Self.uses.wrappingAdd(1, ordering: .relaxed).newValue, ordering: .relaxed)
    }
}

extension CacheEntry {
    /// The number of bytes that key, fields and tags of a response may take beside a body of the largest size: 256 KiB.
    public static let fieldLimit = ByteCount.kibibytes(256)

    /// Returns the entry limit with which bodies up to `body` are stored with any fields within ``fieldLimit``. A
    /// store's `entryLimit` is compared with everything that an entry takes, and a policy's `bodyLimit` with the body
    /// alone.
    public static func limit(forBodiesOf body: ByteCount) -> ByteCount {
        let (bytes, overflow) = ByteBuffer.allocated(min(body.bytes, .max / 2))
            .addingReportingOverflow(fieldLimit.bytes)
        return .bytes(overflow ? .max : bytes)
    }

    /// Returns the size of the largest body that a store with the entry limit `limit` stores with any fields within
    /// ``fieldLimit``, in whole KiB.
    public static func bodyLimit(forEntriesUpTo limit: ByteCount) -> ByteCount {
        // The allocator adds less than two pages.
        let room = limit.bytes - fieldLimit.bytes
        let body = max(0, room) / 1_024 * 1_024
        let fitting = [body, body - MappedMemory.page, body - 2 * MappedMemory.page].first {
            $0 >= 0 && self.limit(forBodiesOf: .bytes($0)) <= limit
        }
        return .bytes(fitting ?? 0)
    }

    /// The number of bytes that an entry takes beyond its text and body: the object, its arrays, and its places in a
    /// store's tables. A test of the memory store measures it against the allocator; it is rounded up, never down.
    static let overhead = 768
    /// The number of bytes that a field takes beyond its name and value.
    static let fieldOverhead = 112
    /// The number of bytes that the name of a field which a response varies by takes beyond its text.
    static let nameOverhead = 32
    /// The number of bytes that a decoded value takes beyond its contents.
    static let decodedValueOverhead = 128
    /// The number of bytes that a scope takes beside its link in the store's chains: its fingerprint.
    static let scopeOverhead = 8

    private static func cost(
        of head: HTTPResponse,
        body: ByteBuffer,
        variant: VariantRule,
        selectingFields: SelectingFields,
        location: EntryLocation,
        tags: [CacheTag],
        scopes: Int
    ) -> Int {
        var cost =
            overhead + ByteBuffer.allocated(body.readableBytes) + scopeOverhead * scopes
            + ScopeIndex.cost(links: scopes)
        // The decoded value, whose size is not known.
        if location.isOfValue { cost += decodedValueOverhead + body.readableBytes }
        let key = location.key.description.utf8.count
        cost += key + max(key, location.target.utf8.count)
        cost += head.status.reasonPhrase.utf8.count + selectingFields.text.utf8.count
        // The field lines are a separate text if there are preferred codings.
        if !selectingFields.preferredCodings.isEmpty { cost += selectingFields.fieldLines.utf8.count }
        if case .fields(let names) = variant.vary {
            cost += names.reduce(0) { $0 + nameOverhead + 2 * $1.rawName.utf8.count }
        }
        for field in head.headerFields {
            cost += fieldOverhead + 2 * field.name.rawName.utf8.count + field.value.utf8.count
        }
        for tag in location.tags + tags {
            cost += 32 + tag.description.utf8.count
        }
        return cost
    }
}
