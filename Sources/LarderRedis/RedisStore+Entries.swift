import Crypto
public import HTTPCaching
public import Larder
import NIOCore
import RedisClient

/// Listing the keys, and making responses stale. As for a count, there is no index: each page walks through a part of
/// the server's keys.
extension RedisStore {
    /// True: the keys can be listed.
    public var listsKeys: Bool { true }

    /// The number of keys of the server, other programs' included, that one command goes through.
    private static var scanCount: Int64 { 500 }
    /// The number of such commands of one page.
    private static var scanLimit: Int { 20 }

    /// A valid variant of a key.
    private struct DescribedVariant {
        let variant: VariantList.Variant
        /// Its scopes, as members of the log.
        let scopes: [String]
    }

    /// The position of a listing: Redis' own, and a number within the names that it leads to.
    private struct Position {
        /// The cursor of `SCAN`.
        var scan: String
        /// The number of the last name that was examined; nil if none was.
        var last: UInt64?

        /// Creates the position that a text stands for; nil for a text that no page has.
        init?(_ text: String?) {
            let parts = (text ?? "0").split(separator: "-", omittingEmptySubsequences: false)
            guard let cursor = parts.first.flatMap({ UInt64($0) }), parts.count <= 2 else { return nil }
            scan = String(cursor)
            last = parts.count == 2 ? UInt64(parts[1]) : nil
        }

        var text: String { last.map { "\(scan)-\($0)" } ?? scan }

        /// Returns the number by which names are ordered: 63 bits of a digest.
        static func number(_ name: String) -> UInt64 {
            SHA256.hash(data: Array(name.utf8)).prefix(8).reduce(0) { $0 << 8 | UInt64($1) } >> 1
        }
    }

    /// Returns a part of the keys. Each call goes through 10,000 keys of the server at most.
    public func keys(
        matching filter: EntryFilter,
        from cursor: String?,
        upTo limit: Int,
        at now: Timestamp
    ) async -> KeyPage? {
        guard var position = Position(cursor) else { return KeyPage() }
        let matcher = EntryMatcher(filter, \.member)
        var page = KeyPage()
        // A walk finds some names twice if the server resizes its table.
        var examined: Set<UInt64> = []
        for _ in 0..<Self.scanLimit {
            guard let (names, next) = await scan(from: position), delivery.isTrusted else { return nil }
            var left = names.filter { name in name.number > position.last ?? 0 || position.last == nil }[...]
            left.removeAll { examined.contains($0.number) || !matcher.mayHold(for: $0.key) }
            while !left.isEmpty {
                let step = left.prefix(KeyWalk.step)
                guard let described = await describe(step.map(\.name), at: now, Self.workPerStep) else { return nil }
                for (name, variants) in zip(step, described) {
                    if page.keys.count == limit {
                        page.next = position.text
                        return page
                    }
                    page.examined += 1
                    examined.insert(name.number)
                    position.last = name.number
                    let clauses = variants.reduce(into: Set<Int>()) {
                        $0.formUnion(matcher.clauses(holdingFor: $1.scopes, name.key))
                    }
                    guard !clauses.isEmpty else { continue }
                    page.keys.append(.init(key: name.key, clauses: clauses.sorted(), position: position.text))
                }
                left = left.dropFirst(described.count)
            }
            guard next != "0" else { return page }
            (position.scan, position.last) = (next, nil)
            if page.keys.count == limit { break }
        }
        page.next = position.text
        return page
    }

    /// Returns the names of entries that a cursor leads to, ordered by their numbers, and the next cursor; nil if Redis
    /// does not answer.
    private func scan(
        from position: Position
    ) async -> (names: [(name: String, key: CacheKey, number: UInt64)], next: String)? {
        let scan = RedisCommand(
            "SCAN",
            [.text(position.scan), "MATCH", .text(names.entryPattern), "COUNT", .integer(Self.scanCount)]
        )
        guard case .array(let reply)? = await askRepeatedly(scan), reply.count == 2,
            let next = try? reply[0].text(), let found = try? reply[1].elements().map({ try $0.text() })
        else { return nil }
        let named = Set(found).compactMap { name in
            names.key(ofEntry: name).map { (name: name, key: $0, number: Position.number(name)) }
        }
        return (named.sorted { $0.number < $1.number }, next)
    }

    /// Returns the valid variants of entries, for the first of them at least; nil if Redis does not answer.
    private func describe(_ entries: [String], at now: Timestamp, _ work: Int64) async -> [[DescribedVariant]]? {
        let arguments: [RedisCommand.Argument] = [.integer(now.millisecondsSinceEpoch), .integer(work)]
        let command = RedisCommand.run(Scripts.describe, keys: [names.log] + entries, arguments: arguments)
        guard case .array(let values)? = await askRepeatedly(command), (1...entries.count).contains(values.count)
        else { return nil }
        return try? values.map { try Self.variants(try $0.elements().map { try $0.text() }) }
    }

    private static func variants(_ texts: [String]) throws(RedisError) -> [DescribedVariant] {
        guard texts.count.isMultiple(of: 2) else {
            throw RedisError(.unexpectedReply, "a variant without scopes")
        }
        return stride(from: 0, to: texts.count, by: 2).compactMap { place in
            VariantList.Variant(Substring(texts[place]).utf8).map { variant in
                DescribedVariant(variant: variant, scopes: texts[place + 1].split(separator: "\n").map(String.init))
            }
        }
    }

    /// Returns the valid responses under a key, the newest first.
    public func entries(under key: CacheKey, at now: Timestamp) async -> [CacheEntry]? {
        guard delivery.isTrusted else { return nil }
        guard let name = names.entry(key) else { return [] }
        guard let described = await describe([name], at: now, Self.workPerKey)?.first else { return nil }
        return await read(described.map(\.variant), of: key, name, at: now)?.map(\.entry)
    }

    /// Reads variants, and returns those that are still there.
    private func read(
        _ variants: [VariantList.Variant],
        of key: CacheKey,
        _ name: String,
        at now: Timestamp
    ) async -> [(field: String, value: ByteBuffer, entry: CacheEntry)]? {
        guard !variants.isEmpty else { return [] }
        var command = RedisCommand.hmget(name, fields: variants.map(\.field))
        command.expectedReply = variants.reduce(0) { $0.addingReportingOverflow($1.size).partialValue }
        guard case .array(let values)? = await askRepeatedly(command), values.count == variants.count else {
            return nil
        }
        return zip(variants, values).compactMap { variant, value in
            guard case .bulk(let bytes) = value, let entry = try? EntryCodec.decode(bytes, expecting: key),
                entry.readVersion.number == variant.number, now < entry.lifetimes.storedUntil
            else { return nil }
            return (variant.field, bytes, entry)
        }
    }

    /// Ends the freshness of the selected responses under a key: the value of each is written again, unless another one
    /// has taken its place.
    public func expire(_ key: CacheKey, matching filter: EntryFilter, at now: Timestamp) async -> Int? {
        guard delivery.isTrusted else { return nil }
        guard let name = names.entry(key) else { return 0 }
        let matcher = EntryMatcher(filter, \.member)
        guard let described = await describe([name], at: now, Self.workPerKey)?.first else { return nil }
        let selected = described.filter { !matcher.clauses(holdingFor: $0.scopes, key).isEmpty }
        guard let found = await read(selected.map(\.variant), of: key, name, at: now) else { return nil }
        for (field, value, entry) in found where now < entry.lifetimes.freshUntil {
            let checksum = value.getSlice(
                at: value.writerIndex - EntryCodec.checksumSize,
                length: EntryCodec.checksumSize
            )
            guard let checksum else { continue }
            let replacement = EntryCodec.encode(entry.endingFreshness(at: now))
            let arguments: [RedisCommand.Argument] = [.text(field), .bytes(checksum), .bytes(replacement)]
            let command = RedisCommand.run(Scripts.replace, keys: [name], arguments: arguments)
            guard case .integer? = await askRepeatedly(command) else { return nil }
        }
        return found.count
    }
}
