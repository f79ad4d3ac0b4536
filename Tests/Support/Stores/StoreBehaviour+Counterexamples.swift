import HTTPCaching
import Larder

/// The model checker's counterexamples to simpler rules, as far as a store alone can show them.
///
/// The ids are the checker's. Where a trace needs a cache with an origin, the tests of the cache replay it.
extension StoreBehaviour {
    static let counterexamples: [StoreBehaviour] = [
        StoreBehaviour("A01: a fill that arrives after the invalidation that overtook it is not found") { bench in
            let location = try bench.location("/row")
            let missed = await bench.store.load(location, at: bench.now)
            try expect(missed.entries.isEmpty, "something was kept from the start")
            await bench.peer.invalidate([.path("/row")])
            try await bench.mustBeDead(bench.entry("v0", at: location, born: missed.readVersion))
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("A03: the readVersion that a miss read does not move with what is invalidated later") { bench in
            let location = try bench.location("/row")
            let missed = await bench.store.load(location, at: bench.now)
            await bench.peer.invalidate([.path("/row")])
            let later = await bench.store.load(location, at: bench.now)
            try expect(later.readVersion.number, is: missed.readVersion.number + 1, "number after one invalidation")
            try expect(later.newestVersion, is: later.readVersion.number, "newest version")
            try expect(
                missed.readVersion.number < later.newestVersion,
                "a fill of the first look-up would pass for a young one"
            )
        },
        StoreBehaviour("A09: a find is compared with the log, although its fill was not overtaken") { bench in
            let location = try bench.location("/row")
            try await bench.keep("v0", at: location)
            // The process that kept it and has just found it hears of nothing but the ledger.
            try await bench.mustFind(["v0"], at: location)
            await bench.peer.invalidate([.path("/row")])
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("A11: a fill with a late tag is dead by a version that the tag bore before it arrived") {
            bench in
            let location = try bench.location("/row", tags: ["early"])
            let missed = await bench.store.load(location, at: bench.now)
            await bench.peer.invalidate([.tag("late")])
            // Nothing that was known beforehand covers it.
            try expect(
                await bench.store.load(location, at: bench.now).newestVersion,
                is: missed.newestVersion,
                "newest version"
            )
            try await bench.mustBeDead(
                bench.entry("v0", at: location, born: missed.readVersion, tags: ["other", "late"])
            )
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("A16: of invalidations at a time none takes another's version back") { bench in
            let first = try await bench.readVersion()
            let count = 100
            try await withThrowingTaskGroup(of: Void.self) { group in
                for id in 0..<count {
                    let store = id.isMultiple(of: 2) ? bench.store : bench.peer
                    group.addTask { await store.invalidate([.tag("shared"), .tag("own")]) }
                }
                try await group.waitForAll()
            }
            let last = try await bench.readVersion()
            try expect(last.number, is: first.number + UInt64(count), "number after \(count) invalidations")
            for number in first.number...last.number {
                let readVersion = LogVersion(epoch: first.epoch, number: number)
                for scopes in [[InvalidationScope.tag("shared")], [.tag("own")]] {
                    let isAlive = await bench.store.judge(readVersion, scopes: scopes).isAlive
                    try expect(isAlive, is: number == last.number, "whether \(scopes) leaves \(number) alive")
                }
            }
        },
        StoreBehaviour("A26: what was invalidated stays dead when its version is forgotten", limits: few) { bench in
            let location = try bench.location("/row")
            let readVersion = try await bench.readVersion()
            try await bench.keep("v0", at: location, born: readVersion)
            await bench.peer.invalidate([.path("/row")])
            try await forget(bench)
            try await bench.mustFind([], at: location)
            try await bench.mustBeDead(bench.entry("v0", at: location, born: readVersion))
            try expect(
                await !bench.store.judge(readVersion, scopes: [.path("/row")]).isAlive,
                "its readVersion is alive"
            )
            let missed = await bench.store.load(location, at: bench.now)
            try expect(missed.newestVersion > readVersion.number, "a miss does not know that it was ever invalidated")
            try expect(missed.newestVersion <= missed.readVersion.number, "a miss knows of a version from the future")
            try await bench.keep("v1", at: location, born: missed.readVersion)
            try await bench.mustFind(["v1"], at: location)
        },
        StoreBehaviour("A27: what died by a late tag stays dead when its version is forgotten", limits: few) { bench in
            let location = try bench.location("/row")
            let readVersion = try await bench.readVersion()
            try await bench.keep("v0", at: location, born: readVersion, tags: ["late"])
            await bench.peer.invalidate([.tag("late")])
            try await forget(bench)
            try await bench.mustFind([], at: location)
            try await bench.mustBeDead(bench.entry("v0", at: location, born: readVersion, tags: ["late"]))
        },
        StoreBehaviour("A key stays invalid in every spelling when its version is forgotten", limits: few) { bench in
            let spellings = ["/a%7eb", "/a%7Eb", "/a~b"]
            for (stored, invalidated) in spellings.flatMap({ one in spellings.map { (one, $0) } }) {
                let location = try bench.location(stored)
                let readVersion = try await bench.readVersion()
                try await bench.keep("v0", at: location, born: readVersion)
                // Nothing looks at it until its version is forgotten.
                await bench.peer.invalidate([.key(try bench.location(invalidated).key)])
                try await forget(bench)
                try await bench.mustCount(0, "\(stored), invalidated as \(invalidated)")
                try await bench.mustFind([], at: location)
                try await bench.mustBeDead(bench.entry("v0", at: location, born: readVersion))
            }
        },
        StoreBehaviour("Stamps that are left again and again push no other out", limits: few) { bench in
            let location = try bench.location("/row")
            let readVersion = try await bench.readVersion()
            for _ in 0..<50 { await bench.peer.invalidate([.tag("hot"), .tag("warm")]) }
            try await bench.keep("v0", at: location, born: readVersion)
            try await bench.mustFind(["v0"], at: location)
        },
        StoreBehaviour("A35: a refresh that a write overtook does not revive what was stale") { bench in
            let location = try bench.location("/row")
            let readVersion = try await bench.readVersion()
            let stale = bench.entry(
                "v0",
                at: location,
                born: readVersion,
                freshFor: .zero,
                staleFor: .seconds(60)
            )
            _ = await bench.store.save(stale, at: bench.now)
            let found = await bench.store.load(location, at: bench.now)
            try expect(found.entries.count, is: 1, "stale entries found")
            await bench.peer.invalidate([.path("/row")])
            try await bench.mustBeDead(bench.entry("v0 again", at: location, born: found.readVersion))
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("A37: a 304 re-dates what it was asked about, whatever has arrived meanwhile") { bench in
            let location = try bench.location("/row")
            let overtaken = try await bench.readVersion()
            await bench.store.invalidate([.path("/row")])
            try await bench.keep("v1", at: location, freshFor: .seconds(10))
            let refresh = await bench.store.load(location, at: bench.now)
            try await bench.mustBeDead(bench.entry("v0", at: location, born: overtaken))
            try await bench.keep("v1", at: location, born: refresh.readVersion, freshFor: .seconds(60))
            try await bench.mustFind(["v1"], at: location, at: bench.now.advanced(by: .seconds(30)))
        },
    ]

    /// Room for so few stamps that they are soon forgotten.
    private static let few = StoreLimits(stampLimit: 3)

    /// Leaves so many stamps that the ledger forgets all before them.
    private static func forget(_ bench: StoreBench) async throws {
        for id in 0..<10 {
            let tag = CacheTag("forget-\(id)")
            await bench.peer.invalidate([.tag(tag)])
        }
    }
}
