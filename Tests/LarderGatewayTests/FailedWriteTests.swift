import LarderGateway
import TestHelpers
import Testing

/// The invalidations after a write that its origin did not confirm.
@Suite(.timeLimit(.minutes(5))) struct FailedWriteTests {
    /// The result of a write at the origin.
    enum WriteResult: CaseIterable {
        case confirmed, redirected, refused, failed, unavailable, badGateway, timedOutBehind
        /// The origin reads the request, and closes the connection.
        case closed
        /// The origin reads the request, and does not respond within the gateway's timeout.
        case silent
        /// The origin refuses connections.
        case unreachable

        var answer: String? {
            switch self {
            case .confirmed: "200 OK"
            case .redirected: "303 See Other"
            case .refused: "409 Conflict"
            case .failed: "500 Internal Server Error"
            case .unavailable: "503 Service Unavailable"
            case .badGateway: "502 Bad Gateway"
            case .timedOutBehind: "504 Gateway Timeout"
            case .closed, .silent, .unreachable: nil
            }
        }
    }

    /// Returns true if a stored response is invalidated by a write to its URL, and the status that the client gets.
    private static func write(
        _ result: WriteResult,
        file: @escaping @Sendable (String) -> String? = { _ in nil }
    ) async throws -> (Bool, Int) {
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.request() {
                guard request.method == "POST" else {
                    let text = answer("200 OK", ["Cache-Control: max-age=600", "Connection: close"], "stored")
                    try await connection.send(text)
                    return try await connection.close()
                }
                if let status = result.answer {
                    try await connection.send(answer(status))
                } else if result == .closed {
                    return try await connection.close()
                } else {
                    _ = try await connection.request()
                }
            }
        } _: { origin in
            try await RunningGateway.run(
                before: origin.url,
                file: file(origin.url),
                configure: { if result == .silent { $0.responseTimeout = .seconds(6) } }
            ) { gateway in
                for _ in 0..<2 { #expect(try await gateway.send("GET", "/a").text == "stored") }
                #expect(origin.requests.count == 1)
                if result == .unreachable { try await origin.refuse() }
                let status = try await gateway.send("POST", "/a", body: "change").status
                let after = try await gateway.send("GET", "/a")
                return (after["Cache-Status"]?.contains("; hit") != true, status)
            }
        }
    }

    static let results: [(WriteResult, isInvalidated: Bool, status: Int)] = [
        (.confirmed, true, 200), (.redirected, true, 303), (.refused, false, 409), (.failed, false, 500),
        (.unavailable, false, 503), (.badGateway, true, 502), (.timedOutBehind, true, 504), (.closed, true, 502),
        (.silent, true, 504), (.unreachable, false, 502),
    ]

    @Test(arguments: results)
    func `A write invalidates if it succeeded, or if it was sent and its result is unknown`(
        _ result: WriteResult,
        _ isInvalidated: Bool,
        _ status: Int
    ) async throws {
        let found = try await Self.write(result)
        #expect(found.0 == isInvalidated && found.1 == status)
    }

    @Test(arguments: [(WriteResult.failed, true), (.unavailable, true), (.refused, false), (.unreachable, false)])
    func `A route with invalidate-on-error invalidates after every 5xx`(
        _ result: WriteResult,
        _ isInvalidated: Bool
    ) async throws {
        let found = try await Self.write(result) { origin in
            "origin: \(origin)\nroutes:\n  - path: /a\n    invalidate-on-error: true\n"
        }
        #expect(found.0 == isInvalidated)
    }
}
