public import HTTPCaching
public import ServiceLifecycle

/// Where responses are kept, together with the ledger of what was invalidated.
///
/// The contract that every store keeps, and that the shared behaviour suite checks: what `load` returns is alive and
/// was not past its keeping; a fill whose birth is before a covering invalidation is never returned again; a failing
/// store finds nothing and stores nothing, and fails no request.
public protocol CacheStore: Service {
    /// The largest entry worth offering, by its cost.
    var entryLimit: ByteCount { get }

    /// What is kept at an address and alive, where that can be told at once from the memory of this process; nil where
    /// the store has nothing, or has to look further.
    func find(_ address: CacheAddress, at now: Timestamp) -> [CacheEntry]?

    /// What is kept at an address, and where the invalidations stand.
    func load(_ address: CacheAddress, at now: Timestamp) async -> Lookup

    /// Keeps an entry, in place of the variant it replaces, unless it was overtaken by an invalidation; says whether it
    /// was.
    func save(_ entry: CacheEntry, at now: Timestamp) async -> Verdict

    /// Removes an entry that the origin has replaced by what is not stored, or by what is stored as another variant:
    /// the variant with the same birth and selecting fields, and older variants of the key that may answer the same
    /// requests, so that they do not come back in its place. What has taken its place after an invalidation stays;
    /// before one the two cannot be told apart, and losing the newer costs a miss.
    func discard(_ entry: CacheEntry) async

    /// Whether something born at `birth` that these covers belong to is alive.
    func judge(_ birth: Birth, covers: [Cover]) async -> Verdict

    /// Stamps the covers. When this returns, nothing born before is ever returned again by any process on this store.
    /// - Throws: `InvalidationError` where that cannot be promised (yet).
    func invalidate(_ covers: [Cover]) async throws

    /// Stamps the one key, and says whether something was kept there.
    /// - Throws: `InvalidationError` where that cannot be promised (yet).
    func remove(_ key: CacheKey, at now: Timestamp) async throws -> Bool

    /// The number of keys under which something is kept and alive.
    func count(at now: Timestamp) async -> Int
}

extension CacheStore {
    public func find(_ address: CacheAddress, at now: Timestamp) -> [CacheEntry]? { nil }
}

/// What a store found.
public struct Lookup: Sendable {
    /// The variants kept, the newest first; none where nothing is.
    public let entries: [CacheEntry]
    /// Where the invalidations stood: the birth of a fetch that begins now.
    public let birth: Birth
    /// The number at which something known to cover the address was last invalidated. Stores may leave it 0 on a find
    /// that is fresh: it is asked for only by a miss.
    public let newestStamp: UInt64

    /// A lookup's result.
    public init(entries: [CacheEntry], birth: Birth, newestStamp: UInt64) {
        self.entries = entries
        self.birth = birth
        self.newestStamp = newestStamp
    }
}

/// Why an invalidation is not confirmed.
public struct InvalidationError: Error, Hashable, Sendable, CustomStringConvertible {
    private enum Code: String { case queued }
    private let code: Code

    /// The store cannot be reached; the invalidation waits and goes out before anything is read again.
    public static var queued: Self { Self(code: .queued) }

    public var description: String {
        switch code {
        case .queued: "The store cannot be reached; the invalidation is queued"
        }
    }
}
