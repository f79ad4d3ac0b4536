import HTTPCaching
import HTTPTypes
import NIOCore

/// A stored response as one block of bytes: key, lifetimes, head and body.
///
/// A ``CacheEntry`` and its parts are some twelve objects, which take more than 1,000 bytes beside their text. A block
/// takes about 40. It has no reference count: the shard that holds it deallocates it. The bytes are copied under the
/// shard's lock when an entry is packed or unpacked: at most 8 KiB (``BlockPool/largestBlock``). The objects of a
/// larger entry are a small part of its memory, so that it is not packed.
///
/// The layout is: `storedUntil` in 8 bytes; the key; the number of the read version; flags; the other lifetimes,
/// relative to one another; the selecting fields; the target, unless the key has it; the tags; the length of the body;
/// the head (``HeadTable``); the body.
struct PackedEntry: Sendable {
    /// The address of the block, as a number: a shard that holds pointers would not be `Sendable`.
    let address: UInt

    private struct Flags: OptionSet {
        let rawValue: UInt8
        static let targetInKey = Flags(rawValue: 1)
        static let hasTags = Flags(rawValue: 2)
        static let mustRevalidate = Flags(rawValue: 4)
        static let alwaysRevalidate = Flags(rawValue: 8)
        static let isImmutable = Flags(rawValue: 16)
    }

    /// The method of most keys, before the target.
    private static let method = Array("GET:".utf8)

    /// Returns the bytes of an entry, which use its head (``HeadTable``); nil if it cannot be packed.
    static func bytes(of entry: CacheEntry, heads: inout HeadTable) -> [UInt8]? {
        let count = entry.body.readableBytes
        guard !entry.location.isOfValue,
            entry.head.headerFields.allSatisfy({ $0.indexingStrategy == .automatic })
        else { return nil }
        var writer = PackedWriter()
        writer.reserve(512 + count)
        let (location, times) = (entry.location, entry.lifetimes)
        let key = location.key.description.utf8
        writer.write(fixed: times.storedUntil.nanosecondsSinceEpoch)
        writer.write(key)
        writer.write(entry.readVersion.number)
        let target = location.target.utf8
        var flags: Flags = []
        if key.count == target.count + 4, key.starts(with: Self.method), key.dropFirst(4).elementsEqual(target) {
            flags.insert(.targetInKey)
        }
        if !location.tags.isEmpty || !entry.tags.isEmpty { flags.insert(.hasTags) }
        if times.mustRevalidate { flags.insert(.mustRevalidate) }
        if times.alwaysRevalidate { flags.insert(.alwaysRevalidate) }
        if times.isImmutable { flags.insert(.isImmutable) }
        writer.write(byte: flags.rawValue | times.source.rawValue << 5)
        Self.write(times.freshUntil, from: times.generatedAt, to: &writer)
        Self.write(times.generatedAt, span: times.generatedAt, times.storedUntil, to: &writer)
        Self.write(times.staleWhileRevalidateUntil, from: times.freshUntil, to: &writer)
        Self.write(times.staleIfErrorUntil, from: times.freshUntil, to: &writer)
        Self.write(times.staleIfUnreachableUntil, from: times.freshUntil, to: &writer)
        writer.write(entry.selectingFields.text.utf8)
        if !flags.contains(.targetInKey) { writer.write(target) }
        if flags.contains(.hasTags) {
            for tags in [location.tags, entry.tags] {
                writer.write(UInt64(tags.count))
                for tag in tags { writer.write(tag.description.utf8) }
            }
        }
        writer.write(UInt64(count))
        heads.write(entry.head, bodyCount: count, to: &writer)
        entry.body.withUnsafeReadableBytes { writer.append($0) }
        return writer.bytes
    }

    /// Copies the bytes of an entry into a new block; returns nil if there is none.
    init?(_ bytes: [UInt8], for slot: Int, pool: inout BlockPool) {
        guard let address = pool.allocate(bytes.count, for: slot) else { return nil }
        self.address = address
        UnsafeMutableRawBufferPointer(start: UnsafeMutableRawPointer(bitPattern: address), count: bytes.count)
            .copyBytes(from: bytes)
    }

    /// Creates the entry of a block that was moved.
    init(movedTo address: UInt) { self.address = address }

    private var bytes: UnsafeRawBufferPointer {
        // The parts say how long they are.
        UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: 1 << 30)
    }

    /// The time from which the response cannot be used.
    var storedUntil: Timestamp {
        Timestamp(nanosecondsSinceEpoch: bytes.loadUnaligned(fromByteOffset: 0, as: Int64.self).littleEndian)
    }

    /// The number of the read version.
    var readNumber: UInt64 {
        var reader = PackedReader(bytes)
        _ = reader.fixed()
        _ = reader.bytes()
        return reader.integer()
    }

    /// Returns the key.
    /// - Parameter hash: The hash of the key.
    func key(hash: Int) -> CacheKey {
        var reader = PackedReader(bytes)
        _ = reader.fixed()
        return CacheKey(description: reader.text(), hash: hash)
    }

    /// Returns true if the entry is stored under a key.
    func hasKey(_ key: CacheKey) -> Bool {
        var reader = PackedReader(bytes)
        _ = reader.fixed()
        let own = reader.bytes()
        let isEqual = key.description.utf8.withContiguousStorageIfAvailable { text in
            own.count == text.count && own.elementsEqual(text)
        }
        return isEqual ?? own.elementsEqual(key.description.utf8)
    }

    /// Returns the response.
    /// - Parameters:
    ///   - epoch: The epoch of its read version.
    ///   - hash: The hash of its key.
    ///   - scopes: The fingerprints of its scopes.
    func entry(
        epoch: LogVersion.Epoch,
        hash: Int,
        scopes: [InvalidationScope.Fingerprint],
        heads: HeadTable
    ) -> CacheEntry {
        var reader = PackedReader(bytes)
        let storedUntil = Timestamp(nanosecondsSinceEpoch: reader.fixed())
        let key = reader.text()
        let number = reader.integer()
        let byte = reader.byte()
        let flags = Flags(rawValue: byte & 0x1F)
        let fresh = Self.span(&reader)
        let generatedAt = Self.time(before: storedUntil, Self.span(&reader))
        let freshUntil = Self.time(fresh, from: generatedAt)
        let lifetimes = Lifetimes(
            generatedAt: generatedAt,
            freshUntil: freshUntil,
            staleWhileRevalidateUntil: Self.time(Self.span(&reader), from: freshUntil),
            staleIfErrorUntil: Self.time(Self.span(&reader), from: freshUntil),
            staleIfUnreachableUntil: Self.time(Self.span(&reader), from: freshUntil),
            storedUntil: storedUntil,
            source: Lifetimes.Source(rawValue: byte >> 5) ?? .none,
            mustRevalidate: flags.contains(.mustRevalidate),
            alwaysRevalidate: flags.contains(.alwaysRevalidate),
            isImmutable: flags.contains(.isImmutable)
        )
        let selecting = reader.text()
        let target = flags.contains(.targetInKey) ? String(key.utf8.dropFirst(4)) ?? "" : reader.text()
        var tags: [[CacheTag]] = [[], []]
        if flags.contains(.hasTags) {
            tags = (0..<2).map { _ in (0..<reader.count()).map { _ in CacheTag(description: reader.text()) } }
        }
        let count = reader.count()
        let head = heads.read(&reader, bodyCount: count)
        return CacheEntry(
            head: head,
            body: ByteBuffer.exactly(reader.bytes(count)),
            lifetimes: lifetimes,
            selectingFields: selecting.isEmpty ? .none : SelectingFields(text: selecting),
            readVersion: LogVersion(epoch: epoch, number: number),
            location: EntryLocation(
                key: CacheKey(description: key, hash: hash),
                target: target,
                tags: tags[0]
            ),
            tags: tags[1],
            lastUse: UseMark(),
            scopes: scopes,
            isCopy: true
        )
    }

    /// Deallocates the block, and releases its head.
    func deallocate(heads: inout HeadTable, pool: inout BlockPool) {
        Self.releaseHead(of: bytes, heads: &heads)
        pool.deallocate(address)
    }

    /// Releases the head that the bytes of an entry use.
    static func releaseHead(of bytes: UnsafeRawBufferPointer, heads: inout HeadTable) {
        var reader = PackedReader(bytes)
        skipToHead(&reader)
        heads.release(&reader)
    }

    private static func skipToHead(_ reader: inout PackedReader) {
        _ = reader.fixed()
        _ = reader.bytes()
        _ = reader.integer()
        let flags = Flags(rawValue: reader.byte() & 0x1F)
        for _ in 0..<5 { _ = span(&reader) }
        _ = reader.bytes()
        if !flags.contains(.targetInKey) { _ = reader.bytes() }
        if flags.contains(.hasTags) {
            for _ in 0..<2 { for _ in 0..<reader.count() { _ = reader.bytes() } }
        }
        _ = reader.count()
    }

    // MARK: Times

    private static func write(_ time: Timestamp, from base: Timestamp, to writer: inout PackedWriter) {
        write(time, span: base, time, to: &writer)
    }

    /// Writes a time as the span between two others, or as it is if the span is too long. Most spans are whole seconds,
    /// and take two or three bytes.
    private static func write(
        _ time: Timestamp,
        span start: Timestamp,
        _ end: Timestamp,
        to writer: inout PackedWriter
    ) {
        let (span, overflow) = end.nanosecondsSinceEpoch.subtractingReportingOverflow(start.nanosecondsSinceEpoch)
        if overflow || span < 0 || span >= 1 << 61 {
            writer.write(2)
            writer.write(fixed: time.nanosecondsSinceEpoch)
        } else if span % 1_000_000_000 == 0 {
            writer.write(UInt64(span / 1_000_000_000) << 2 | 1)
        } else {
            writer.write(UInt64(span) << 2)
        }
    }

    private enum Span {
        case nanoseconds(Int64)
        case time(Int64)
    }

    private static func span(_ reader: inout PackedReader) -> Span {
        let value = reader.integer()
        switch value & 3 {
        case 0: return .nanoseconds(Int64(value >> 2))
        case 1: return .nanoseconds(Int64(value >> 2) * 1_000_000_000)
        default: return .time(reader.fixed())
        }
    }

    private static func time(before end: Timestamp, _ span: Span) -> Timestamp {
        switch span {
        case .nanoseconds(let count): Timestamp(nanosecondsSinceEpoch: end.nanosecondsSinceEpoch - count)
        case .time(let time): Timestamp(nanosecondsSinceEpoch: time)
        }
    }

    private static func time(_ span: Span, from base: Timestamp) -> Timestamp {
        switch span {
        case .nanoseconds(let count): Timestamp(nanosecondsSinceEpoch: base.nanosecondsSinceEpoch + count)
        case .time(let time): Timestamp(nanosecondsSinceEpoch: time)
        }
    }
}
