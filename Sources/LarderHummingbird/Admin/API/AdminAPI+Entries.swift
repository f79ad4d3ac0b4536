import HTTPCaching
import HTTPTypes
import Hummingbird
import Larder
import NIOCore

/// The operation that lists entries.
extension AdminAPI {
    /// The bytes of bodies that one page may read from the store; it ends early beyond them.
    private static var pageBytes: Int { 16 * 1_024 * 1_024 }
    /// The number of entries that are read from the store at the same time.
    private static var readsAtOnce: Int { 16 }
    /// The form of a position: what a store may return (``/Larder/KeyPage/next``).
    private static var cursor: APISchema {
        .string(.init(pattern: "^[0-9]{1,19}(-[0-9]{1,19})?$", "the cursor of a page"))
    }

    var listEntries: APIOperation<Context> {
        let form = site.form
        return APIOperation(
            .get,
            "/v1/entries",
            id: "listEntries",
            "List stored entries",
            description:
                "Entries that are expired or invalidated are not listed. If several parameters select entries, all "
                + "of them have to. The work for one page is bounded: it may have fewer entries than the limit, or "
                + "none, and there are more if it has a cursor. An entry that is stored all the while is on at least "
                + "one page.",
            parameters: [
                .init("prefix", Self.prefix(form), "A path: the entries at it and below it"),
                .init("path", Self.path(form), "A path: the entries at it, with any query"),
                .init("tag", Self.tag, "A tag that the entries have"),
                .init("match", .string(.init(length: 1...512)), "A text that the keys contain"),
                .init("limit", .integer(1...1_000, default: 100), "The largest number of entries"),
                .init("cursor", Self.cursor, "The cursor of the page before"),
            ],
            answers: [
                .json(200, "A page of entries, in no order", .named("EntryPage")),
                .problem(501, "The store cannot list its entries"), .problem(503, "The store cannot be reached"),
            ]
        ) { api, call throws(APIProblem) in
            AdminAnswer(.json(.ok, try await api.entries(call.query)))
        }
    }

    private func entries(_ query: APIQuery) async throws(APIProblem) -> EntryPageContent {
        let filter = EntryFilter([try clause(query)])
        guard cache.listsKeys else { throw .notListed }
        let limit = query["limit"]?.integer ?? 100
        guard let page = await cache.keys(matching: filter, from: query["cursor"]?.text, upTo: limit) else {
            throw .unreachable
        }
        var content = EntryPageContent(entries: [], cursor: page.next)
        var (left, bytes) = (page.keys[...], 0)
        while !left.isEmpty {
            let part = left.prefix(Self.readsAtOnce)
            left = left.dropFirst(Self.readsAtOnce)
            guard let found = await read(part.map(\.key)) else { throw .unreachable }
            for (key, variants) in zip(part.map(\.key), found) {
                // It has expired since, or was removed.
                guard
                    let summary = EntrySummary(
                        key,
                        variants,
                        requests: cache.statistics.requests(for: key),
                        at: cache.now
                    )
                else { continue }
                content.entries.append(summary)
                bytes += summary.size
            }
            if bytes >= Self.pageBytes, let last = part.last, !left.isEmpty {
                content.cursor = last.position
                break
            }
        }
        return content
    }

    /// Reads the responses under several keys; returns nil if the store cannot be reached.
    private func read(_ keys: [CacheKey]) async -> [[CacheEntry]]? {
        await withTaskGroup(of: (Int, [CacheEntry]?).self) { group in
            for (place, key) in keys.enumerated() {
                group.addTask { (place, await cache.entries(under: key)) }
            }
            var all = [[CacheEntry]](repeating: [], count: keys.count)
            for await (place, entries) in group {
                guard let entries else { return nil }
                all[place] = entries
            }
            return all
        }
    }

    private func clause(_ query: APIQuery) throws(APIProblem) -> EntryFilter.Clause {
        var clause = EntryFilter.Clause(keyText: query["match"]?.text ?? "")
        if let path = query["path"]?.text { clause.scopes.append(try Self.scopes(ofPath: path, site.form)) }
        if let prefix = query["prefix"]?.text { clause.scopes.append(try Self.scopes(ofPrefix: prefix, site.form)) }
        if let tag = query["tag"]?.text { clause.scopes.append([.tag(CacheTag(text: tag))]) }
        return clause
    }

    /// Returns the scopes of the responses for a path, which may name a host if keys have one.
    static func scopes(ofPath path: String, _ form: AdminKeyForm) throws(APIProblem) -> [InvalidationScope] {
        guard form == .url, path.hasPrefix("//") else { return InvalidationScope.paths(path) }
        guard let scopes = InvalidationScope.paths(ofHost: path.dropFirst(2)) else {
            throw APIProblem("A path that begins with // names a host, such as //shop.example/api/posts")
        }
        return scopes
    }

    /// Returns the scopes of the responses for a path and the paths below it; it may name a host if keys have one.
    static func scopes(ofPrefix prefix: String, _ form: AdminKeyForm) throws(APIProblem) -> [InvalidationScope] {
        guard form == .url, prefix.hasPrefix("//") else { return InvalidationScope.prefixes(prefix) }
        guard let scope = InvalidationScope.host(prefix.dropFirst(2)) else {
            throw APIProblem("A prefix that begins with // names a whole host, such as //shop.example")
        }
        return [scope]
    }
}

/// The content of a page of entries.
private struct EntryPageContent: Encodable {
    var entries: [EntrySummary]
    var cursor: String?
}

/// An entry in a few numbers: what is stored under one key.
private struct EntrySummary: Encodable {
    let key: String
    let target: String
    let variants: Int
    let size: Int
    let age: Int
    let ttl: Int
    let storedFor: Int
    let tags: [String]
    let requests: Int?

    enum CodingKeys: String, CodingKey {
        case key, target, variants, size, age, ttl, tags, requests
        case storedFor = "stored_for"
    }

    /// Creates the summary of the variants of a key, the newest first; nil if there are none.
    init?(_ key: CacheKey, _ entries: [CacheEntry], requests: Int?, at now: Timestamp) {
        guard let newest = entries.first else { return nil }
        self.key = key.description
        self.target = newest.location.target
        self.variants = entries.count
        self.size = entries.reduce(0) { $0 + $1.responseSize }
        self.age = newest.lifetimes.age(at: now)
        self.ttl = newest.lifetimes.ttl(at: now)
        self.storedFor = entries.map { $0.lifetimes.secondsStored(after: now) }.max() ?? 0
        var seen: Set<CacheTag> = []
        self.tags = entries.flatMap(\.namedTags).filter { seen.insert($0).inserted }.map(\.text)
        self.requests = requests
    }
}

extension CacheEntry {
    /// The bytes of the fields and the body.
    var responseSize: Int {
        head.headerFields.reduce(body.readableBytes) { $0 + $1.name.rawName.utf8.count + $1.value.utf8.count }
    }
}

extension Lifetimes {
    /// Returns the whole seconds until the response cannot be used any more.
    fileprivate func secondsStored(after now: Timestamp) -> Int {
        max(0, Int(storedUntil.secondsSinceEpoch - now.secondsSinceEpoch))
    }
}
