import HTTPCaching
import Larder

/// Rules for invalidations: the entries that become invalid, and those that stay valid.
extension StoreBehaviour {
    static let scopes: [StoreBehaviour] =
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
                        bench.entry("of another epoch", at: location, readVersion: readVersion)
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
    private static func scopesOfEntry() -> [(name: String, scope: InvalidationScope)] {
        [
            ("its path, whatever the query", .path("/a/b")), ("its path in another spelling", .path("//A/%62/")),
            ("the prefix of everything", .prefix("/")), ("a prefix", .prefix("/a")),
            ("itself as a prefix", .prefix("/a/b")), ("a tag of the policy", .tag("policy")),
            ("a tag that its handler added", .tag("late")), ("everything", .everything),
        ] + (CacheKey("GET:/a/b?x=1").map { [("its key", .key($0))] } ?? [])
    }

    /// Invalidations of each scope of an entry, which is stored before or after them.
    private static let invalidating = scopesOfEntry().map { name, scope in
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
            try await bench.mustRemove(0, under: location.key)
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
        ("a prefix that ends within a segment", .prefix("/a/bc")), ("a prefix beside", .prefix("/b")),
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
