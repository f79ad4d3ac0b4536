import HTTPCaching
import Larder

/// The counterexamples of docs/invalidation.md, as far as a store alone can show them.
///
/// If one needs a cache with an origin, the tests of the cache replay it.
extension StoreBehaviour {
    static let counterexamples: [StoreBehaviour] = [
        StoreBehaviour("Overtaken fill: a fill that an invalidation overtook is not found") { bench in
            let location = try bench.location("/row")
            let missed = await bench.store.load(location, at: bench.now)
            try expect(missed.entries.isEmpty, "the store is not empty at the start")
            await bench.peer.invalidate([.path("/row")])
            try await bench.mustBeInvalid(bench.entry("v0", at: location, readVersion: missed.readVersion))
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("Late read version: later invalidations do not change the read version of a miss") { bench in
            let location = try bench.location("/row")
            let missed = await bench.store.load(location, at: bench.now)
            await bench.peer.invalidate([.path("/row")])
            let later = await bench.store.load(location, at: bench.now)
            try expect(later.readVersion.number, is: missed.readVersion.number + 1, "number after one invalidation")
            try expect(later.newestVersion, is: later.readVersion.number, "newest version")
            try expect(
                missed.readVersion.number < later.newestVersion,
                "a fill of the first look-up would seem to be newer than the invalidation"
            )
        },
        StoreBehaviour("Compared at the store alone: a hit is compared, even if its fill was not overtaken") { bench in
            let location = try bench.location("/row")
            try await bench.put("v0", at: location)
            // The process that stored the entry and has just found it learns of the invalidation only from the log.
            try await bench.mustFind(["v0"], at: location)
            await bench.peer.invalidate([.path("/row")])
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("Late tag: a fill with a tag that was invalidated before it arrived is invalid") {
            bench in
            let location = try bench.location("/row", tags: ["early"])
            let missed = await bench.store.load(location, at: bench.now)
            await bench.peer.invalidate([.tag("late")])
            // The scopes that are known before the fill do not include the tag.
            try expect(
                await bench.store.load(location, at: bench.now).newestVersion,
                is: missed.newestVersion,
                "newest version"
            )
            try await bench.mustBeInvalid(
                bench.entry("v0", at: location, readVersion: missed.readVersion, tags: ["other", "late"])
            )
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("Two writers: concurrent invalidations do not overwrite each other's versions") { bench in
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
                    let isValid = await bench.store.validity(of: readVersion, scopes: scopes).isValid
                    try expect(isValid, is: number == last.number, "whether \(scopes) leaves \(number) valid")
                }
            }
        },
        StoreBehaviour("Forgotten version: an entry invalidated by its path stays invalid", limits: few) { bench in
            let location = try bench.location("/row")
            let readVersion = try await bench.readVersion()
            try await bench.put("v0", at: location, readVersion: readVersion)
            await bench.peer.invalidate([.path("/row")])
            try await forget(bench)
            try await bench.mustFind([], at: location)
            try await bench.mustBeInvalid(bench.entry("v0", at: location, readVersion: readVersion))
            try expect(
                await !bench.store.validity(of: readVersion, scopes: [.path("/row")]).isValid,
                "its readVersion is valid"
            )
            let missed = await bench.store.load(location, at: bench.now)
            try expect(missed.newestVersion > readVersion.number, "a miss does not know that it was ever invalidated")
            try expect(missed.newestVersion <= missed.readVersion.number, "a miss knows of a version from the future")
            try await bench.put("v1", at: location, readVersion: missed.readVersion)
            try await bench.mustFind(["v1"], at: location)
        },
        StoreBehaviour("Forgotten version: an entry invalidated by a late tag stays invalid", limits: few) { bench in
            let location = try bench.location("/row")
            let readVersion = try await bench.readVersion()
            try await bench.put("v0", at: location, readVersion: readVersion, tags: ["late"])
            await bench.peer.invalidate([.tag("late")])
            try await forget(bench)
            try await bench.mustFind([], at: location)
            try await bench.mustBeInvalid(bench.entry("v0", at: location, readVersion: readVersion, tags: ["late"]))
        },
        StoreBehaviour("A key stays invalid in every spelling when its version is dropped", limits: few) { bench in
            let spellings = ["/a%7eb", "/a%7Eb", "/a~b"]
            for (stored, invalidated) in spellings.flatMap({ one in spellings.map { (one, $0) } }) {
                let location = try bench.location(stored)
                let readVersion = try await bench.readVersion()
                try await bench.put("v0", at: location, readVersion: readVersion)
                // The entry is not looked up until the version is dropped.
                await bench.peer.invalidate([.key(try bench.location(invalidated).key)])
                try await forget(bench)
                try await bench.mustCount(0, "\(stored), invalidated as \(invalidated)")
                try await bench.mustFind([], at: location)
                try await bench.mustBeInvalid(bench.entry("v0", at: location, readVersion: readVersion))
            }
        },
        StoreBehaviour("Repeated invalidations of the same scopes do not drop other versions", limits: few) { bench in
            let location = try bench.location("/row")
            let readVersion = try await bench.readVersion()
            for _ in 0..<50 { await bench.peer.invalidate([.tag("hot"), .tag("warm")]) }
            try await bench.put("v0", at: location, readVersion: readVersion)
            try await bench.mustFind(["v0"], at: location)
        },
        StoreBehaviour("Overtaken refresh: a refresh overtaken by a write does not make its entry valid") { bench in
            let location = try bench.location("/row")
            let readVersion = try await bench.readVersion()
            let stale = bench.entry(
                "v0",
                at: location,
                readVersion: readVersion,
                freshFor: .zero,
                staleFor: .seconds(60)
            )
            _ = await bench.store.save(stale, at: bench.now)
            let found = await bench.store.load(location, at: bench.now)
            try expect(found.entries.count, is: 1, "stale entries found")
            await bench.peer.invalidate([.path("/row")])
            try await bench.mustBeInvalid(bench.entry("v0 again", at: location, readVersion: found.readVersion))
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("Wrong entry re-dated: a 304 re-dates only the entry that it was asked about") { bench in
            let location = try bench.location("/row")
            let overtaken = try await bench.readVersion()
            await bench.store.invalidate([.path("/row")])
            try await bench.put("v1", at: location, freshFor: .seconds(10))
            let refresh = await bench.store.load(location, at: bench.now)
            try await bench.mustBeInvalid(bench.entry("v0", at: location, readVersion: overtaken))
            try await bench.put("v1", at: location, readVersion: refresh.readVersion, freshFor: .seconds(60))
            try await bench.mustFind(["v1"], at: location, at: bench.now.advanced(by: .seconds(30)))
        },
    ]

    /// Limits with room for so few versions that they are soon dropped.
    private static let few = StoreLimits(versionLimit: 3)

    /// Invalidates so many other tags that a log with few versions drops all earlier ones.
    private static func forget(_ bench: StoreBench) async throws {
        for id in 0..<10 {
            let tag = CacheTag("forget-\(id)")
            await bench.peer.invalidate([.tag(tag)])
        }
    }
}
