import DequeModule

/// What was invalidated, and when: the stamps of covers, by number.
///
/// A fetch that began before a write and ends after it would store what it read before the write. So a fetch notes the
/// number of the last invalidation *before* it asks (its birth), and every invalidation leaves its own number, its
/// *stamp*, at what it covers. An entry is alive while none of its covers bears a stamp above its birth. Nothing
/// expires by time: a stamp that went while an older fill lived would bring an old answer back. There are at most
/// `limit` stamps; the lowest go first and raise the *floor*: a fetch that began before it cannot be stored or shared.
/// Stored entries stay valid if their store has removed everything that the dropped invalidations concern (rows N01 to
/// N05 of `Model/log.py`).
struct InvalidationLog: Sendable {
    let epoch: LogVersion.Epoch
    /// The number of the last invalidation.
    private(set) var number: UInt64 = 0
    /// A fetch that began before this number cannot be compared any more, and counts as overtaken.
    private(set) var floor: UInt64 = 0
    /// The floor of what is stored: higher than 0 only if a stamp was dropped before everything that it concerns was
    /// removed.
    private(set) var storedFloor: UInt64 = 0
    private var versions: [InvalidationScope.Fingerprint: UInt64] = [:]
    /// Stamps in the order they were left; one that was left again since is passed over.
    private var order: Deque<(scope: InvalidationScope.Fingerprint, number: UInt64)> = []
    private let limit: Int

    init(epoch: LogVersion.Epoch = .new(), limit: Int) {
        precondition(limit > 0, "A log needs room for one version")
        self.epoch = epoch
        self.limit = limit
    }

    /// Everything born until now.
    var readVersion: LogVersion { LogVersion(epoch: epoch, number: number) }

    /// The memory that a stamp takes, with the spare room of the tables that it is in.
    static let versionCost = 96

    /// The number of stamps kept.
    var count: Int { versions.count }

    /// Stamps what an invalidation covers with its number.
    /// - Parameter removed: the number before which everything invalidated has been removed from the store; 0 if that
    ///   is not known.
    mutating func version(_ scopes: some Sequence<InvalidationScope.Fingerprint>, removedBefore removed: UInt64 = 0) {
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
            // Covers stamped again and again fill the queue with what they no longer bear.
            order = Deque(versions.map { (scope: $0, number: $1) }.sorted { $0.number < $1.number })
        }
    }

    /// The highest number at which one of the covers was invalidated, or the floor where that is higher.
    func newestVersion(on scopes: some Sequence<InvalidationScope.Fingerprint>) -> UInt64 {
        scopes.reduce(floor) { max($0, versions[$1] ?? 0) }
    }

    /// Whether something born at `readVersion` with these covers is alive (PROTOCOL, "Alive"): `>=`, because a birth
    /// read at a number comes after the invalidation that made it.
    func isAlive(_ readVersion: LogVersion, scopes: some Sequence<InvalidationScope.Fingerprint>) -> Bool {
        readVersion.epoch == epoch && readVersion.number >= newestVersion(on: scopes)
    }

    /// The highest number at which one of the covers was invalidated, for what is stored.
    func newestVersion(onStored scopes: some Sequence<InvalidationScope.Fingerprint>) -> UInt64 {
        scopes.reduce(storedFloor) { max($0, versions[$1] ?? 0) }
    }

    /// Returns true if an entry is valid that has been in the store since it was last found valid: its store removes
    /// what is invalidated, so that a dropped stamp says nothing about it.
    func isValid(stored readVersion: LogVersion, scopes: some Sequence<InvalidationScope.Fingerprint>) -> Bool {
        readVersion.epoch == epoch && readVersion.number >= newestVersion(onStored: scopes)
    }

    /// Traps where the parts disagree; for tests.
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
