import ArgumentParser
import Foundation
import Larder
import LarderGateway
import LarderSimulation
import SystemErrors

/// The command `larder simulate`, which replays an access log and prints what a cache would have answered.
struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Predict from an access log how many requests a cache would answer, by memory and policy.",
        discussion: """
            A log is in the Common or Combined Log Format (nginx, Apache, larder serve), in JSON (nginx, Caddy, \
            Traefik), or has rows `time,key,size`. It may be compressed with gzip. Several files are one log, the \
            oldest first.

            GET and HEAD requests are looked up, responses with a cacheable status are stored, and a successful \
            POST, PUT, PATCH or DELETE removes the responses of its path.

            larder simulate access.log
            larder simulate access.log.2.gz access.log.1 --memory 64MiB,256MiB,1GiB --ttl 1m --html report.html
            zcat access.log.*.gz | larder simulate - --ignore-query 'utm_*,fbclid'
            larder simulate trace.csv.gz --memory 2922722 --overhead 0 --policy by-use,lru --format json
            """
    )

    /// The form of the report on standard output.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json
    }

    @Argument(help: ArgumentHelp("Access logs, the oldest first; - for standard input.", valueName: "file"))
    var files: [String]

    @Option(
        help: ArgumentHelp(
            "The sizes of the cache, as a list (16MiB,64MiB,256MiB,1GiB,4GiB). A log of keys alone counts in entries.",
            valueName: "sizes"
        )
    )
    var memory: String?

    @Option(
        help: ArgumentHelp(
            """
            The policies of eviction, as a list of by-use, by-size-and-use, lru and store, the store itself, which \
            takes the memory that it simulates (by-use,by-size-and-use,lru).
            """,
            valueName: "policies"
        )
    )
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "The time for which responses are fresh if the log has no Cache-Control, or none (5m; none for rows).",
            valueName: "time"
        )
    )
    var ttl: String?

    @Option(
        help: ArgumentHelp(
            "Query parameters that are not part of keys, as a list such as utm_*,fbclid.",
            valueName: "names"
        )
    )
    var ignoreQuery: String?

    @Option(help: ArgumentHelp("The largest body that is stored, or none (8MiB; none for rows).", valueName: "bytes"))
    var bodyLimit: String?

    @Option(
        help: ArgumentHelp(
            "The bytes charged for a response beside its body (as the memory store charges; 0 for keys alone).",
            valueName: "bytes"
        )
    )
    var overhead: Int?

    @Option(
        help: ArgumentHelp("The number of parts of the store (as the memory store has on this machine).")
    )
    var shards: Int?

    @Option(help: ArgumentHelp("common, combined, nginx, json, rows or auto (auto).", valueName: "format"))
    var logFormat: String?

    @Option(help: ArgumentHelp("table or json (table).", valueName: "format"))
    var format = Format.table

    @Option(help: ArgumentHelp("Also write the report, with charts, to an HTML file.", valueName: "file"))
    var html: String?

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("a log is missing: give a file, or - for standard input") }
        guard files.count(where: { $0 == "-" }) <= 1 else {
            throw ValidationError("standard input can be read once: give - once")
        }
        if let shards, !(1...1_024).contains(shards) {
            throw ValidationError("--shards is invalid: expected a number from 1 to 1024")
        }
        if let overhead, overhead < 0 {
            throw ValidationError("--overhead is invalid: expected a number of bytes, 0 or more")
        }
        _ = try (reading(), memories(), bodyLimits())
        if overhead != nil, try policies().contains(.store) {
            throw ValidationError("--overhead is not for the policy store, which charges what the memory store charges")
        }
    }

    func run() async throws {
        try checkPage()
        let inputs = try files.map(FileSource.init)
        let log = inputs.map { LogReader.File(name: $0.name, source: $0) }
        let progress = LogProgress(inputs)
        var reader = LogReader(log, options: try reading())
        let report: SimulationReport
        do {
            try reader.begin()
            let stores = try stores(for: reader.content ?? .requests)
            let counts = try await Simulation(stores).run(&reader) { progress.show($0.requests) }
            report = SimulationReport(files: inputs.map(\.name), reader: reader, stores: stores, counts: counts)
            progress.clear()
        } catch {
            progress.clear()
            let unreadable = error as? UnreadableFile
            let reason = unreadable.map { "\($0.file): \(ErrorText.describe($0.reason))" } ?? "\(error)"
            throw Failure(reason, code: unreadable.map { $0.reason is GzipError } == false ? EX_IOERR : EX_DATAERR)
        }
        for warning in report.warnings { printError("larder: warning: \(warning)") }
        try show(report)
    }

    /// Checks that the page can be written, before a log is replayed for it.
    private func checkPage() throws {
        guard let html else { return }
        let folder = URL(fileURLWithPath: html).deletingLastPathComponent().path
        guard FileManager.default.isWritableFile(atPath: folder) else {
            throw Failure("\(html) cannot be written: its folder does not exist or is read-only", code: EX_CANTCREAT)
        }
    }

    private func show(_ report: SimulationReport) throws {
        if let html {
            do { try Data(report.page.utf8).write(to: URL(fileURLWithPath: html)) } catch {
                throw Failure("\(html) cannot be written: \(ErrorText.describe(error))", code: EX_CANTCREAT)
            }
        }
        guard format == .json else { return print(report.text, terminator: "") }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(report.record), as: UTF8.self))
    }
}

// MARK: - Options

extension Simulate {
    /// The number of stores that are simulated at once.
    private static let storeLimit = 64

    private static func list(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    private func memories() throws -> [ByteCount]? {
        guard let memory else { return nil }
        let sizes = try Self.list(memory).map { text in
            guard let size = ByteCount(text), size.bytes > 0 else {
                throw ValidationError("--memory is invalid: expected sizes such as 64MiB,1GiB or 1000000, not \(text)")
            }
            return size
        }
        guard !sizes.isEmpty else { throw ValidationError("--memory is invalid: expected sizes such as 64MiB,1GiB") }
        guard sizes.count * (try policies().count) <= Self.storeLimit else {
            throw ValidationError("--memory and --policy make more than \(Self.storeLimit) combinations")
        }
        return sizes
    }

    private func policies() throws -> [SimulatedPolicy] {
        guard let policy else { return SimulatedPolicy.defaults }
        let names = SimulatedPolicy.allCases.map(\.rawValue).joined(separator: ", ")
        let policies = try Self.list(policy).map { text in
            guard let policy = SimulatedPolicy(rawValue: text) else {
                throw ValidationError("--policy is invalid: expected a list of \(names), not \(text)")
            }
            return policy
        }
        guard !policies.isEmpty else { throw ValidationError("--policy is invalid: expected a list of \(names)") }
        return policies
    }

    /// Returns the largest body that is given; nil if it is not given, and a nil within for none.
    private func bodyLimits() throws -> ByteCount?? {
        guard let bodyLimit else { return nil }
        if bodyLimit == "none" { return .some(nil) }
        guard let limit = ByteCount(bodyLimit) else {
            throw ValidationError("--body-limit is invalid: expected a size such as 8MiB, or none, not \(bodyLimit)")
        }
        return limit
    }

    private func reading() throws -> ReadingOptions {
        var options = ReadingOptions()
        options.readsTargets = try policies().contains(.store)
        if let logFormat, logFormat != "auto" {
            guard let format = LogFormat(rawValue: logFormat) else {
                let names = LogFormat.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--log-format is invalid: expected auto, \(names), not \(logFormat)")
            }
            options.format = format
        }
        if let ttl {
            guard ttl == "none" || DurationText.parse(ttl).map({ $0 > .zero }) == true else {
                throw ValidationError("--ttl is invalid: expected \(DurationText.expectation), or none, not \(ttl)")
            }
            options.lifetime = DurationText.parse(ttl)
            options.rowLifetime = options.lifetime
        }
        options.ignoredParameters = try Self.list(ignoreQuery ?? "").map { text in
            guard let pattern = NamePattern(text) else {
                throw ValidationError("--ignore-query is invalid: expected names such as utm_*,fbclid, not \(text)")
            }
            return pattern
        }
        return options
    }

    /// Returns the stores to simulate, by size and policy.
    private func stores(for content: LogContent) throws -> [StoreOptions] {
        let limit = try bodyLimits() ?? (content == .requests ? StoreOptions.defaultBodyLimit : nil)
        return try (memories() ?? StoreOptions.defaultMemory(for: content)).flatMap { memory in
            try policies().map { policy in
                var store = StoreOptions(policy, memory: memory)
                store.overhead = overhead ?? (content == .keys && policy != .store ? 0 : nil)
                store.bodyLimit = limit
                store.shardCount = shards
                return store
            }
        }
    }
}
