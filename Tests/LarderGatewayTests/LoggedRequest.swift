import Larder
import LarderTestSupport
import TestHelpers

@testable import LarderGateway

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A line of the access log in JSON.
struct LoggedRequest: Decodable, Sendable {
    var time: String
    var requestId: String?
    var client: String?
    var method: String?
    var host: String?
    var target: String?
    var version: String?
    var route: String?
    var status: Int
    var bytes: Int
    var result: String
    var reason: String?
    var detail: String?
    var ageS: Int?
    var firstByteMs: Double?
    var durationMs: Double
    var origin: String?
    var originMs: Double?
    var traceId: String?
    var referer: String?
    var userAgent: String?

    /// Result, reason and detail as one text, such as `miss uri-miss no-store`.
    var outcome: String { [result, reason, detail].compactMap(\.self).joined(separator: " ") }

    init(_ line: some StringProtocol) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(LoggedRequest.self, from: Data(line.utf8))
    }
}

/// A folder for the access logs of one test, which is removed at the end.
struct LogFolder: Sendable {
    private let url = FileManager.default.temporaryDirectory.appending(path: "logs-\(UUID().uuidString)")

    static func run<Value>(_ body: (LogFolder) async throws -> Value) async throws -> Value {
        let folder = LogFolder()
        try FileManager.default.createDirectory(at: folder.url, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder.url) }
        return try await body(folder)
    }

    func path(_ name: String) -> String { url.appending(path: name).path() }

    /// Returns the bytes of a log; none if it does not exist.
    func bytes(_ name: String) -> [UInt8] {
        (try? Data(contentsOf: url.appending(path: name))).map { Array($0) } ?? []
    }

    /// Returns the lines of a log.
    func lines(_ name: String) -> [String] {
        String(decoding: bytes(name), as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

/// The access log of a gateway in a test, and the requests that its origin received.
struct LoggedRun: Sendable {
    var log: [LoggedRequest] = []
    var requests: [ScriptedOrigin.Received] = []
    /// The URL of the origin.
    var origin = ""
}

extension RunningGateway {
    /// Runs a gateway that logs JSON, and returns what it has logged once it has ended.
    static func logging(
        before origin: String,
        file: String? = nil,
        options: [String: String] = [:],
        clock: WallClock = .system,
        configure: (inout GatewaySettings) -> Void = { _ in },
        _ test: @Sendable (RunningGateway) async throws -> Void
    ) async throws -> [LoggedRequest] {
        try await LogFolder.run { folder async throws in
            try await run(before: origin, file: file, options: options, clock: clock) {
                $0.accessLog = .file(folder.path("log"))
                $0.accessLogFormat = .json
                configure(&$0)
            } _: { gateway async throws in
                try await test(gateway)
            }
            return try folder.lines("log").map { try LoggedRequest($0) }
        }
    }

    /// Runs a gateway that logs JSON before an origin that answers each request.
    static func logging(
        file: String? = nil,
        options: [String: String] = [:],
        clock: WallClock = .system,
        configure: @Sendable (inout GatewaySettings) -> Void = { _ in },
        answering answer: @escaping @Sendable (ScriptedOrigin.Received) async throws -> String,
        _ test: @Sendable (RunningGateway) async throws -> Void
    ) async throws -> LoggedRun {
        try await ScriptedOrigin.answering(answer) { origin async throws in
            let log = try await logging(
                before: origin.url,
                file: file,
                options: options,
                clock: clock,
                configure: configure,
                test
            )
            return LoggedRun(log: log, requests: origin.requests, origin: origin.url)
        }
    }
}
