import HTTPCaching
import Larder

/// Rules for invalidations: the entries that become invalid, and those that stay valid.
extension StoreBehaviour {
    static let covering: [StoreBehaviour] =
        invalidating + unrelated + deepPrefixes + [
            StoreBehaviour("An entry whose read version is that of an invalidation is valid") { bench in
                let location = try bench.location("/a")
                for round in 0..<3 {
                    await bench.store.invalidate([.key(location.key), .path("/a"), .everything])
                    let readVersion = await bench.peer.load(location, at: bench.now).readVersion
                    try await bench.put("\(round)", at: location, readVersion: readVersion)
                    try await bench.mustFind(["\(round)"], at: location)
                }
            },
            StoreBehaviour("An entry of another epoch is invalid, however high its version") { bench in
                let location = try bench.location("/a")
                try await bench.put("one", at: location)
                for number in [0, 1, UInt64.max] {
                    let readVersion = LogVersion(epoch: .new(), number: number)
                    try await bench.mustBeInvalid(
                        bench.entry("of another life", at: location, readVersion: readVersion)
                    )
                    try expect(
                        await !bench.store.validity(of: readVersion, scopes: []).isValid,
                        "number \(number) is valid"
                    )
                }
            },
            StoreBehaviour("An overtaken fill does not replace a valid entry") { bench in
                let location = try bench.location("/a")
                let readVersion = try await bench.readVersion()
                await bench.store.invalidate([.path("/a")])
                try await bench.put("young", at: location)
                try await bench.mustBeInvalid(bench.entry("old", at: location, readVersion: readVersion))
                try await bench.mustFind(["young"], at: location)
            },
        ]

    /// Returns the scopes of `/a/b?x=1` with the tags `policy` and `late`.
    private static func scopes() -> [(name: String, scope: InvalidationScope)] {
        [
            ("its path, whatever the query", .path("/a/b")), ("its path in another spelling", .path("//A/%62/")),
            ("the prefix of everything", .prefix("/")), ("a prefix", .prefix("/a")),
            ("itself as a prefix", .prefix("/a/b")), ("a tag of the policy", .tag("policy")),
            ("a tag that its handler added", .tag("late")), ("everything", .everything),
        ] + (CacheKey("GET:/a/b?x=1").map { [("its key", .key($0))] } ?? [])
    }

    /// Invalidations of each scope of an entry, which is stored before or after them.
    private static let invalidating = scopes().map { name, scope in
        StoreBehaviour("An entry from before an invalidation of \(name) is never found again") { bench in
            let location = try bench.location("/a/b?x=1", tags: ["policy"])
            let readVersion = try await bench.readVersion()
            try await bench.put("before", at: location, readVersion: readVersion, tags: ["late"])
            try await bench.mustFind(["before"], at: location)
            // The other handle invalidates, and no other call is made in between.
            await bench.peer.invalidate([.path("/else"), scope])
            try await bench.mustFind([], at: location)
            try await bench.mustCount(0, "keys")
            try await bench.mustBeInvalid(
                bench.entry("overtaken", at: location, readVersion: readVersion, tags: ["late"])
            )
            try await bench.mustFind([], at: location)
            try expect(await !bench.store.remove(location.key, at: bench.now).wasStored, "something dead was removed")
            try await bench.put("after", at: location, tags: ["late"])
            try await bench.mustFind(["after"], at: location)
            try await bench.mustBeInvalid(
                bench.entry("still overtaken", at: location, readVersion: readVersion, tags: ["late"])
            )
            try await bench.mustFind(["after"], at: location)
        }
    }

    /// Prefixes with more segments than a store distinguishes: an invalidation of one invalidates everything below it,
    /// and may invalidate more.
    private static let deepPrefixes = [15, 16, 17, 18, 31, 32, 33, 40].map { depth in
        StoreBehaviour("An invalidation of a prefix of \(depth) segments reaches the paths below it") { bench in
            let path = (1...depth).map { "/s\($0)" }.joined()
            for target in [path, path + "/below", path + "/a/b/c?x=1"] {
                let location = try bench.location(target)
                let readVersion = try await bench.readVersion()
                try await bench.put("before", at: location, readVersion: readVersion)
                try await bench.put("beside", at: try bench.location("/s1/beside"))
                await bench.peer.invalidate([.prefix(CachePath(path))])
                try await bench.mustFind([], at: location)
                try await bench.mustBeInvalid(bench.entry("overtaken", at: location, readVersion: readVersion))
                try await bench.mustFind(["beside"], at: try bench.location("/s1/beside"))
            }
        }
    }

    /// Scopes that resemble those of `/a/b?x=1`, and do not contain it.
    private static let unrelated = [
        ("the path above", InvalidationScope.path("/a")), ("a path below", .path("/a/b/c")),
        ("a longer name", .path("/a/bc")),
        ("a prefix that is no whole segment", .prefix("/a/bc")), ("a prefix beside", .prefix("/b")),
        ("a prefix below", .prefix("/a/b/c")), ("another tag", .tag("Policy")), ("the path as a tag", .tag("/a/b")),
    ].map { name, scope in
        StoreBehaviour("An entry stays valid after an invalidation of \(name)") { bench in
            let location = try bench.location("/a/b?x=1", tags: ["policy"])
            let readVersion = try await bench.readVersion()
            try await bench.put("before", at: location, readVersion: readVersion, tags: ["late"])
            await bench.peer.invalidate([scope])
            try await bench.mustFind(["before"], at: location)
            try await bench.put("not overtaken", at: location, readVersion: readVersion, tags: ["late"])
            try await bench.mustFind(["not overtaken"], at: location)
        }
    }
}

/// Rules for the versions that a store returns, and for removals.
extension StoreBehaviour {
    static let judging: [StoreBehaviour] = [
        StoreBehaviour("A comparison returns if the entry is valid, and the version of the log") { bench in
            let readVersion = try await bench.readVersion()
            let fresh = await bench.store.validity(of: readVersion, scopes: [.tag("a"), .everything])
            try expect(fresh, is: Validity(isValid: true, checkedVersion: readVersion), "before any invalidation")
            await bench.peer.invalidate([.tag("a"), .path("/b")])
            let answered = try await bench.readVersion()
            try expect(answered.epoch, is: readVersion.epoch, "epoch")
            try expect(answered.number, is: readVersion.number + 1, "number of one invalidation of two scopes")
            for (scopes, isValid) in [
                ([InvalidationScope.tag("a")], false), ([.path("/b")], false), ([.tag("b"), .tag("a")], false),
                ([.tag("b"), .path("/a"), .prefix("/b"), .everything], true), ([], true),
            ] {
                let validity = await bench.store.validity(of: readVersion, scopes: scopes)
                try expect(validity, is: Validity(isValid: isValid, checkedVersion: answered), "\(scopes)")
                let later = await bench.store.validity(of: answered, scopes: scopes)
                try expect(later, is: Validity(isValid: true, checkedVersion: answered), "\(scopes), read after")
            }
            let validity = await bench.store.save(
                bench.entry("b", at: try bench.location("/b"), readVersion: readVersion),
                at: bench.now
            )
            try expect(validity, is: Validity(isValid: false, checkedVersion: answered), "on saving what was overtaken")
        },
        StoreBehaviour("A hit returns the newest version of its known scopes, and ignores all other scopes") {
            bench in
            let location = try bench.location("/a/b?x=1", tags: ["policy"])
            for scope in [InvalidationScope.path("/a/b"), .tag("policy")] {
                try await bench.put("found", at: location, tags: ["late"])
                let found = await bench.store.load(location, at: bench.now)
                try expect(found.entries.count, is: 1, "entries found")
                for other in [InvalidationScope.path("/a"), .prefix("/b"), .tag("other"), .path("/a/b/c")] {
                    await bench.peer.invalidate([other])
                    let again = await bench.store.load(location, at: bench.now)
                    try expect(again.entries.count, is: 1, "entries found after \(other)")
                    try expect(again.readVersion.number > found.readVersion.number, "an invalidation took no number")
                    try expect(again.newestVersion, is: found.newestVersion, "newest version after \(other)")
                }
                await bench.peer.invalidate([scope])
                let number = try await bench.readVersion().number
                try expect(await bench.newestVersion(on: location), is: number, "newest version after \(scope)")
            }
        },
        StoreBehaviour("A miss returns the newest version of its known scopes") { bench in
            let location = try bench.location("/a/b?x=1", tags: ["policy"])
            try expect(await bench.newestVersion(on: location), is: 0, "newest version of an empty log")
            let scopes: [InvalidationScope] = [
                .key(location.key), .path("/a/b"), .prefix("/a"), .prefix("/"), .tag("policy"), .everything,
            ]
            for scope in scopes {
                await bench.peer.invalidate([scope])
                let number = try await bench.readVersion().number
                for other in [InvalidationScope.tag("late"), .path("/a"), .prefix("/b")] {
                    await bench.peer.invalidate([other])
                    try expect(
                        await bench.newestVersion(on: location),
                        is: number,
                        "newest version after \(scope) and \(other)"
                    )
                }
            }
        },
    ]

    static let removing: [StoreBehaviour] = [
        StoreBehaviour("Removing a key returns the number of its variants, and leaves other keys") { bench in
            let (location, other) = (try bench.location("/a"), try bench.location("/a?x=1"))
            func mustRemove(_ count: Int, through store: any CacheStore, line: Int = #line) async throws {
                let result = await store.remove(location.key, at: bench.now)
                try expect(
                    result,
                    is: RemovalResult(removed: count, invalidation: .acknowledged),
                    "what was removed",
                    line: line
                )
                try expect(result.wasStored, is: count > 0, "whether something was stored", line: line)
            }
            try await mustRemove(0, through: bench.store)
            try await bench.put("a", at: location)
            try await bench.put("x", at: other)
            try await mustRemove(1, through: bench.peer)
            try await bench.mustFind([], at: location)
            try await bench.mustFind(["x"], at: other)
            try await mustRemove(0, through: bench.peer)
            for language in ["en", "de", "fr"] {
                try await bench.put(language, at: location, tags: [CacheTag(language)], language: language)
            }
            // A variant that was invalidated before is not counted as removed.
            await bench.peer.invalidate([.tag("de")])
            try await mustRemove(2, through: bench.store)
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("An entry from before the removal of its key is invalid, even if the key was not stored") {
            bench in
            let location = try bench.location("/a")
            for isStored in [false, true] {
                let readVersion = try await bench.readVersion()
                if isStored { try await bench.put("stored", at: location) }
                _ = await bench.peer.remove(location.key, at: bench.now)
                try expect(try await bench.readVersion().number > readVersion.number, "a removal took no number")
                try await bench.mustBeInvalid(bench.entry("overtaken", at: location, readVersion: readVersion))
                try await bench.mustFind([], at: location)
            }
        },
    ]
}
