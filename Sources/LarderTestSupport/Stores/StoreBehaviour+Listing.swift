import HTTPCaching
import Larder

/// Rules for stores that list their keys (``/Larder/CacheStore/listsKeys``). They hold for a store that does not.
extension StoreBehaviour {
    static let listing: [StoreBehaviour] = [
        listing("Every key with a valid entry is listed once, in pages of any size") { bench in
            let paths = (0..<40).map { "/page/\($0)" }
            for path in paths { try await bench.put(path, at: try bench.location(path)) }
            let keys = paths.map { "GET:\($0)" }.sorted()
            for limit in [1, 3, 40, 1_000] {
                let found = try await bench.list(.everything, limit: limit)
                try expect(found.sorted(), is: keys, "the keys in pages of \(limit)")
            }
        },
        listing("A filter selects by path, prefix, tag and the text of the key") { bench in
            try await bench.put("1", at: try bench.location("/a/1", tags: ["t"]))
            try await bench.put("2", at: try bench.location("/a/2"), tags: ["t", "u"])
            try await bench.put("3", at: try bench.location("/a/2?page=3"), tags: ["u"])
            try await bench.put("4", at: try bench.location("/b"))
            let selections: [([[InvalidationScope]], text: String, keys: [String])] = [
                ([[.tag("t")]], "", ["/a/1", "/a/2"]),
                ([[.tag("t")], [.tag("u")]], "", ["/a/2"]),
                ([[.path("/a/2")]], "", ["/a/2", "/a/2?page=3"]),
                ([[.path("/A/2/")]], "page", ["/a/2?page=3"]),
                ([[.prefix("/a")]], "", ["/a/1", "/a/2", "/a/2?page=3"]),
                ([[.prefix("/")]], "/b", ["/b"]),
                ([[.path("/b"), .tag("u")]], "", ["/a/2", "/a/2?page=3", "/b"]),
                ([[.everything]], "", ["/a/1", "/a/2", "/a/2?page=3", "/b"]),
                ([[.key(try bench.location("/b").key)]], "", ["/b"]),
                ([[.tag("none")]], "", []),
                ([[]], "", []),
            ]
            for (scopes, text, paths) in selections {
                let filter = EntryFilter([.init(scopes: scopes, keyText: text)])
                let found = try await bench.list(filter, limit: 2).sorted()
                try expect(found, is: paths.map { "GET:\($0)" }, "the keys for \(scopes) and \"\(text)\"")
            }
            let union = EntryFilter([.init(scopes: [[.tag("u")]]), .init(scopes: [[.prefix("/a")], [.tag("t")]])])
            let page = await bench.store.keys(matching: union, from: nil, upTo: 100, at: bench.now)
            let clauses = (page?.keys ?? []).map { "\($0.key) \($0.clauses)" }.sorted()
            let expected = ["GET:/a/1 [1]", "GET:/a/2 [0, 1]", "GET:/a/2?page=3 [0]"]
            try expect(clauses, is: expected, "the clauses that hold")
        },
        listing("Entries that are invalidated or expired are not listed") { bench in
            try await bench.put("1", at: try bench.location("/1", tags: ["t"]))
            try await bench.put("2", at: try bench.location("/2", tags: ["u"]))
            let last = try await bench.put("3", at: try bench.location("/3"), freshFor: .seconds(90))
            await bench.store.invalidate([.tag("t")])
            try expect(try await bench.list(.everything).sorted(), is: ["GET:/2", "GET:/3"], "the keys")
            let key = try bench.location("/1").key
            try expect(await bench.store.entries(under: key, at: bench.now)?.count, is: 0, "the entries under \(key)")
            let later = bench.now.advanced(by: .seconds(60))
            try expect(try await bench.list(.everything, at: later), is: ["GET:/3"], "the keys a minute later")
            let end = last.lifetimes.storedUntil
            try expect(try await bench.list(.everything, at: end), is: [], "the keys at the end")
        },
        listing("The entries under a key are all its variants, the newest first") { bench in
            let location = try bench.location("/a")
            for language in ["en", "de"] { try await bench.put(language, at: location, language: language) }
            let entries = await bench.store.entries(under: location.key, at: bench.now) ?? []
            try expect(entries.map(\.text), is: ["de", "en"], "the variants")
            try expect(try await bench.list(.everything), is: ["GET:/a"], "the keys")
        },
        listing("An entry whose freshness is ended is stale, and is stored and invalidated as before") { bench in
            let (location, other) = (try bench.location("/a"), try bench.location("/b"))
            let readVersion = try await bench.readVersion()
            for location in [location, other] {
                let entry = bench.entry(
                    "text",
                    at: location,
                    readVersion: readVersion,
                    freshFor: .seconds(60),
                    staleFor: .seconds(30),
                    tags: ["t"]
                )
                _ = await bench.store.save(entry, at: bench.now)
            }
            let moment = bench.now.advanced(by: .seconds(10))
            let filter = EntryFilter([.init(scopes: [[.tag("t")]])])
            let before = await bench.store.load(location, at: moment).entries.first?.lifetimes
            try expect(
                await bench.store.expire(location.key, matching: filter, at: moment),
                is: 1,
                "the entries made stale"
            )
            for handle in [bench.store, bench.peer] {
                let found = await handle.load(location, at: moment).entries.first?.lifetimes
                let untouched = await handle.load(other, at: moment).entries.first?.lifetimes
                try expect(found?.freshUntil, is: moment, "the end of freshness")
                try expect(
                    found?.staleWhileRevalidateUntil,
                    is: moment.advanced(by: .seconds(30)),
                    "the end of the stale window"
                )
                try expect(found?.storedUntil, is: before?.storedUntil, "the end of storage")
                try expect(untouched.map { moment < $0.freshUntil }, is: true, "if the other entry is fresh")
            }
            try expect(
                await bench.store.expire(location.key, matching: filter, at: moment),
                is: 1,
                "the entries that are stale already"
            )
            await bench.store.invalidate([.tag("t")])
            try await bench.mustFind([], at: location, at: moment)
            try await bench.mustFind([], at: other, at: moment)
            try expect(await bench.store.expire(location.key, matching: filter, at: moment), is: 0, "invalid entries")
        },
        listing("Ending freshness leaves the variants alone that the filter does not select") { bench in
            let location = try bench.location("/a")
            try await bench.put("en", at: location, tags: ["english"], language: "en")
            try await bench.put("de", at: location, tags: ["german"], language: "de")
            let moment = bench.now.advanced(by: .seconds(10))
            let filter = EntryFilter([.init(scopes: [[.tag("german")]])])
            try expect(
                await bench.store.expire(location.key, matching: filter, at: moment),
                is: 1,
                "the selected variants"
            )
            let entries = await bench.store.load(location, at: moment).entries
            let fresh = entries.filter { moment < $0.lifetimes.freshUntil }.map(\.text)
            try expect(entries.map(\.text), is: ["de", "en"], "the variants")
            try expect(fresh, is: ["en"], "the fresh variants")
        },
    ]

    /// Returns a rule for stores that list their keys.
    private static func listing(
        _ description: String,
        _ body: @escaping @Sendable (StoreBench) async throws -> Void
    ) -> StoreBehaviour {
        StoreBehaviour(description) { bench in
            if bench.store.listsKeys { try await body(bench) }
        }
    }
}

extension StoreBench {
    /// Returns the keys that a filter selects, page by page.
    func list(_ filter: EntryFilter, limit: Int = 10, at moment: Timestamp? = nil) async throws -> [String] {
        var (keys, cursor): ([String], String?) = ([], nil)
        repeat {
            let page = await store.keys(matching: filter, from: cursor, upTo: limit, at: moment ?? now)
            guard let page else { throw StoreFailure("The keys are not listed", line: #line, of: #fileID) }
            try expect(page.keys.count <= limit, "a page of \(page.keys.count) keys, although \(limit) is the limit")
            keys += page.keys.map(\.key.description)
            cursor = page.next
        } while cursor != nil
        return keys
    }
}
