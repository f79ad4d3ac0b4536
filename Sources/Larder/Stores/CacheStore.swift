public import HTTPCaching
package import HTTPTypes
public import ServiceLifecycle

/// A store of responses, together with the log of invalidations.
///
/// Every store obeys these rules, which `StoreBehaviour` in the product `LarderTestSupport` checks for all of them:
/// - An entry that `load` returns is valid, and its storage time is not over.
/// - An entry whose read version is lower than the version of the invalidation of one of its scopes is never returned.
/// - A store that fails finds nothing and stores nothing, and does not make requests fail.
/// - A store answers each call in time, by its own deadline: the cache does not end a call that takes long, and the
///   request waits for it. Calls come from any number of tasks at the same time.
///
/// Six functions are required. `docs/stores.md` explains how a store is written, and `Examples/Store` is one.
public protocol CacheStore: Service {
    /// Returns the entries that are stored at a location, and the version of the log.
    ///
    /// - Parameters:
    ///   - location: The key and the other scopes of the responses.
    ///   - query: The request that the look-up is for. A store may leave out variants that do not answer it;
    ///     ``Lookup/rules`` lists what they vary by. Nil asks for all variants.
    ///   - now: The current time: entries whose storage time is over are not returned.
    func load(_ location: EntryLocation, for query: VariantQuery?, at now: Timestamp) async -> Lookup

    /// Stores an entry, in place of the variant that it replaces, unless one of its scopes was invalidated since its
    /// read version. Returns the result of that comparison.
    func save(_ entry: CacheEntry, at now: Timestamp) async -> Validity

    /// Removes an entry that the origin has replaced by a response that is not stored, or that is stored as another
    /// variant.
    ///
    /// The variant with the same read version and selecting fields is removed, and so are the older variants of the key
    /// that may answer the same requests, so that they are not found in its place. If another response has taken the
    /// place of the entry since an invalidation, it has a higher read version and stays. Without an invalidation it has
    /// the same read version and is removed as well, which costs a miss.
    func discard(_ entry: CacheEntry) async

    /// Compares the read version and the scopes of a response with the log.
    func validity(of readVersion: LogVersion, scopes: [InvalidationScope]) async -> Validity

    /// Invalidates the scopes. Once this is acknowledged, no process on this store returns a response with an older
    /// read version.
    ///
    /// Waits for the acknowledgement up to the store's own deadline. Without an acknowledgement the invalidation stays
    /// queued: see ``InvalidationResult/pending``.
    @discardableResult
    func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult

    /// Returns the number of keys with a valid stored response.
    ///
    /// A store that has to ask a server returns the last known number while the server cannot be reached. A store with
    /// very many keys returns a number that is up to a minute old.
    func count(at now: Timestamp) async -> Int

    // MARK: Requirements with defaults

    /// The cost in bytes of the largest entry that the store accepts. By default bodies of 1 MiB are accepted, with any
    /// fields within ``CacheEntry/fieldLimit``.
    var entryLimit: ByteCount { get }

    /// Returns the valid entries at a location, if the memory of this process is enough to find them; nil if the store
    /// has none, or must look further. The default returns nil, so that each hit is a call of
    /// ``load(_:for:at:)``.
    func find(_ location: EntryLocation, at now: Timestamp) -> [CacheEntry]?

    /// Invalidates one key, and returns the number of responses that were stored there and whether the invalidation is
    /// acknowledged. The default does not know the number.
    ///
    /// Waits as ``invalidate(_:)`` does.
    @discardableResult
    func remove(_ key: CacheKey, at now: Timestamp) async -> RemovalResult

    /// True if the store can list its keys; by default false.
    var listsKeys: Bool { get }

    /// Returns a part of the keys under which valid responses are stored that a filter selects; nil if the store cannot
    /// list its keys, or cannot be reached. The default returns nil.
    ///
    /// The work of one call is bounded, so that it may find fewer keys than there are, or none, and yet not be at the
    /// end. A key that is stored from the first call to the last is found at least once.
    /// - Parameters:
    ///   - filter: The selection.
    ///   - cursor: The position after the part before (``KeyPage/next``); nil for the first part.
    ///   - limit: The largest number of keys, at least 1.
    ///   - now: The current time.
    func keys(
        matching filter: EntryFilter,
        from cursor: String?,
        upTo limit: Int,
        at now: Timestamp
    ) async -> KeyPage?

    /// Returns the valid responses under exactly this key, the newest first; nil if the store cannot do this without
    /// the request, or cannot be reached. The default returns nil. It is no use of the responses.
    func entries(under key: CacheKey, at now: Timestamp) async -> [CacheEntry]?

    /// Ends the freshness of the valid responses under a key that a filter selects: each is replaced by one with
    /// ``/HTTPCaching/Lifetimes/endingFreshness(at:)``, unless another response has taken its place. It is no
    /// invalidation, and nothing is promised about fetches under way.
    /// - Returns: The number of responses that were selected, fresh or not; nil if the store cannot do this, or cannot
    ///   be reached. The default returns nil.
    func expire(_ key: CacheKey, matching filter: EntryFilter, at now: Timestamp) async -> Int?

    /// True if the store can be reached, as far as is known; by default always true.
    var isAvailable: Bool { get }

    /// The memory that the store uses in this process, and what it has removed; nil, the default, if the store keeps
    /// its entries elsewhere.
    var usage: StoreUsage? { get }

    /// Runs the store's background work until the service is shut down. The default has none, and only waits for that.
    func run() async throws
}

extension CacheStore {
    /// The cost of an entry with a body of 1 MiB.
    public var entryLimit: ByteCount { CacheEntry.limit(forBodiesOf: .mebibytes(1)) }

    /// Returns nil: the store has to be asked by `load`.
    public func find(_ location: EntryLocation, at now: Timestamp) -> [CacheEntry]? { nil }

    /// Invalidates the key, without counting the responses under it.
    @discardableResult
    public func remove(_ key: CacheKey, at now: Timestamp) async -> RemovalResult {
        RemovalResult(removed: nil, invalidation: await invalidate([.key(key)]))
    }

    /// False.
    public var listsKeys: Bool { false }

    /// Returns nil: the store does not list its keys.
    public func keys(
        matching filter: EntryFilter,
        from cursor: String?,
        upTo limit: Int,
        at now: Timestamp
    ) async -> KeyPage? { nil }

    /// Returns nil.
    public func entries(under key: CacheKey, at now: Timestamp) async -> [CacheEntry]? { nil }

    /// Returns nil: the freshness of stored responses cannot be ended.
    public func expire(_ key: CacheKey, matching filter: EntryFilter, at now: Timestamp) async -> Int? { nil }

    /// True.
    public var isAvailable: Bool { true }

    /// Nil.
    public var usage: StoreUsage? { nil }

    /// Waits until the service is shut down.
    public func run() async throws { try await gracefulShutdown() }

    /// Returns every variant that is stored at a location, and the version of the log.
    public func load(_ location: EntryLocation, at now: Timestamp) async -> Lookup {
        await load(location, for: nil, at: now)
    }
}

/// The request that a look-up is for, as far as it decides which variants of a key may answer it.
public struct VariantQuery: Sendable {
    /// The fields of the request by which responses may differ.
    package let fields: HTTPFields
    private let mayUse: @Sendable (CacheEntry) -> Bool

    package init(fields: HTTPFields, mayUse: @escaping @Sendable (CacheEntry) -> Bool) {
        self.fields = fields
        self.mayUse = mayUse
    }

    /// Returns true if a stored response may answer the request.
    public func isAnswered(by entry: CacheEntry) -> Bool { mayUse(entry) }
}

/// The result of a look-up in a store.
public struct Lookup: Sendable {
    /// The variants found, the newest first; empty if nothing is stored, or nothing that answers the request.
    public let entries: [CacheEntry]
    /// The Vary rules of the variants under the key, the newest first, including those that were left out because they
    /// do not answer the request.
    public var rules: [VaryRule] { known ?? entries.map(\.vary) }
    private let known: [VaryRule]?
    /// The version of the log: the read version of a fetch that begins now.
    public let readVersion: LogVersion
    /// The version at which a scope that is known to concern the location (its key, path, prefixes, the policy's tags,
    /// everything) was last invalidated. Invalidations of other scopes do not raise it: a request joins a flight only
    /// if the flight began at this version or later.
    public let newestVersion: UInt64
    /// True if the log was read. Otherwise the invalidations of other processes are unknown, and the request shares a
    /// fetch only if the origin is asked after the request arrived.
    public private(set) var isKnown = true

    /// Creates the result of a look-up.
    /// - Parameters:
    ///   - entries: The variants found, the newest first.
    ///   - readVersion: The version of the log.
    ///   - newestVersion: The version at which a scope that is known to concern the location was last invalidated.
    ///   - rules: The Vary rules of the variants under the key; nil if `entries` has all variants.
    public init(entries: [CacheEntry], readVersion: LogVersion, newestVersion: UInt64, rules: [VaryRule]? = nil) {
        self.entries = entries
        self.known = rules
        self.readVersion = readVersion
        self.newestVersion = newestVersion
    }
}

extension Lookup {
    /// Returns the result of a look-up that could not read the log: nothing is found.
    /// - Parameter readVersion: A version that no log has had, for a fetch whose response is not stored.
    public static func unknown(at readVersion: LogVersion) -> Lookup {
        var lookup = Lookup(entries: [], readVersion: readVersion, newestVersion: readVersion.number)
        lookup.isKnown = false
        return lookup
    }
}

/// The acknowledgement of an invalidation by the store's invalidation log, or its absence.
public enum InvalidationResult: Hashable, Sendable {
    /// The store confirmed the invalidation: a request that starts after it never gets a response that was rendered
    /// before it, from any process on the store.
    case acknowledged
    /// The store did not confirm the invalidation within its deadline; it stays queued in this process.
    ///
    /// This process serves nothing from the store until the invalidation is delivered, which is tried repeatedly
    /// without any further call. Other processes that still reach the store may serve the old response until then. If
    /// this process ends first, the invalidation is lost, and the old response may be served until its lifetime ends.
    case pending
}

/// The result of removing a key.
public struct RemovalResult: Hashable, Sendable {
    /// The number of responses that were stored under the key, neither expired nor invalidated, with all Vary variants.
    /// A memory store counts every spelling of the URL, and a Redis store the common ones. Nil if the store does not
    /// know the number.
    public let removed: Int?
    /// The result of the key's invalidation.
    public let invalidation: InvalidationResult

    /// True if a response was stored under the key, neither expired nor invalidated. True if the store does not know.
    public var wasStored: Bool { removed != 0 }

    /// Creates a result.
    public init(removed: Int?, invalidation: InvalidationResult) {
        self.removed = removed
        self.invalidation = invalidation
    }
}

extension RemovalResult {
    /// The result of removing nothing.
    package static let nothing = RemovalResult(removed: 0, invalidation: .acknowledged)

    /// Returns the result of this removal and another one together.
    package func adding(_ other: RemovalResult) -> RemovalResult {
        RemovalResult(
            removed: removed.flatMap { count in other.removed.map { count + $0 } },
            invalidation: invalidation == .pending ? .pending : other.invalidation
        )
    }
}
