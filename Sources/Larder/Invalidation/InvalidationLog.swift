import DequeModule

/// The log of invalidations: for each invalidated scope, the version at which it was invalidated last.
///
/// A fetch that begins before a write and ends after it would store a response from before the write. So a fetch has a
/// read version: the log's version *before* the origin is asked. Each invalidation increases the version, and notes it
/// at its scopes. An entry is valid if its read version is at least the version of each of its scopes
/// (docs/invalidation.md). Versions do not expire by time: if one was dropped during an older fetch, the response of
/// that fetch would become valid ("forgotten version" there).
///
/// There are at most `limit` versions; the lowest are dropped first and raise the *floor*: a response of a fetch that
/// began before it is not stored or shared. Stored entries stay valid if their store has removed everything that the
/// dropped invalidations concern (rows N01 to N05 of `Model/log.py`).
///
/// A store in the memory of this process keeps its log in one of these, behind the lock that guards its entries:
/// ``invalidate(_:)`` for an invalidation, ``readVersion`` and ``newestVersion(on:)`` for a look-up, and
/// ``validity(of:)`` before an entry is stored and each time before it is returned. The log does not outlive the
/// process, and nor must the entries.
public struct InvalidationLog: Sendable {
    let epoch: LogVersion.Epoch
    /// The version of the log: that of the last invalidation.
    private(set) var number: UInt64 = 0
    /// The version below which a read version cannot be compared any more, and counts as invalidated.
    private(set) var floor: UInt64 = 0
    /// The floor of stored entries: higher than 0 only if a version was dropped before everything that it concerns was
    /// removed.
    private(set) var storedFloor: UInt64 = 0
    private var versions: [InvalidationScope.Fingerprint: UInt64] = [:]
    /// The versions in the order in which they were noted. A version is skipped if its scope has a newer one.
    private var order: Deque<(scope: InvalidationScope.Fingerprint, number: UInt64)> = []
    private let limit: Int

    /// Creates an empty log with a new epoch.
    /// - Parameter limit: The number of keys, paths and tags whose versions it remembers, at least 1; each takes about
    ///   96 bytes. Beyond it, responses that were fetched or stored before the oldest one count as invalidated.
    public init(limit: Int) { self.init(epoch: .new(), limit: limit) }

    init(epoch: LogVersion.Epoch, limit: Int) {
        precondition(limit > 0, "A log needs room for one version")
        self.epoch = epoch
        self.limit = limit
    }

    /// The read version of a fetch that begins now.
    public var readVersion: LogVersion { LogVersion(epoch: epoch, number: number) }

    /// The memory in bytes that a version takes, with the spare room of the tables that it is in.
    static let versionCost = 96

    /// The number of scopes with a version.
    var count: Int { versions.count }

    /// Adds an invalidation: increases the version, and notes it at the scopes.
    /// - Parameter removed: The version below which the entries of all invalidations have been removed from the store;
    ///   0 if that is not known.
    mutating func invalidate(
        _ scopes: some Sequence<InvalidationScope.Fingerprint>,
        removedBefore removed: UInt64 = 0
    ) {
        number += 1
        for scope in scopes {
            versions[scope] = number
            order.append((scope, number))
        }
        while versions.count > limit, let lowest = order.popFirst() {
            guard versions[lowest.scope] == lowest.number else { continue }
            versions[lowest.scope] = nil
            floor = lowest.number
            if lowest.number >= removed { storedFloor = lowest.number }
        }
        if order.count > 2 * limit {
            // Scopes that are invalidated repeatedly fill the queue with versions that they do not have any more.
            order = Deque(versions.map { (scope: $0, number: $1) }.sorted { $0.number < $1.number })
        }
    }

    /// Returns the highest version at which one of the scopes was invalidated, or the floor if that is higher.
    func newestVersion(on scopes: some Sequence<InvalidationScope.Fingerprint>) -> UInt64 {
        scopes.reduce(floor) { max($0, versions[$1] ?? 0) }
    }

    /// Returns true if a response with this read version and these scopes is valid (docs/invalidation.md, rule 3). The
    /// comparison is `>=`, because a fetch that read a version began after the invalidation with that version.
    func isValid(_ readVersion: LogVersion, scopes: some Sequence<InvalidationScope.Fingerprint>) -> Bool {
        readVersion.epoch == epoch && readVersion.number >= newestVersion(on: scopes)
    }

    /// Returns the highest version at which one of the scopes was invalidated, for stored entries.
    func newestVersion(onStored scopes: some Sequence<InvalidationScope.Fingerprint>) -> UInt64 {
        scopes.reduce(storedFloor) { max($0, versions[$1] ?? 0) }
    }

    /// Returns true if an entry is valid that has been in the store since it was last found valid. Its store removes
    /// the entries of invalidated scopes, so that a dropped version does not concern it.
    func isValid(stored readVersion: LogVersion, scopes: some Sequence<InvalidationScope.Fingerprint>) -> Bool {
        readVersion.epoch == epoch && readVersion.number >= newestVersion(onStored: scopes)
    }

    /// Traps if the parts disagree; for tests.
    func validate() {
        precondition(storedFloor <= floor && floor <= number, "A floor above what it stands for")
        precondition(versions.count <= limit, "More versions than the limit")
        precondition(order.count <= 2 * limit, "The queue outgrew twice the limit")
        let queued = Dictionary(order.map { ($0.scope, $0.number) }, uniquingKeysWith: max)
        for (scope, version) in versions {
            precondition(version <= number, "A version from the future")
            precondition(queued[scope] == version, "A version that can never be trimmed")
        }
    }
}

// MARK: - For stores

extension InvalidationLog {
    /// Invalidates scopes, all with the same new version.
    public mutating func invalidate(_ scopes: [InvalidationScope]) {
        invalidate(scopes.map(\.fingerprint))
    }

    /// Returns the highest version at which a scope was invalidated that is known to concern a location: the
    /// ``Lookup/newestVersion`` of a look-up there.
    public func newestVersion(on location: EntryLocation) -> UInt64 {
        newestVersion(on: location.scopes().map(\.fingerprint))
    }

    /// Compares an entry with the log, by the scopes of its location and the tags that its handler added.
    public func validity(of entry: CacheEntry) -> Validity {
        Validity(isValid: isValid(entry.readVersion, scopes: entry.scopes), checkedVersion: readVersion)
    }

    /// Compares a response with this read version and these scopes with the log.
    public func validity(of readVersion: LogVersion, scopes: [InvalidationScope]) -> Validity {
        Validity(isValid: isValid(readVersion, scopes: scopes.map(\.fingerprint)), checkedVersion: self.readVersion)
    }
}
