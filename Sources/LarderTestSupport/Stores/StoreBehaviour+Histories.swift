import HTTPCaching
import Larder
import NIOConcurrencyHelpers

/// Long random histories: of one caller against a model, and of many callers against the promise of
/// docs/invalidation.md.
extension StoreBehaviour {
    static let histories: [StoreBehaviour] = [
        agreeing("A random history agrees with the model (seed 1)") { 1 },
        agreeing("A random history agrees with the model (seed 2)") { 2 },
        agreeing("A random history agrees with the model (a new seed)") { .random(in: .min ... .max) },
        StoreBehaviour("A random history finds no invalid entry although versions are dropped", limits: tight) {
            var history = try await StoreHistory(on: $0, seed: .random(in: .min ... .max), isExact: false)
            try await history.run()
        },
        StoreBehaviour("A look-up after an invalidation never finds a body that was rendered before it") { bench in
            try await race(on: bench)
        },
        StoreBehaviour("A look-up never finds an older body although versions are dropped", limits: tight) { bench in
            try await race(on: bench)
        },
    ]

    private static func agreeing(_ name: String, seed: @escaping @Sendable () -> UInt64) -> StoreBehaviour {
        StoreBehaviour(name) { bench in
            var history = try await StoreHistory(on: bench, seed: seed(), isExact: true)
            try await history.run()
        }
    }

    private static let tight = StoreLimits(versionLimit: 4)

    /// Runs readers that fill what they miss, beside writers that invalidate in every way.
    private static func race(on bench: StoreBench) async throws {
        let seed = UInt64.random(in: .min ... .max)
        let rows = try (0..<4).map { try RacingRow($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<6 {
                let store = task.isMultiple(of: 2) ? bench.store : bench.peer
                group.addTask {
                    var random = SeededRandom(seed: seed &+ UInt64(task))
                    for _ in 0..<100 {
                        let id = Int.random(in: rows.indices, using: &random)
                        if task < 2 {
                            try await write(id, rows[id], on: store, at: bench.now, using: &random)
                        } else {
                            try await read(id, rows[id], on: store, bench, seed: seed)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Commits a version, invalidates, and acknowledges the version, in this order.
    private static func write(
        _ id: Int,
        _ row: RacingRow,
        on store: any CacheStore,
        at now: Timestamp,
        using random: inout SeededRandom
    ) async throws {
        let version = row.versions.commit()
        let location = EntryLocation(key: row.key, target: "/rows/\(id)?x=1")
        switch Int.random(in: 0..<5, using: &random) {
        case 0: _ = await store.remove(location.key, at: now)
        case 1: await store.invalidate([.path(location.path)])
        case 2: await store.invalidate([.prefix("/rows")])
        case 3: await store.invalidate([.tag(row.tag)])
        default: await store.invalidate([.tag("else"), .everything])
        }
        row.versions.acknowledge(version)
    }

    private static func read(
        _ id: Int,
        _ row: RacingRow,
        on store: any CacheStore,
        _ bench: StoreBench,
        seed: UInt64
    ) async throws {
        let location = EntryLocation(key: row.key, target: "/rows/\(id)?x=1")
        let least = row.versions.acknowledged
        let lookup = await store.load(location, at: bench.now)
        for entry in lookup.entries {
            let version = Int(entry.text) ?? -1
            try expect(
                version >= least,
                "row \(id): \(version) was found after \(least) was acknowledged, seed \(seed)"
            )
        }
        guard lookup.entries.isEmpty else { return }
        let version = row.versions.committed
        await Task.yield()
        let entry = bench.entry("\(version)", at: location, readVersion: lookup.readVersion, tags: [row.tag])
        _ = await store.save(entry, at: bench.now)
    }
}

/// A row that is cached in a store, with its key, its tag and its versions.
private struct RacingRow: Sendable {
    let key: CacheKey
    let tag: CacheTag
    let versions = Versions()

    init(_ id: Int) throws(StoreFailure) {
        guard let key = CacheKey("GET:/rows/\(id)?x=1") else {
            throw StoreFailure("no key", line: #line, of: #fileID)
        }
        (self.key, self.tag) = (key, "row-\(id)")
    }
}
