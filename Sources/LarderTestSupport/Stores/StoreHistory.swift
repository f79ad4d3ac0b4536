import HTTPCaching
import Larder

/// A random sequence of all operations of a store, each step compared with a ``StoreModel``.
struct StoreHistory {
    private let bench: StoreBench
    private let seed: UInt64
    /// True if all valid entries must be found; otherwise only invalid entries must not be found.
    private let isExact: Bool
    private var random: SeededRandom
    private var model: StoreModel
    /// Read versions from earlier steps, for fills that arrive late.
    private var readVersions: [LogVersion]
    private var step = 0

    init(on bench: StoreBench, seed: UInt64, isExact: Bool) async throws {
        self.bench = bench
        self.seed = seed
        self.isExact = isExact
        self.random = SeededRandom(seed: seed)
        let readVersion = try await bench.readVersion()
        self.model = StoreModel(at: readVersion)
        self.readVersions = [readVersion]
    }

    mutating func run() async throws {
        for step in 0..<400 {
            self.step = step
            do { try await act() } catch let failure as StoreFailure {
                throw StoreFailure("step \(step) of seed \(seed): \(failure)", line: #line, of: #fileID)
            }
        }
        try await look()
    }

    private mutating func act() async throws {
        let location = try anyLocation()
        let store = Bool.random(using: &random) ? bench.store : bench.peer
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<7: try await save(at: location, on: store)
        case 7..<12: try await load(location, on: store)
        case 12..<15:
            let scopes = (0..<Int.random(in: 1...2, using: &random)).map { _ in anyScope(of: location) }
            await store.invalidate(scopes)
            model.invalidate(scopes)
        case 15:
            let removed = await store.remove(location.key, at: bench.now).removed
            let right = model.remove(location.key)
            guard bench.countsRemovals else { return try expect(removed, is: nil, "removed with \(location.key)") }
            let isRight = removed.map { $0 == right || !isExact && (0..<right).contains($0) } ?? false
            try expect(isRight, "removing \(location.key) said \(String(describing: removed)), not \(right)")
        case 16:
            guard let entry = model.found(location.key).randomElement(using: &random) else { return }
            await store.discard(entry)
            model.discard(entry)
        case 17:
            try mustCount(await store.count(at: bench.now))
        case 18:
            guard let readVersion = readVersions.randomElement(using: &random) else { return }
            // Every entry has the scope `everything`.
            let scopes = [anyScope(of: location), anyScope(of: location), .everything]
            let validity = await store.validity(of: readVersion, scopes: scopes)
            try expect(validity.checkedVersion, is: model.readVersion, "the version of the log")
            try mustAgree(validity.isValid, model.isValid(readVersion, scopes), "\(readVersion) with \(scopes)")
        default: readVersions.append(model.readVersion)
        }
    }

    private mutating func save(at location: EntryLocation, on store: any CacheStore) async throws {
        let isLate = Int.random(in: 0..<3, using: &random) == 0
        let readVersion = isLate ? readVersions.randomElement(using: &random) ?? model.readVersion : model.readVersion
        let tags: [CacheTag] = Array((["t1", "t2", "t3"] as [CacheTag]).shuffled(using: &random).prefix(step % 3))
        let language = ["en", "de", "fr"].randomElement(using: &random)
        let entry = bench.entry("\(step)", at: location, readVersion: readVersion, tags: tags, language: language)
        let validity = await store.save(entry, at: bench.now)
        try mustAgree(validity.isValid, model.isValid(entry), "saving \(step) read at \(readVersion.number)")
        if validity.isValid { model.save(entry) }
    }

    private func load(_ location: EntryLocation, on store: any CacheStore) async throws {
        let lookup = await store.load(location, at: bench.now)
        try expect(lookup.readVersion, is: model.readVersion, "the version of the log")
        let (found, right) = (lookup.entries.map(\.text), model.found(location.key).map(\.text))
        if isExact {
            try expect(found, is: right, "found at \(location.key)")
        } else {
            try expect(found.allSatisfy(right.contains), "\(found) was found at \(location.key), and \(right) is valid")
        }
        guard found.isEmpty else { return }
        let newest = model.newestVersion(location)
        try expect(
            isExact ? lookup.newestVersion == newest : lookup.newestVersion >= newest,
            "the newest version on \(location.key) is \(lookup.newestVersion) instead of \(newest)"
        )
    }

    /// Looks up every target, and counts the keys.
    private func look() async throws {
        for id in 0..<Self.targets.count { try await load(try location(id), on: bench.store) }
        try mustCount(await bench.peer.count(at: bench.now))
    }

    private func mustCount(_ count: Int) throws {
        try expect(isExact ? count == model.count : count <= model.count, "counted \(count), not \(model.count)")
    }

    private func mustAgree(_ answered: Bool, _ right: Bool, _ what: @autoclosure () -> String) throws(StoreFailure) {
        // A store that drops versions may consider valid entries invalid.
        try expect(answered == right || !isExact && right, "\(what()) said \(answered), seed \(seed)")
    }

    private static let targets = ["/a", "/a?x", "/a/b", "/a/b/c", "/a/bc", "/d", "/d/b"]

    private func location(_ id: Int) throws -> EntryLocation {
        try bench.location(Self.targets[id], tags: id.isMultiple(of: 2) ? ["even"] : [])
    }

    private mutating func anyLocation() throws -> EntryLocation {
        try location(Int.random(in: Self.targets.indices, using: &random))
    }

    private mutating func anyScope(of location: EntryLocation) -> InvalidationScope {
        switch Int.random(in: 0..<16, using: &random) {
        case 0..<4: .key(location.key)
        case 4..<8: .path(location.path)
        case 8..<10: .prefix(location.path)
        case 10..<12: .tag("even")
        case 12..<15: .tag((["t1", "t2", "t3"] as [CacheTag]).randomElement(using: &random) ?? "t1")
        default: .everything
        }
    }
}
