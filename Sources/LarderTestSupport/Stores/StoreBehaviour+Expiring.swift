import HTTPCaching
import Larder

/// Rules for expired entries, and for the number of keys.
extension StoreBehaviour {
    static let expiring: [StoreBehaviour] = [
        StoreBehaviour("An expired entry is never found") { bench in
            let location = try bench.location("/a")
            let until = try await bench.put("one", at: location).lifetimes.storedUntil
            try await bench.mustFind(["one"], at: location, at: until.advanced(by: .nanoseconds(-1)))
            try await bench.mustFind([], at: location, at: until)
            try await bench.mustFind([], at: location, at: until.advanced(by: .seconds(3_600)))
        },
        StoreBehaviour("A stale entry is found until it expires") { bench in
            let location = try bench.location("/a")
            let readVersion = try await bench.readVersion()
            let entry = bench.entry(
                "stale",
                at: location,
                readVersion: readVersion,
                freshFor: .seconds(10),
                staleFor: .seconds(50)
            )
            _ = await bench.store.save(entry, at: bench.now)
            try await bench.mustFind(["stale"], at: location, at: entry.lifetimes.freshUntil)
            let last = entry.lifetimes.storedUntil.advanced(by: .nanoseconds(-1))
            try await bench.mustFind(["stale"], at: location, at: last)
            try await bench.mustFind([], at: location, at: entry.lifetimes.storedUntil)
        },
        StoreBehaviour("An expired variant is not found beside one that has not expired") { bench in
            let location = try bench.location("/a")
            let long = try await bench.put("long", at: location, freshFor: .seconds(60), language: "en")
            let short = try await bench.put("short", at: location, freshFor: .seconds(30), language: "de")
            try await bench.mustFind(["short", "long"], at: location)
            try await bench.mustFind(["long"], at: location, at: short.lifetimes.storedUntil)
            try await bench.mustFind([], at: location, at: long.lifetimes.storedUntil)
        },
        StoreBehaviour("An entry that has expired on arrival is not stored, and removes the stored one") { bench in
            let location = try bench.location("/a")
            for lifetime in [Duration.zero, .nanoseconds(-1), .seconds(-100)] {
                try await bench.put("one", at: location)
                try await bench.put("too late", at: location, freshFor: lifetime)
                try await bench.mustFind([], at: location)
                try await bench.mustCount(0, "keys")
            }
        },
        StoreBehaviour("An expired entry is not counted, and removing it removes nothing") { bench in
            let (short, long) = (try bench.location("/short"), try bench.location("/long"))
            try await bench.put("long", at: long)
            // The time is long enough for a slow machine to count the entry before it expires.
            let until = try await bench.put("short", at: short, freshFor: .seconds(10)).lifetimes.storedUntil
            try await bench.mustCount(2, "keys")
            while bench.now < until { try await bench.advance(by: .milliseconds(1_100)) }
            try await bench.mustFind([], at: short)
            try await bench.mustCount(1, "keys")
            try await bench.mustRemove(0, under: short.key)
            try await bench.mustFind(["long"], at: long)
        },
        StoreBehaviour("A key with one expired and one invalidated variant is neither counted nor removed") { bench in
            let location = try bench.location("/a")
            try await bench.put("invalidated", at: location, tags: ["en"], language: "en")
            let short = try await bench.put("short", at: location, freshFor: .seconds(1), language: "de")
            await bench.store.invalidate([.tag("en")])
            while bench.now < short.lifetimes.storedUntil { try await bench.advance(by: .milliseconds(1_100)) }
            try await bench.mustCount(0, "keys")
            try await bench.mustRemove(0, under: location.key)
        },
        StoreBehaviour("The number of keys is exact after every operation") { bench in
            let locations = try (0..<6).map { try bench.location("/x/\($0)") }
            let late = try await bench.readVersion()
            try await bench.mustCount(0, "keys of an empty store")
            for location in locations { try await bench.put("one", at: location, tags: ["all"]) }
            try await bench.mustCount(6, "keys")
            try await bench.put("another", at: locations[0], tags: ["all"])
            try await bench.put("en", at: locations[1], tags: ["all"], language: "en")
            try await bench.put("de", at: locations[1], tags: ["all"], language: "de")
            try await bench.mustCount(6, "keys after some were replaced")
            let discarded = try await bench.put("discarded", at: locations[2])
            await bench.store.discard(discarded)
            try await bench.mustCount(5, "keys after one was discarded")
            _ = await bench.store.remove(locations[3].key, at: bench.now)
            _ = await bench.store.remove(locations[3].key, at: bench.now)
            try await bench.mustCount(4, "keys after one was removed twice")
            await bench.store.invalidate([.path("/x/4")])
            try await bench.mustCount(3, "keys after one was invalidated")
            try await bench.mustBeInvalid(bench.entry("late", at: locations[4], readVersion: late))
            try await bench.mustCount(3, "keys after an overtaken fill")
            let text = String(repeating: "x", count: bench.store.entryLimit.bytes)
            try await bench.put(text, at: locations[5])
            try await bench.mustCount(2, "keys after one that was too large")
            await bench.store.invalidate([.tag("all")])
            try await bench.mustCount(0, "keys after all were invalidated")
        },
    ]
}
