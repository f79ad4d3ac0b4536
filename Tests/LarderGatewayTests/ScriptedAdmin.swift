import Foundation
import TestHelpers

/// A server that answers as the admin API does, and commands of `larder` that use it.
struct ScriptedAdmin {
    /// An answer of the API.
    struct Answer {
        var status = "200 OK"
        var type = "application/json"
        let body: String

        /// Returns an answer with a description of what is wrong (RFC 9457).
        static func problem(_ status: String, _ detail: String, _ more: String = "") -> Answer {
            let code = status.prefix(3)
            let body = #"{"title":"\#(status.dropFirst(4))","status":\#(code),"detail":"\#(detail)"\#(more)}"#
            return Answer(status: status, type: "application/problem+json", body: body)
        }
    }

    /// A request for the API.
    struct Request {
        let method: String
        /// The path below the prefix, such as `v1/entries`.
        let route: String
        /// The decoded parameters of the query.
        let query: [String: String]
        let received: ScriptedOrigin.Received

        /// The content as JSON.
        var content: [String: Any] {
            let object = try? JSONSerialization.jsonObject(with: Data(received.body.utf8))
            return object as? [String: Any] ?? [:]
        }

        fileprivate init(_ received: ScriptedOrigin.Received, prefix: String) {
            let components = URLComponents(string: received.target)
            method = received.method
            route = String((components?.path ?? "").dropFirst(prefix.count + 1))
            let items = components?.queryItems ?? []
            query = Dictionary(items.map { ($0.name, $0.value ?? "") }) { $0 + "|" + $1 }
            self.received = received
        }
    }

    static let token = "a-token-of-the-test"
    static let prefix = "/-/larder"

    let origin: ScriptedOrigin

    /// The requests so far.
    var requests: [Request] { origin.requests.map { Request($0, prefix: Self.prefix) } }

    /// Runs a server while `test` runs. Requests without the token are refused.
    static func run<Value: Sendable>(
        _ answer: @escaping @Sendable (Request) async throws -> Answer,
        _ test: @Sendable (ScriptedAdmin) async throws -> Value
    ) async throws -> Value {
        try await ScriptedOrigin.answering { received in
            let request = Request(received, prefix: prefix)
            let isPublic = request.route == "openapi.json" || !received.target.hasPrefix(prefix)
            let isAllowed = isPublic || received["Authorization"] == "Bearer \(token)"
            let reply = isAllowed ? try await answer(request) : .problem("401 Unauthorized", "The token is wrong")
            return LarderGatewayTests.answer(reply.status, ["Content-Type: \(reply.type)"], reply.body)
        } _: { origin in
            try await test(ScriptedAdmin(origin: origin))
        }
    }

    /// Runs a command line with `larder` as the program, the URL of the server and the token in the environment.
    func run(
        _ command: String,
        _ environment: [String: String] = [:],
        in folder: URL? = nil
    ) async throws -> (status: Int32, output: String) {
        var all = ["LARDER_ADMIN_URL": origin.url + Self.prefix, "LARDER_ADMIN_TOKEN": Self.token]
        all.merge(environment) { $1 }
        return try await LarderCommandLine.run(command, all, in: folder)
    }
}

/// Command lines with `larder` as the program.
enum LarderCommandLine {
    /// Runs a command line in a shell.
    /// - Returns: The exit status, and the text on standard output and standard error.
    static func run(
        _ command: String,
        _ environment: [String: String] = [:],
        in folder: URL? = nil
    ) async throws -> (status: Int32, output: String) {
        let program = try ProgramProcess.path(of: "larder")
        let folder = folder ?? FileManager.default.temporaryDirectory
        let script = "larder() { '\(program)' \"$@\"; }; cd '\(folder.path)' && \(command)"
        var all = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"]
        all.merge(environment) { $1 }
        return try await ProgramProcess.run("/bin/sh", ["-c", script], environment: all) { shell in
            (try await shell.status(), shell.output)
        }
    }

    /// Calls a function with a new folder, which is removed after it.
    static func withFolder<Value>(_ body: (URL) async throws -> Value) async throws -> Value {
        let folder = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(folder)
    }
}
