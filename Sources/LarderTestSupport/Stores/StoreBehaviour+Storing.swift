import HTTPCaching
import HTTPTypes
import Larder
import NIOCore

/// Rules for storing entries and variants, and for finding them again.
extension StoreBehaviour {
    static let storing: [StoreBehaviour] = [
        StoreBehaviour("A stored entry is found, equal in every part, through every handle") { bench in
            let entry = try await hardEntry(bench)
            try expect(await bench.store.save(entry, at: bench.now).isValid, "nothing overtook it")
            for store in [bench.store, bench.peer] {
                let found = await store.load(entry.location, at: bench.now)
                try expect(found.entries.count, is: 1, "entries found")
                for other in found.entries { try expectEqual(other, entry) }
                try expect(found.readVersion, is: entry.readVersion, "the readVersion of a fetch that begins now")
            }
        },
        StoreBehaviour("An empty body is stored") { bench in
            let location = try bench.location("/a")
            try await bench.put("", at: location)
            try await bench.mustFind([""], at: location)
        },
        StoreBehaviour("An entry with the longest possible lifetime is found") { bench in
            let location = try bench.location("/a")
            try await bench.put("longest", at: location, freshFor: .seconds(Int64.max))
            try await bench.mustFind(["longest"], at: location)
        },
        StoreBehaviour("An entry is not found under another key") { bench in
            try await bench.put("one", at: try bench.location("/a?x=1"))
            let others = [
                try bench.location("/a"), try bench.location("/a?x=2"),
                try bench.location("/a?x=1", key: "GET:/a?x=1#user"),
                try bench.location("/a?x=1", key: "get:/a?x=1"), try bench.location("/A?x=1"),
                try bench.location("/a?x=1", key: "HEAD:/a?x=1"),
            ]
            for other in others { try await bench.mustFind([], at: other) }
            try await bench.mustFind(["one"], at: try bench.location("/a?x=1"))
        },
        StoreBehaviour("A later entry replaces the stored one") { bench in
            let location = try bench.location("/a")
            for text in ["one", "two", "three"] {
                try await bench.put(text, at: location)
                try await bench.mustFind([text], at: location)
            }
        },
        StoreBehaviour("An entry beyond the size limit is not stored, and removes the stored one") { bench in
            let location = try bench.location("/a")
            try await bench.put("small", at: location)
            let text = String(repeating: "x", count: bench.store.entryLimit.bytes)
            try await bench.put(text, at: location)
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("A stored entry takes none of the memory for bodies in flight") { bench in
            let budget = InFlightBudget(limit: .mebibytes(1))
            // No reference to an entry is left but those of the store: it holds entries in `StoredVariants`, or has
            // their bytes elsewhere.
            func save(_ target: String) async throws {
                let entry = bench.entry(
                    "one",
                    at: try bench.location(target),
                    readVersion: try await bench.readVersion()
                )
                entry.charge(to: budget)
                _ = await bench.store.save(entry, at: bench.now)
            }
            for target in ["/a", "/b", "/a"] { try await save(target) }
            try await bench.mustFind(["one"], at: try bench.location("/a"))
            try expect(budget.used, is: 0, "bytes in flight")
            await bench.store.invalidate([.everything])
            try await bench.mustFind([], at: try bench.location("/a"))
            try expect(budget.used, is: 0, "bytes in flight after the entries were invalidated")
        },
        StoreBehaviour("An entry of half the size limit is stored") { bench in
            let location = try bench.location("/a")
            let room = bench.store.entryLimit.bytes / 2
            let text = String(repeating: "x", count: room)
            try await bench.put(text, at: location)
            try expect(try await bench.texts(at: location) == [text], "it has \(room) bytes, and is not found")
        },
    ]

    static let variants: [StoreBehaviour] = [
        StoreBehaviour("The variants of a key are found, the newest first") { bench in
            let location = try bench.location("/a")
            for language in ["en", "de", "fr"] { try await bench.put(language, at: location, language: language) }
            try await bench.mustFind(["fr", "de", "en"], at: location)
            for entry in await bench.store.load(location, at: bench.now).entries {
                let matches = { entry.matches(.get("/a", [.acceptLanguage: $0])) }
                try expect(matches(entry.text), "\(entry.text) does not match its language")
                try expect(!matches("it"), "\(entry.text) matches another language")
            }
        },
        StoreBehaviour("A variant replaces the one for the same fields, and becomes the newest") { bench in
            let location = try bench.location("/a")
            for language in ["en", "de"] { try await bench.put(language, at: location, language: language) }
            try await bench.put("en again", at: location, language: "en")
            try await bench.mustFind(["en again", "de"], at: location)
        },
        StoreBehaviour(
            "The number of variants stays within the limit, and the newest stay",
            limits: StoreLimits(variantLimit: 3)
        ) { bench in
            let location = try bench.location("/a")
            for id in 0..<10 { try await bench.put("\(id)", at: location, language: "l\(id)") }
            try await bench.mustFind(["9", "8", "7"], at: location)
        },
        StoreBehaviour("An invalidation of the key invalidates all its variants") { bench in
            let location = try bench.location("/a")
            for language in ["en", "de"] { try await bench.put(language, at: location, language: language) }
            await bench.store.invalidate([.key(location.key)])
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("An invalidation of a tag of one variant leaves the others") { bench in
            let location = try bench.location("/a")
            for language in ["en", "de", "fr"] {
                let tag = CacheTag(language)
                try await bench.put(language, at: location, tags: [tag], language: language)
            }
            await bench.peer.invalidate([.tag("de")])
            try await bench.mustFind(["fr", "en"], at: location)
        },
        StoreBehaviour("A discarded variant is not found, and other entries stay") { bench in
            let (location, other) = (try bench.location("/a"), try bench.location("/b"))
            let readVersion = try await bench.readVersion()
            let german = bench.entry("de", at: location, readVersion: readVersion, language: "de")
            for entry in [bench.entry("en", at: location, readVersion: readVersion, language: "en"), german] {
                _ = await bench.store.save(entry, at: bench.now)
            }
            try await bench.put("b", at: other, readVersion: readVersion)
            // Another object with the same value is discarded: a store does not remember the objects that it returned.
            await bench.peer.discard(bench.entry("de", at: location, readVersion: readVersion, language: "de"))
            try await bench.mustFind(["en"], at: location)
            await bench.store.discard(german)
            try await bench.mustFind(["en"], at: location)
            try await bench.mustFind(["b"], at: other)
        },
        StoreBehaviour("Discarding an entry that was replaced leaves its replacement") { bench in
            let location = try bench.location("/a")
            let older = try await bench.put("older", at: location)
            await bench.store.invalidate([.path("/elsewhere")])
            try await bench.put("younger", at: location)
            await bench.store.discard(older)
            try await bench.mustFind(["younger"], at: location)
        },
    ]

    /// Returns an entry with the parts that are hard to encode and to decode.
    private static func hardEntry(_ bench: StoreBench) async throws -> CacheEntry {
        var fields: HTTPFields = [
            .vary: "Accept-Language, X-Missing, X-Odd", .eTag: "W/\"1\"", .contentType: "text/plain; charset=utf-8",
        ]
        for value in ["a=1", "", "b=2; é\u{FF}"] { fields.append(HTTPField(name: .setCookie, value: value)) }
        if let name = HTTPField.Name("X-Mixed-Case") { fields[name] = "\"quoted, \\ and\ttabbed\"" }
        var request: HTTPFields = [.acceptLanguage: "de;q=0.5, en"]
        if let name = HTTPField.Name("X-Odd") { request[name] = "%\u{E9}:\"" }
        let now = bench.now
        return CacheEntry(
            request: .get("/a/b?c", request),
            head: HTTPResponse(status: .init(code: 299, reasonPhrase: "Odd One"), headerFields: fields),
            body: ByteBuffer(bytes: (0..<1_000).map { UInt8(truncatingIfNeeded: $0) }),
            lifetimes: Lifetimes(
                generatedAt: now.advanced(by: .nanoseconds(-1_234_567_891)),
                freshUntil: now.advanced(by: .nanoseconds(60_000_000_001)),
                staleWhileRevalidateUntil: now.advanced(by: .seconds(61)),
                staleIfErrorUntil: now.advanced(by: .seconds(62)),
                staleIfUnreachableUntil: now.advanced(by: .seconds(63)),
                storedUntil: now.advanced(by: .nanoseconds(64_000_000_007)),
                source: .sMaxAge,
                mustRevalidate: true,
                alwaysRevalidate: false,
                isImmutable: true
            ),
            readVersion: try await bench.readVersion(),
            location: try bench.location("/a/b?c", key: "GET:/a/b?c#\"user\"", tags: ["policy"]),
            tags: ["late", "later:\"~\\"]
        )
    }

    private static func expectEqual(_ found: CacheEntry, _ stored: CacheEntry) throws(StoreFailure) {
        try expect(found.head, is: stored.head, "head")
        try expect(found.body, is: stored.body, "body")
        try expect(found.lifetimes, is: stored.lifetimes, "lifetimes")
        try expect(found.vary, is: stored.vary, "Vary rule")
        try expect(found.selectingFields, is: stored.selectingFields, "selecting fields")
        try expect(found.readVersion, is: stored.readVersion, "readVersion")
        try expect(found.location.key, is: stored.location.key, "key")
        try expect(found.location.path, is: stored.location.path, "path")
        try expect(found.location.tags, is: stored.location.tags, "tags of the policy")
        try expect(found.tags, is: stored.tags, "tags of the handler")
    }
}
