import HTTPCaching
import Larder

/// Rules for the versions that a store returns, and for removals.
extension StoreBehaviour {
    static let validity: [StoreBehaviour] = [
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
            try expect(validity, is: Validity(isValid: false, checkedVersion: answered), "on saving an overtaken entry")
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
                    try expect(again.readVersion.number > found.readVersion.number, "the log did not advance")
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
            try await bench.mustRemove(0, under: location.key)
            try await bench.put("a", at: location)
            try await bench.put("x", at: other)
            try await bench.mustRemove(1, under: location.key, through: bench.peer)
            try await bench.mustFind([], at: location)
            try await bench.mustFind(["x"], at: other)
            try await bench.mustRemove(0, under: location.key, through: bench.peer)
            for language in ["en", "de", "fr"] {
                try await bench.put(language, at: location, tags: [CacheTag(language)], language: language)
            }
            // A variant that was invalidated before is not counted as removed.
            await bench.peer.invalidate([.tag("de")])
            try await bench.mustRemove(2, under: location.key)
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("An entry from before the removal of its key is invalid, even if the key was not stored") {
            bench in
            let location = try bench.location("/a")
            for isStored in [false, true] {
                let readVersion = try await bench.readVersion()
                if isStored { try await bench.put("stored", at: location) }
                _ = await bench.peer.remove(location.key, at: bench.now)
                try expect(try await bench.readVersion().number > readVersion.number, "the log did not advance")
                try await bench.mustBeInvalid(bench.entry("overtaken", at: location, readVersion: readVersion))
                try await bench.mustFind([], at: location)
            }
        },
    ]
}
