import Larder
import LarderGateway
import NIOCore
import TestHelpers
import Testing

/// The record of a request whose response is more than the sockets take. Beside hundreds of tests, reading it takes
/// minutes.
@Suite(.timeLimit(.minutes(5))) struct LoggedLargeBodyTests {
    @Test func `A large hit counts as ended when the socket has taken it`() async throws {
        // More than the buffers of both sockets take.
        let size = 24 << 20
        let store = MemoryStore(limit: .mebibytes(256), entryLimit: .mebibytes(32))
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: max-age=600"], String(repeating: "x", count: size))
        } _: { origin async throws in
            try await LogFolder.run { folder async throws in
                try await RunningGateway.run(before: origin.url, store: store) {
                    $0.accessLog = .file(folder.path("log"))
                    $0.accessLogFields = [.result, .bytes, .reason, .detail]
                    $0.accessLogFormat = .fields
                    $0.bodyLimit = .mebibytes(32)
                    // A slow machine holds the body twice, for the client and for the store.
                    $0.inFlightLimit = .mebibytes(256)
                } _: { gateway async throws in
                    _ = try await gateway.send("GET", "/a")
                    await gateway.gateway.cache.idle()
                    try await Wire.open(to: gateway.port) { wire async throws in
                        try await wire.send("GET", "/a")
                        _ = try await wire.head()
                        // Another request shows that the log is written meanwhile.
                        _ = try await gateway.send("GET", "/-/larder/health")
                        try await eventually("it is logged") {
                            folder.lines("log").contains { $0.hasPrefix("result=none bytes=15 ") }
                        }
                        #expect(!folder.lines("log").contains { $0.hasPrefix("result=hit bytes=\(size) ") })
                        var read = 0
                        while read < size, let part = try await wire.part() { read += part.readableBytes }
                        try await eventually("the hit is logged: \(folder.lines("log")), \(read)", within: .seconds(60))
                        {
                            folder.lines("log").contains { $0.hasPrefix("result=hit bytes=\(size) ") }
                        }
                    }
                }
            }
        }
    }
}
