import HTTPTypes
import Hummingbird
import Larder

/// The operation that purges.
extension AdminAPI {
    /// The number of keys of the store after which a count ends that nothing depends on.
    private static var countLimit: Int { 100_000 }
    /// The time after which such a count ends. An invalidation waits for the count, and old responses are served
    /// meanwhile.
    private static var countTime: Duration { .seconds(1) }
    /// The number of keys that one invalidation has at most, if entries were looked for.
    private static var keysAtOnce: Int { 1_000 }

    var purge: APIOperation<Context> {
        APIOperation(
            .post,
            "/v1/purge",
            id: "purge",
            "Invalidate entries, or end their freshness",
            description:
                "All selectors take effect in one invalidation. A soft purge makes what is stored stale: it is "
                + "served while it is refreshed, if the policy allows that, and otherwise the origin is asked for "
                + "the next request. It promises nothing about responses that are being fetched. The counts are "
                + "those of stored entries that were neither expired nor invalidated.",
            content: .named("PurgeRequest"),
            answers: [
                .json(200, "The purge is done", .named("PurgeAnswer")),
                .problem(501, "The store cannot list its entries"),
                .problem(503, "The invalidation is pending, or the store cannot be reached"),
            ]
        ) { api, call throws(APIProblem) in
            try await api.purge(call)
        }
    }

    private func purge(_ call: APICall<Context>) async throws(APIProblem) -> AdminAnswer {
        let content = call.content
        let selectors = try selectors(content)
        let mode = content["mode"]?.text.flatMap(PurgeMode.init) ?? .hard
        let isDry = content["dry_run"]?.bool ?? false
        let warms = content["warm"]?.bool ?? false
        guard !warms || site.warm != nil else {
            throw APIProblem("\"warm\" is not offered here: the application has given the API no responder")
        }
        var counts = isDry || mode == .soft || content["count"]?.bool ?? true
        let note = Self.note(selectors, mode, isDry: isDry)
        var search = PurgeSearch(selectors, warms: warms && !isDry)
        if counts || search.needsKeys {
            do throws(APIProblem) {
                let end = isDry ? nil : ContinuousClock.now + Self.countTime
                try await find(&search, ends: mode == .hard || isDry, until: end, expiring: mode == .soft && !isDry)
            } catch {
                // An invalidation does not depend on what is found, and is queued if the store cannot be reached.
                guard mode == .hard, !isDry, !selectors.contains(where: { $0.kind == .allTags }) else {
                    return AdminAnswer(error.response, note: note)
                }
                counts = false
            }
        }
        var answer = search.answer(mode: mode, isDry: isDry, counts: counts)
        guard !isDry else { return AdminAnswer(.json(.ok, answer), note: note) }
        if mode == .hard, await invalidate(selectors, search.removed) == .pending {
            answer.result = .pending
            var problem = APIProblem.pending
            problem.purge = answer
            return AdminAnswer(problem.response, note: note)
        }
        if warms, let warm = site.warm {
            var filled = await self.warm(search.targets, WarmOptions(), call.context, by: warm)
            filled.leftOut = search.leftOut > 0 ? search.leftOut : nil
            answer.warm = filled
        }
        return AdminAnswer(.json(.ok, answer), removed: answer.matched, note: note)
    }

    /// Looks for the entries that selectors match.
    /// - Parameters:
    ///   - ends: True if the search may end before it has seen all keys, unless it has to find all.
    ///   - end: The time at which such a search ends; nil if it may take any time.
    ///   - expiring: True if the freshness of the entries that are found ends.
    private func find(
        _ search: inout PurgeSearch,
        ends: Bool,
        until end: ContinuousClock.Instant?,
        expiring: Bool
    ) async throws(APIProblem) {
        guard cache.listsKeys else { throw .notListed }
        // Keys are looked up, and everything else is looked for among all keys.
        for place in search.named {
            for key in search.selectors[place].keys {
                guard let entries = await cache.entries(under: key) else { throw .unreachable }
                guard !entries.isEmpty else { continue }
                search.note(key, [place])
                if expiring { try await expire(key, search.filter([place])) }
            }
        }
        guard !search.sought.isEmpty else { return }
        let filter = search.filter(search.sought)
        var (cursor, examined): (String?, Int) = (nil, 0)
        repeat {
            guard let page = await cache.keys(matching: filter, from: cursor, upTo: 1_000) else { throw .unreachable }
            for match in page.keys {
                search.note(match.key, match.clauses.map { search.sought[$0] })
                if expiring { try await expire(match.key, filter) }
            }
            cursor = page.next
            examined += page.examined
            let isLong = examined >= Self.countLimit || end.map { ContinuousClock.now >= $0 } ?? false
            if isLong, ends, !search.needsAll {
                search.isComplete = cursor == nil
                return
            }
        } while cursor != nil && !Task.isCancelled
        search.isComplete = cursor == nil
    }

    private func expire(_ key: CacheKey, _ filter: EntryFilter) async throws(APIProblem) {
        guard await cache.expire(key, matching: filter) != nil else { throw .unreachable }
    }

    /// Invalidates the scopes of selectors, and keys that were found: all at once, unless these are very many.
    private func invalidate(_ selectors: [PurgeSelector], _ found: [CacheKey]) async -> InvalidationResult {
        var seen: Set<InvalidationScope> = []
        let scopes = selectors.flatMap(\.scopes).filter { seen.insert($0).inserted }
        var result = await cache.invalidate(scopes + found.prefix(Self.keysAtOnce).map(InvalidationScope.key))
        var left = found.dropFirst(Self.keysAtOnce)
        while !left.isEmpty {
            let part = left.prefix(Self.keysAtOnce).map(InvalidationScope.key)
            if await cache.invalidate(part) == .pending { result = .pending }
            left = left.dropFirst(Self.keysAtOnce)
        }
        return result
    }

    /// Returns a description of a purge for the log.
    private static func note(_ selectors: [PurgeSelector], _ mode: PurgeMode, isDry: Bool) -> String {
        let texts = selectors.prefix(20).map { selector in
            selector.kind.rawValue + (selector.values.isEmpty ? "" : ":" + selector.values.joined(separator: "&"))
        }
        let rest = selectors.count > texts.count ? [",…(\(selectors.count))"] : []
        return ([mode.rawValue + (isDry ? ",dry-run" : "")] + texts).joined(separator: ",") + rest.joined()
    }
}

/// The search for the entries that the selectors of a purge match.
struct PurgeSearch {
    let selectors: [PurgeSelector]
    /// The indices of the selectors that name keys.
    let named: [Int]
    /// The indices of the selectors whose entries have to be looked for.
    let sought: [Int]
    /// The number of entries of each selector.
    private var counts: [Int]
    /// The number of entries of any selector.
    private var matched = 0
    /// The keys that were found for selectors which name keys, and may be found again for others.
    private var seen: Set<CacheKey> = []
    /// The keys to remove, which selectors without a scope of their own have found.
    private(set) var removed: [CacheKey] = []
    /// The targets to request again: those that selectors name, and those that were found.
    private(set) var targets: [String] = []
    /// The number of further targets, which are not requested.
    private(set) var leftOut = 0
    private var targeted: Set<String> = []
    private let warms: Bool
    /// False if the search ended before all keys were seen.
    var isComplete = true

    init(_ selectors: [PurgeSelector], warms: Bool) {
        self.selectors = selectors
        self.warms = warms
        named = selectors.indices.filter { !selectors[$0].keys.isEmpty }
        // A URL that cannot have a key has no entries.
        sought = selectors.indices.filter { place in
            selectors[place].keys.isEmpty && !selectors[place].clause.scopes.allSatisfy(\.isEmpty)
        }
        counts = selectors.map { _ in 0 }
        if warms { for target in selectors.compactMap(\.target) { request(target) } }
    }

    /// True if the keys themselves are needed, and not only their number.
    var needsKeys: Bool {
        needsAll || warms && selectors.contains { [.keys, .urls, .paths].contains($0.kind) }
    }

    /// True if all keys have to be found, because no scope stands for them.
    var needsAll: Bool { selectors.contains { $0.kind == .allTags } }

    /// Adds a target to request again, unless there are as many as one answer has.
    private mutating func request(_ target: String) {
        guard targets.count < APILimits.listLimit else { return leftOut += 1 }
        if targeted.insert(target).inserted { targets.append(target) }
    }

    /// Returns the filter of some selectors, with a clause for each.
    func filter(_ places: [Int]) -> EntryFilter { EntryFilter(places.map { selectors[$0].clause }) }

    /// Notes a key that selectors have found.
    mutating func note(_ key: CacheKey, _ places: [Int]) {
        for place in places { counts[place] += 1 }
        let isNew = !seen.contains(key)
        if isNew { matched += 1 }
        if places.contains(where: { !selectors[$0].keys.isEmpty }) { seen.insert(key) }
        if places.contains(where: { selectors[$0].kind == .allTags }) { removed.append(key) }
        let isWarmed = places.contains { [.keys, .urls, .paths].contains(selectors[$0].kind) }
        if warms, isWarmed, let target = PurgeSelector.target(ofKey: key.description) { request(target) }
    }

    func answer(mode: PurgeMode, isDry: Bool, counts isCounted: Bool) -> PurgeAnswer {
        PurgeAnswer(
            result: isDry ? .counted : .acknowledged,
            mode: mode,
            dryRun: isDry,
            matched: isCounted ? matched : nil,
            complete: isCounted ? isComplete : nil,
            selectors: zip(selectors, counts).map { selector, count in
                .init(selector: selector.kind, values: selector.values, matched: isCounted ? count : nil)
            }
        )
    }
}
