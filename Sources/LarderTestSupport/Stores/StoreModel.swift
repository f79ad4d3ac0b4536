import HTTPCaching
import Larder

/// A model of the correct results of a store: a plain list of entries, and the versions of all invalidations.
struct StoreModel {
    let epoch: LogVersion.Epoch
    private(set) var number: UInt64
    private var versions: [InvalidationScope: UInt64] = [:]
    private var entries: [CacheKey: [CacheEntry]] = [:]

    /// Creates the model of an empty store whose log has this version.
    init(at readVersion: LogVersion) {
        (epoch, number) = (readVersion.epoch, readVersion.number)
    }

    var readVersion: LogVersion { LogVersion(epoch: epoch, number: number) }

    func isValid(_ readVersion: LogVersion, _ scopes: [InvalidationScope]) -> Bool {
        readVersion.epoch == epoch && scopes.allSatisfy { readVersion.number >= versions[$0] ?? 0 }
    }

    func isValid(_ entry: CacheEntry) -> Bool { isValid(entry.readVersion, entry.location.scopes(with: entry.tags)) }

    /// Returns the valid entries of a key, the newest first.
    func found(_ key: CacheKey) -> [CacheEntry] { entries[key, default: []].filter(isValid) }

    func newestVersion(_ location: EntryLocation) -> UInt64 {
        location.scopes().reduce(0) { max($0, versions[$1] ?? 0) }
    }

    var count: Int { entries.keys.count { !found($0).isEmpty } }

    mutating func save(_ entry: CacheEntry) {
        guard isValid(entry) else { return }
        let others = found(entry.location.key).filter { !entry.replaces($0) }
        entries[entry.location.key] = [entry] + others
    }

    mutating func discard(_ entry: CacheEntry) {
        let stored = entries[entry.location.key, default: []]
        let found = stored.firstIndex {
            $0.readVersion == entry.readVersion && $0.vary == entry.vary && $0.selectingFields == entry.selectingFields
        }
        guard let found else { return }
        let older = stored[(found + 1)...].filter { $0.isApart(from: entry) }
        entries[entry.location.key] = stored[..<found] + older
    }

    mutating func invalidate(_ scopes: [InvalidationScope]) {
        number += 1
        for scope in scopes { versions[scope] = number }
    }

    mutating func remove(_ key: CacheKey) -> Int {
        let removed = found(key).count
        entries[key] = nil
        invalidate([.key(key)])
        return removed
    }
}
