import HTTPCaching
import HTTPTypes
import Larder

/// Rules for variants that differ in their Vary fields and codings: storing side by side, replacing, removing and
/// evicting.
extension StoreBehaviour {
    static let choices: [StoreBehaviour] = [
        StoreBehaviour("Variants by different rules are stored side by side, the newest first") { bench in
            let location = try bench.location("/a")
            for (text, request, response) in rules {
                try await bench.save(text, at: location, request, response)
            }
            try await bench.mustFind(["gzip", "by two", "de", "none", "plain"], at: location)
            let found = await bench.store.load(location, at: bench.now).entries
            let matching = { (fields: HTTPFields) in found.filter { $0.matches(.get("/a", fields)) }.map(\.text) }
            try expect(matching([:]), is: ["none", "plain"], "for a request without fields")
            try expect(matching([.acceptEncoding: "gzip"]), is: ["gzip", "plain"], "for one that accepts gzip")
            try expect(matching([.acceptLanguage: "de"]), is: ["by two", "de", "none", "plain"], "for one in German")
        },
        StoreBehaviour("An uncompressed response replaces those to requests that accept fewer codings") { bench in
            let location = try bench.location("/a")
            for (text, codings) in [("none", nil), ("gzip", "gzip"), ("br", "br"), ("both", "gzip, br")] {
                try await bench.save(text, at: location, codings.map { [.acceptEncoding: $0] } ?? [:])
            }
            try await bench.mustFind(["both"], at: location)
            try await bench.save("none again", at: location, [:])
            try await bench.mustFind(["none again", "both"], at: location)
        },
        StoreBehaviour("An uncompressed response replaces only those with equal values of the Vary fields") { bench in
            let location = try bench.location("/a")
            let vary: HTTPFields = [.vary: "Accept-Language"]
            try await bench.save("de", at: location, [.acceptLanguage: "de", .acceptEncoding: "gzip"], vary)
            try await bench.save("en", at: location, [.acceptLanguage: "en", .acceptEncoding: "gzip, br"], vary)
            try await bench.mustFind(["en", "de"], at: location)
            try await bench.save(
                "en all",
                at: location,
                [.acceptLanguage: "en", .acceptEncoding: "gzip, br, zstd"],
                vary
            )
            try await bench.mustFind(["en all", "de"], at: location)
        },
        StoreBehaviour("Removing a variant also removes older ones that may answer the same requests") { bench in
            let location = try bench.location("/a")
            var saved: [CacheEntry] = []
            for (text, request, response) in rules {
                saved.append(try await bench.save(text, at: location, request, response))
            }
            await bench.store.discard(saved[2])
            try await bench.mustFind(["gzip", "by two"], at: location)
            await bench.store.discard(saved[4])
            try await bench.mustFind([], at: location)
        },
        StoreBehaviour("Removing a variant leaves variants by the same rule for other values") { bench in
            let location = try bench.location("/a")
            let old = try await bench.save("none", at: location, [:])
            for language in ["en", "de", "fr"] { try await bench.put(language, at: location, language: language) }
            let german = await bench.store.load(location, at: bench.now).entries[1]
            try expect(german.text, is: "de", "the second")
            await bench.store.discard(german)
            try await bench.mustFind(["fr", "en"], at: location)
            await bench.store.discard(old)
            try await bench.mustFind(["fr", "en"], at: location)
        },
        StoreBehaviour(
            "Beyond the limit the least recently used variant is evicted",
            limits: StoreLimits(variantLimit: 3)
        ) { bench in
            let location = try bench.location("/a")
            for language in ["en", "de", "fr"] { try await bench.put(language, at: location, language: language) }
            for language in ["de", "en", "de"] { try await bench.use(language, at: location) }
            try await bench.put("it", at: location, language: "it")
            // Storing is a use, too: `fr` was stored last, but the others were used after that.
            try await bench.mustFind(["it", "de", "en"], at: location)
            try await bench.use("en", at: location)
            try await bench.put("es", at: location, language: "es")
            try await bench.mustFind(["es", "it", "en"], at: location)
        },
        StoreBehaviour("Sixty-four variants are stored unless another limit is set") { bench in
            let location = try bench.location("/a")
            for id in 0..<65 { try await bench.put("\(id)", at: location, language: "l\(id)") }
            try await bench.mustFind((1..<65).reversed().map { "\($0)" }, at: location)
        },
        StoreBehaviour("Large variants evict each other, and one always fits") { bench in
            let location = try bench.location("/a")
            let room = bench.store.entryLimit.bytes / 2
            let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r"]
            for letter in letters {
                try await bench.put(String(repeating: letter, count: room), at: location, language: letter)
                let found = await bench.store.load(location, at: bench.now).entries
                try expect(found.first?.text.first.map(String.init), is: letter, "the newest")
            }
        },
    ]

    /// Responses by different rules, with the requests that they answer.
    private static let rules: [(String, HTTPFields, HTTPFields)] = [
        ("plain", [.acceptEncoding: "gzip"], [:]),
        ("none", [:], [:]),
        ("de", [.acceptLanguage: "de"], [.vary: "Accept-Language"]),
        ("by two", [.acceptLanguage: "de"], [.vary: "Accept-Language, Accept"]),
        ("gzip", [.acceptEncoding: "gzip"], [.contentEncoding: "gzip"]),
    ]
}

extension StoreBench {
    /// Stores the response to a request with these fields.
    @discardableResult
    fileprivate func save(
        _ text: String,
        at location: EntryLocation,
        _ request: HTTPFields,
        _ response: HTTPFields = [:]
    ) async throws -> CacheEntry {
        let entry = CacheEntry.sample(
            text,
            at: location,
            readVersion: await store.load(location, at: now).readVersion,
            now: now,
            request: request,
            response
        )
        try expect(await store.save(entry, at: now).isValid, "nothing overtook it")
        return entry
    }

    /// Marks a variant as used, as a hit does.
    fileprivate func use(_ text: String, at location: EntryLocation) async throws {
        let entry = await store.load(location, at: now).entries.first { $0.text == text }
        try expect(entry != nil, "\(text) is not found")
        entry?.markUsed()
    }
}
