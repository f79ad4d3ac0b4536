import HTTPCaching
import HTTPTypes
package import Larder

/// The choices by which a log is read.
package struct ReadingOptions: Sendable {
    /// The format of the files; nil if it is detected.
    package var format: LogFormat?
    /// The time for which a response is fresh if the log does not have its `Cache-Control`; nil if it does not expire.
    /// Five minutes by default.
    package var lifetime: Duration? = .seconds(300)
    /// The time for which the response of a row is fresh; nil, by default, if it does not expire.
    package var rowLifetime: Duration?
    /// The query parameters that are not part of keys.
    package var ignoredParameters: [NamePattern] = []
    /// True if the simulated stores need the targets of requests.
    package var readsTargets = false
    /// True if the hosts of requests are needed.
    package var readsHosts = false

    package init() {}
}

/// A maker of records from the fields of lines, in the order of the log.
struct RecordBuilder {
    private let options: ReadingOptions
    private let keys: KeyPolicy
    /// The latest time so far: the clock of the log does not go back.
    private var now: Timestamp?
    /// The lifetimes of values of `Cache-Control`, of which a log has few.
    private var lifetimes: [[UInt8]: Lifetime] = [:]
    private(set) var totals = LogTotals()

    private enum Lifetime {
        case notStorable
        case none
        case some(Duration)
    }

    /// The statuses of responses that are stored: those that are cacheable without explicit freshness (RFC 9110 §15.1)
    /// except for parts of responses.
    private static let storable: Set<Int> = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]

    init(_ options: ReadingOptions) {
        self.options = options
        var keys = KeyPolicy()
        keys.ignoredParameters = options.ignoredParameters
        self.keys = keys
    }

    mutating func noteMalformed(_ line: MalformedLine) {
        totals.malformed += 1
        if totals.firstMalformed == nil { totals.firstMalformed = line }
    }

    /// Adds the record of a line to a batch.
    mutating func add(_ fields: LogFields, of line: ArraySlice<UInt8>, to batch: inout LogBatch) {
        let now = advance(to: fields.time)
        let size = fields.size ?? 0
        totals.requests += 1
        totals.bytes = totals.bytes.addingReportingOverflow(size).overflow ? .max : totals.bytes + size
        var record = LogRecord(
            kind: .bypass,
            time: now,
            key: 0,
            path: 0,
            size: size,
            freshUntil: .distantFuture,
            targetLength: 0,
            depth: 1
        )
        let (kind, lifetime) = kind(of: fields, line)
        record.kind = kind
        if let lifetime { record.freshUntil = now.advanced(by: lifetime) }
        switch kind {
        case .load, .peek: totals.lookups += 1
        case .write: totals.writes += 1
        case .bypass: break
        }
        if kind != .bypass {
            setKey(of: &record, fields, line, &batch)
        } else if options.readsTargets {
            batch.targets.append("")
        }
        if options.readsHosts { batch.hosts.append(Self.text(fields.host, line)) }
        batch.records.append(record)
    }

    private mutating func advance(to nanoseconds: Int64?) -> Timestamp {
        guard let nanoseconds else { return now ?? Timestamp(secondsSinceEpoch: 0) }
        let time = Timestamp(nanosecondsSinceEpoch: nanoseconds)
        guard let latest = now else {
            (now, totals.span) = (time, time...time)
            return time
        }
        if time < latest { totals.stepBack = max(totals.stepBack, latest.duration(since: time)) }
        let now = max(latest, time)
        self.now = now
        if let span = totals.span, now > span.upperBound { totals.span = span.lowerBound...now }
        return now
    }

    // MARK: What a cache does

    /// Returns what a cache does with a request, and for how long its response is fresh; nil if it does not expire.
    private mutating func kind(of fields: LogFields, _ line: ArraySlice<UInt8>) -> (LogRecord.Kind, Duration?) {
        if fields.isRow { return (.load, options.rowLifetime) }
        let status = fields.status ?? 0
        let method = Self.text(fields.method, line)
        guard !fields.target.isEmpty, !isForGateway(fields, line) else {
            totals.others += 1
            return (.bypass, nil)
        }
        let isHead = method == "HEAD"
        // A log without methods is one of GET requests.
        guard method == "GET" || method.isEmpty || isHead else {
            let isWrite = HTTPRequest.Method(method).map(Invalidation.isUnsafe) ?? false
            guard isWrite, (200...399).contains(status) else {
                totals.others += 1
                return (.bypass, nil)
            }
            return (.write, nil)
        }
        // Requests with credentials bypass the cache.
        guard !fields.hasUser else {
            totals.withUser += 1
            return (.bypass, nil)
        }
        let isPart = status == 206 || status == 304
        guard isPart || Self.storable.contains(status) else {
            totals.notStorable += 1
            return (.bypass, nil)
        }
        switch lifetime(of: fields.cacheControl, line) {
        case .notStorable:
            totals.notStorable += 1
            return (.bypass, nil)
        case .none: return (isHead || isPart ? .peek : .load, options.lifetime)
        case .some(let lifetime): return (isHead || isPart ? .peek : .load, lifetime)
        }
    }

    /// Returns true for a request to the admin routes of a gateway, which are in its log, too.
    private func isForGateway(_ fields: LogFields, _ line: ArraySlice<UInt8>) -> Bool {
        guard case .place(let place) = fields.target else { return false }
        return line[place].starts(with: "/-/larder/".utf8)
    }

    /// Returns the lifetime that a value of `Cache-Control` declares to a shared cache.
    private mutating func lifetime(of text: LogFields.Text, _ line: ArraySlice<UInt8>) -> Lifetime {
        let bytes: [UInt8]
        switch text {
        case .absent: return .none
        case .place(let place): bytes = Array(line[place])
        case .bytes(let unescaped): bytes = unescaped
        }
        guard !bytes.isEmpty, bytes != [UInt8(ascii: "-")] else { return .none }
        if let known = lifetimes[bytes] { return known }
        let directives = ResponseDirectives([.cacheControl: String(decoding: bytes, as: UTF8.self)])
        var lifetime = Lifetime.none
        if directives.noStore || directives.privacy == .response || directives.noCache == .response {
            lifetime = .notStorable
        } else if let declared = directives.sMaxAge ?? directives.maxAge {
            lifetime = declared > .zero ? .some(declared) : .notStorable
        }
        if lifetimes.count >= 1_000 { lifetimes = [:] }
        lifetimes[bytes] = lifetime
        return lifetime
    }

    // MARK: Keys and paths

    private static func text(_ text: LogFields.Text, _ line: ArraySlice<UInt8>) -> String {
        switch text {
        case .absent: ""
        case .place(let place): line[place].text
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        }
    }

    private func setKey(
        of record: inout LogRecord,
        _ fields: LogFields,
        _ line: ArraySlice<UInt8>,
        _ batch: inout LogBatch
    ) {
        var key = TextHash()
        var path = TextHash()
        switch fields.host {
        case .absent: break
        case .place(let place): key.add(line[place], lowercased: true)
        case .bytes(let bytes): key.add(bytes[...], lowercased: true)
        }
        if !fields.host.isEmpty { path = key }
        if case .place(let place) = fields.target, fields.query.isEmpty, !keys.ignoresParameters {
            setKey(of: &record, target: line[place], isRow: fields.isRow, key, path)
            if options.readsTargets { batch.targets.append(line[place].text) }
        } else {
            var target = Self.text(fields.target, line)
            let query = Self.text(fields.query, line)
            if !query.isEmpty, !target.utf8.contains(UInt8(ascii: "?")) {
                target += (query.hasPrefix("?") ? "" : "?") + query
            }
            target = keys.withoutIgnored(target)
            setKey(of: &record, target: Array(target.utf8)[...], isRow: fields.isRow, key, path)
            if options.readsTargets { batch.targets.append(target) }
        }
    }

    private func setKey(
        of record: inout LogRecord,
        target: ArraySlice<UInt8>,
        isRow: Bool,
        _ key: TextHash,
        _ path: TextHash
    ) {
        var (key, path) = (key, path)
        key.add(target)
        record.key = key.value
        record.targetLength = Int32(min(target.count, LineReader.lineLimit)) + (isRow ? 1 : 0)
        guard !isRow else { return }
        if let (length, depth) = Self.plainPath(target) {
            path.add(target.prefix(length), lowercased: true)
            record.depth = Int32(depth)
        } else {
            let normalized = CachePath(target.text).description
            path.add(Array(normalized.utf8)[...])
            record.depth = Int32(normalized == "/" ? 0 : normalized.utf8.count { $0 == ASCII.slash })
        }
        record.path = path.value
    }

    /// Returns the length and the number of segments of a target's path if it is normalized but for the case of its
    /// letters and a slash at its end; nil if it has to be normalized.
    private static func plainPath(_ target: ArraySlice<UInt8>) -> (length: Int, depth: Int)? {
        guard target.first == ASCII.slash else { return nil }
        var (length, depth, previous) = (1, 0, ASCII.slash)
        for byte in target.dropFirst() {
            if byte == ASCII.question { break }
            // A dot at the beginning of a segment may be a dot segment.
            guard ASCII.isUnreserved(byte) || byte == ASCII.slash,
                previous != ASCII.slash || (byte != ASCII.slash && byte != ASCII.dot)
            else { return nil }
            if previous == ASCII.slash { depth += 1 }
            previous = byte
            length += 1
        }
        guard length < CacheKey.maximumLength, depth <= 16 else { return nil }
        return (length > 1 && previous == ASCII.slash ? length - 1 : length, depth)
    }
}

extension ArraySlice<UInt8> {
    /// The bytes as a text. Bytes that are not UTF-8 are replaced.
    var text: String { String(decoding: self, as: UTF8.self) }
}
