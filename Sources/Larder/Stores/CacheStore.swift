public import HTTPCaching
package import HTTPTypes
public import ServiceLifecycle

/// Where responses are kept, together with the ledger of what was invalidated.
///
/// The contract that every store keeps, and that the shared behaviour suite checks: what `load` returns is alive and
/// was not past its keeping; a fill whose birth is before a covering invalidation is never returned again; a failing
/// store finds nothing and stores nothing, and fails no request.
public protocol CacheStore: Service {
    /// The largest entry worth offering, by its cost.
    var entryLimit: ByteCount { get }

    /// What is kept at an location and alive, where that can be told at once from the memory of this process; nil where
    /// the store has nothing, or has to look further.
    func find(_ location: EntryLocation, at now: Timestamp) -> [CacheEntry]?

    /// Returns what is stored at an location, and where the invalidations stand.
    ///
    /// - Parameter query: the request that the look-up is for. A store may leave out variants that do not answer it; it
    ///   lists what they vary by in ``Lookup/rules``. Nil asks for all variants.
    func load(_ location: EntryLocation, for query: VariantQuery?, at now: Timestamp) async -> Lookup

    /// Keeps an entry, in place of the variant it replaces, unless it was overtaken by an invalidation; says whether it
    /// was.
    func save(_ entry: CacheEntry, at now: Timestamp) async -> Verdict

    /// Removes an entry that the origin has replaced by what is not stored, or by what is stored as another variant:
    /// the variant with the same birth and selecting fields, and older variants of the key that may answer the same
    /// requests, so that they do not come back in its place. What has taken its place after an invalidation stays;
    /// before one the two cannot be told apart, and losing the newer costs a miss.
    func discard(_ entry: CacheEntry) async

    /// Whether something born at `readVersion` that these covers belong to is alive.
    func judge(_ readVersion: LogVersion, scopes: [InvalidationScope]) async -> Verdict

    /// Stamps the covers. Once this is acknowledged, nothing born before is ever returned again by any process on this
    /// store.
    ///
    /// Waits for the acknowledgement up to the store's own deadline. Without one the invalidation stays queued: see
    /// ``InvalidationResult/pending``.
    @discardableResult
    func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult

    /// Stamps the one key, and returns how many responses were stored there and whether the invalidation is
    /// acknowledged.
    ///
    /// Waits as ``invalidate(_:)`` does.
    @discardableResult
    func remove(_ key: CacheKey, at now: Timestamp) async -> RemovalResult

    /// Returns the number of keys under which something is kept and alive.
    ///
    /// A store that has to ask a server returns the last number it knows while the server is away, and one that holds
    /// very many keys a number that is up to a minute old.
    func count(at now: Timestamp) async -> Int

    /// True if the store can be reached, as far as is known.
    var isAvailable: Bool { get }
}

extension CacheStore {
    public func find(_ location: EntryLocation, at now: Timestamp) -> [CacheEntry]? { nil }

    public var isAvailable: Bool { true }

    /// Returns every variant that is stored at an location, and where the invalidations stand.
    public func load(_ location: EntryLocation, at now: Timestamp) async -> Lookup {
        await load(location, for: nil, at: now)
    }
}

/// The request that a look-up is for, as far as it tells which variants of a key may answer it.
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

/// What a store found.
public struct Lookup: Sendable {
    /// The variants found, the newest first; none if nothing is stored, or nothing that answers the request.
    public let entries: [CacheEntry]
    /// The Vary rules of the variants under the key, the newest first, those included that were left out because they
    /// do not answer the request.
    public var rules: [VaryRule] { known ?? entries.map(\.vary) }
    private let known: [VaryRule]?
    /// Where the invalidations stood: the birth of a fetch that begins now.
    public let readVersion: LogVersion
    /// The number at which something that is known beforehand to cover the location (its key, path, prefixes, the
    /// policy's tags, everything) was last invalidated. Invalidations of anything else do not raise it: a request joins
    /// a flight only if the flight began at this number or later.
    public let newestVersion: UInt64
    /// True if the log was read. Otherwise nothing tells what other processes have invalidated, and the request shares
    /// a fetch only if the origin is asked after the request arrived.
    public private(set) var isKnown = true

    /// Creates the result of a look-up.
    /// - Parameter rules: what the variants under the key vary by; nil if the entries are all there are.
    public init(entries: [CacheEntry], readVersion: LogVersion, newestVersion: UInt64, rules: [VaryRule]? = nil) {
        self.entries = entries
        self.known = rules
        self.readVersion = readVersion
        self.newestVersion = newestVersion
    }
}

extension Lookup {
    /// Returns the result of a look-up that could not read the log: nothing is found.
    /// - Parameter birth: a version that no log ever had, for a fetch whose response is not stored.
    public static func unknown(at readVersion: LogVersion) -> Lookup {
        var lookup = Lookup(entries: [], readVersion: readVersion, newestVersion: readVersion.number)
        lookup.isKnown = false
        return lookup
    }
}

/// Whether an invalidation has reached the store's log of invalidations.
public enum InvalidationResult: Hashable, Sendable {
    /// The store confirmed the invalidation: a request that starts after it never gets a response that was rendered
    /// before it, from any process on the store.
    case acknowledged
    /// The store did not confirm the invalidation within its deadline; it stays queued in this process.
    ///
    /// This process serves nothing from the store until the invalidation is delivered, which is tried again and again
    /// without any further call. Other processes that still reach the store may serve the old response until then. If
    /// this process ends first, the invalidation is lost, and the old response lives to the end of its lifetime.
    case pending
}

/// The result of removing a key.
public struct RemovalResult: Hashable, Sendable {
    /// The number of responses that were stored under the key, neither expired nor invalidated: its Vary variants, in
    /// every spelling of its URL, or in the common ones. Nil if the store cannot tell.
    public let removed: Int?
    /// The result of the key's invalidation.
    public let invalidation: InvalidationResult

    /// True if a response was stored under the key, neither expired nor invalidated. True if the store cannot tell.
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
