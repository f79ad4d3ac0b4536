public import HTTPCaching
public import Larder
import NIOConcurrencyHelpers
import NIOCore
import RedisClient

/// The memo of the entries that this process has looked up, which predicts the fields and tags that the next look-up
/// needs.
struct EntryMemo: Sendable {
    var variants = VariantMemo()
    var tags = TagMemo<VariantID>()
    var uses = VariantUses()
    var decoded = DecodedEntries()

    /// The fields and tags to ask for together with the list of a key's variants.
    struct Prediction {
        /// The fields of the hash.
        var fields: [String] = []
        /// The size of their values in bytes, as far as is known.
        var size = 0
        /// The tags of the responses, as members of the log.
        var tags: [String] = []
        /// The scopes of the location, as members of the log; nil if they have to be computed.
        var members: [String]?
        /// The lowest read version of the responses; nil if none is known.
        var oldest: LogVersion?
    }

    /// Returns the fields and tags that a look-up will probably need; those of all variants if it is not for a request.
    func prediction(_ location: EntryLocation, for query: VariantQuery?) -> Prediction {
        var prediction = Prediction()
        let key = location.key
        let known = variants[key]
        let listed = known?.variants ?? []
        prediction.oldest = known.flatMap { list in
            listed.map(\.number).min().map { LogVersion(epoch: list.epoch, number: $0) }
        }
        if let query {
            var names = VariantNames(of: query)
            if let first = names.candidates(among: listed).first {
                prediction.fields = [first.field]
                prediction.size = first.size
            } else {
                // A field that does not exist costs nothing.
                for rule in variants.rules {
                    guard let field = names.own(rule), !prediction.fields.contains(field) else { continue }
                    prediction.fields.append(field)
                }
            }
        } else {
            prediction.fields = listed.isEmpty ? ["v:"] : listed.map(\.field)
            prediction.size = listed.reduce(0) { $0.addingReportingOverflow($1.size).partialValue }
        }
        prediction.members = prediction.fields.first.flatMap {
            decoded.members(of: location, storedAs: VariantID(key: key, field: $0))
        }
        for field in prediction.fields where prediction.tags.count < TagMemo<VariantID>.tagsPerKey {
            let tags = tags[VariantID(key: key, field: field)]
            prediction.tags += prediction.tags.isEmpty ? tags : tags.filter { !prediction.tags.contains($0) }
        }
        return prediction
    }
}

// MARK: - Look-ups

extension RedisStore {
    public func load(_ location: EntryLocation, for query: VariantQuery?, at now: Timestamp) async -> Lookup {
        guard let name = names.entry(location.key), delivery.isTrusted else { return delivery.unknownLookup }
        let prediction = memo.withLockedValue { $0.prediction(location, for: query) }
        let known = prediction.members ?? location.scopes().map(\.member)
        let asked = known + prediction.tags
        let questions = delivery.tableQuestions(for: asked, since: prediction.oldest)
        let replies = await failsafe.ask(
            [
                Self.read(name, [VariantList.field] + prediction.fields, size: prediction.size),
                LogReading.command(names.log, asked),
            ] + questions.map { $0.command(names) }
        )
        guard let replies, replies.count == 2 + questions.count,
            let listed = await delivery.reading(replies[1...], of: asked, questions)
        else { return delivery.unknownLookup }
        let values = fields(replies[0], count: 1 + prediction.fields.count)
        let list = values.isEmpty ? nil : list(values[0], of: location.key)
        let readVersions = (list?.variants ?? []).map {
            LogVersion(epoch: list?.epoch ?? listed.readVersion.epoch, number: $0.number)
        }
        guard let reading = await addTables(to: [listed], for: readVersions.map { ($0, asked) })?.first else {
            return delivery.unknownLookup
        }
        let newest = reading.newestVersion(on: known)
        let isCurrent = list?.epoch == reading.readVersion.epoch
        let valid = (list?.variants ?? []).filter { variant in
            isCurrent && variant.number >= newest && now.millisecondsSinceEpoch <= variant.storedUntil
        }
        var search = VariantSearch(location: location, name: name, query: query, now: now, reading: reading)
        search.known = known
        search.tags = prediction.tags
        search.marks = marks(of: list, under: location.key)
        for (field, value) in zip(prediction.fields, values.dropFirst()) { search.values[field] = .some(value) }
        guard let entries = await entries(of: valid, search) else { return delivery.unknownLookup }
        return Lookup(
            entries: entries,
            readVersion: reading.readVersion,
            newestVersion: newest,
            rules: valid.map(\.vary)
        )
    }

    /// The search for the variants under a key that answer a request.
    private struct VariantSearch {
        let location: EntryLocation
        /// The key of the hash.
        let name: String
        let query: VariantQuery?
        let now: Timestamp
        let reading: LogReading
        /// The scopes of the entries that were known beforehand; the log was asked about them.
        var known: [String] = []
        /// The tags that the log was asked about as well.
        var tags: [String] = []
        /// The values of the fields that were read; nil for a field that does not exist.
        var values: [String: ByteBuffer?] = [:]
        var marks: [String: UseMark] = [:]

        var key: CacheKey { location.key }

        init(location: EntryLocation, name: String, query: VariantQuery?, now: Timestamp, reading: LogReading) {
            (self.location, self.name, self.query, self.now, self.reading) = (location, name, query, now, reading)
        }
    }

    /// Returns the entry that answers the request, or all entries if the look-up is for no request. The first variant
    /// that may answer is read first. If it does not answer, the others are read, which most requests do not have.
    /// - Returns: Nil if Redis does not answer.
    private func entries(of variants: [VariantList.Variant], _ search: VariantSearch) async -> [CacheEntry]? {
        guard let query = search.query else { return await read(variants, search) }
        var names = VariantNames(of: query)
        let candidates = names.candidates(among: variants)
        for round in [candidates.prefix(1), candidates.dropFirst()] where !round.isEmpty {
            guard let found = await read(Array(round), search) else { return nil }
            if let entry = found.first(where: query.isAnswered) { return [entry] }
        }
        return []
    }

    /// Reads variants, except those that were read with the list, and returns the entries among them that are neither
    /// expired nor invalidated.
    private func read(_ variants: [VariantList.Variant], _ search: VariantSearch) async -> [CacheEntry]? {
        var values = search.values
        let missing = variants.filter { values[$0.field] == nil }
        if !missing.isEmpty {
            let size = missing.reduce(0) { $0.addingReportingOverflow($1.size).partialValue }
            let reply = await failsafe.ask([Self.read(search.name, missing.map(\.field), size: size)])?.first
            guard let reply else { return nil }
            // A field that no longer exists was replaced since the list was read: a miss.
            for (variant, value) in zip(missing, fields(reply, count: missing.count)) {
                values[variant.field] = .some(value)
            }
        }
        var found: [(field: String, entry: CacheEntry)] = []
        for variant in variants {
            guard let value = values[variant.field] ?? nil else {
                // The list was read in the same step, so the value is missing.
                if search.values[variant.field] != nil { metrics.unreadable("missing") }
                continue
            }
            do throws(EntryCodec.Defect) {
                let id = VariantID(key: search.key, field: variant.field)
                let entry = try entry(id, of: value, search)
                if search.now < entry.lifetimes.storedUntil { found.append((variant.field, entry)) }
            } catch {
                metrics.unreadable(error.reason)
            }
        }
        return await valid(found, search)
    }

    /// Returns the entry of a variant's value: the same one as for the last look-up that read this value.
    private func entry(
        _ id: VariantID,
        of value: ByteBuffer,
        _ search: VariantSearch
    ) throws(EntryCodec.Defect) -> CacheEntry {
        let mark = search.marks[id.field]
        let known = memo.withLockedValue { $0.decoded[id] }
        if let known, known.mark === mark, known.value == value { return known.entry }
        let lastUse = mark ?? UseMark()
        guard value.readableBytes <= DecodedEntries.valueLimit else {
            return try EntryCodec.decode(value, expecting: id.key, lastUse: lastUse)
        }
        // A slice of the reply would hold the memory of all of it.
        let copy = value.fitted
        let entry = try EntryCodec.decode(copy, expecting: id.key, lastUse: lastUse)
        let decoded = DecodedEntries.Known(entry, of: copy, mark, at: search.location, search.known)
        let dropped = memo.withLockedValue { $0.decoded.remember(decoded, as: id) }
        withExtendedLifetime(dropped) {}
        return entry
    }

    /// Returns those of the entries that are valid. Tags that the log was not asked about are asked for now, together
    /// with the floor.
    /// - Returns: Nil if the log cannot be read.
    private func valid(_ found: [(field: String, entry: CacheEntry)], _ search: VariantSearch) async -> [CacheEntry]? {
        var missing: Set<String> = []
        let candidates = found.compactMap { field, entry -> (entry: CacheEntry, members: [String])? in
            // The list has no checksum, and may be older than the values that were read after it.
            guard search.reading.comparison(of: entry.readVersion, search.known) != .invalidated else { return nil }
            let members = Self.members(of: entry).filter { !search.known.contains($0) }
            if members != search.tags {
                memo.withLockedValue { $0.tags.remember(members, for: VariantID(key: search.key, field: field)) }
                missing.formUnion(members)
            }
            return (entry, members)
        }
        if !missing.isEmpty { missing.subtract(search.tags) }
        var readings = [search.reading]
        if !missing.isEmpty {
            guard let late = await readLists(for: Array(missing)) else { return nil }
            readings += late
        }
        let compared = candidates.map { (readVersion: $0.entry.readVersion, members: search.known + $0.members) }
        guard let readings = await addTables(to: readings, for: compared) else { return nil }
        return zip(candidates, compared).filter { _, item in
            readings.allSatisfy { $0.comparison(of: item.readVersion, item.members) == .valid }
        }.map(\.0.entry)
    }

    private static func read(_ name: String, _ fields: [String], size: Int) -> RedisCommand {
        var command = RedisCommand.hmget(name, fields: fields)
        command.expectedReply = size
        return command
    }

    /// Returns the values of fields in the order asked for, with nil for a field that does not exist; returns an empty
    /// array if the reply is not a list of values.
    private func fields(_ reply: RESPValue, count: Int) -> [ByteBuffer?] {
        guard case .array(let values) = reply, values.count == count else {
            if case .error(let error) = reply, error.code == "WRONGTYPE" { metrics.unreadable("type") }
            return []
        }
        return values.map { value in
            if case .bulk(let bytes) = value { bytes } else { nil }
        }
    }

    /// Returns the list of the variants of a key; nil if nothing is stored there, or the list cannot be read.
    private func list(_ value: ByteBuffer?, of key: CacheKey) -> VariantList? {
        guard let value else {
            memo.withLockedValue { $0.variants.forget(key) }
            return nil
        }
        if let list = memo.withLockedValue({ $0.variants.list(key, of: value) }) { return list }
        guard let list = VariantList(value) else {
            metrics.unreadable("list")
            memo.withLockedValue { $0.variants.forget(key) }
            return nil
        }
        memo.withLockedValue { $0.variants.remember(list, of: value, for: key) }
        return list
    }

    /// Returns the marks by which the uses of variants are counted, if the key has several to choose from for eviction.
    private func marks(of list: VariantList?, under key: CacheKey) -> [String: UseMark] {
        guard let variants = list?.variants, variants.count > 1 else { return [:] }
        let fields = variants.map(\.field)
        let marks = memo.withLockedValue { $0.uses.marks(of: fields, under: key) }
        return Dictionary(zip(fields, marks)) { first, _ in first }
    }

    /// Returns the tags of an entry as members of the log. A look-up may not know them: the entry may have been stored
    /// by a policy with other tags.
    private static func members(of entry: CacheEntry) -> [String] {
        (entry.location.tags + entry.tags).map { InvalidationScope.tag($0).member }
    }
}

extension EntryCodec.Defect {
    /// The label of a metric, of which there are six.
    fileprivate var reason: String {
        switch self {
        case .foreign: "foreign"
        case .otherVersion: "version"
        case .cutOff, .overlong: "length"
        case .checksum: "checksum"
        case .otherKey: "key"
        case .malformed: "malformed"
        }
    }
}
