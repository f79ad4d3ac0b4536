import Larder
import LarderGateway
import LarderTestSupport
import NIOCore
import NIOHPACK
import TestHelpers
import Testing

/// Clients that hold the memory of removed responses, so that nothing more could be stored.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SlowReaderAttackTests {
    private static let length = 16 << 20

    /// Runs a gateway whose memory for bodies on their way is taken by three responses.
    private static func withGateway(
        _ certificate: Certificate? = nil,
        _ test: @Sendable (RunningGateway) async throws -> Void
    ) async throws {
        let large = String(repeating: "x", count: length)
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=600"], request.target.hasPrefix("/small") ? "small" : large)
        } _: { origin in
            try await RunningGateway.run(
                before: origin.url,
                store: MemoryStore(limit: .mebibytes(64), entryLimit: .mebibytes(17))
            ) {
                // A lowest rate would not detect these clients: they could read a byte now and then.
                $0.clientRate = .bytes(0)
                $0.clientRateTime = .milliseconds(500)
                $0.inFlightLimit = .mebibytes(40)
                $0.bodyLimit = .mebibytes(17)
                $0.certificate = certificate.map { .init($0) }
            } _: { gateway in
                try await test(gateway)
            }
        }
    }

    @Test func `The slowest clients are disconnected, and responses are stored again`() async throws {
        try await Self.withGateway { gateway async throws in
            try await Self.hold(6, gateway) { wires async throws in
                #expect(try await gateway.send("GET", "/small").status == 200)
                #expect(try await gateway.send("GET", "/small").isHit)
                var cutOff = 0
                for wire in wires {
                    var count = 0
                    while count < Self.length, let part = try? await wire.part() { count += part.readableBytes }
                    if count < Self.length { cutOff += 1 }
                }
                #expect(cutOff >= 4)
            }
        }
    }

    /// Lets clients read the beginning of responses that are then removed, one after the other.
    private static func hold(
        _ count: Int,
        _ gateway: RunningGateway,
        _ wires: [Wire] = [],
        _ body: ([Wire]) async throws -> Void
    ) async throws {
        guard count > 0 else { return try await body(wires) }
        try await Wire.open(to: gateway.port) { wire in
            let target = "/large/\(count)"
            try await eventually("the response is stored") {
                (try? await gateway.send("GET", target).isHit) ?? false
            }
            try await wire.send("GET", target)
            #expect(try await wire.head().status == 200)
            #expect(try await gateway.send("PURGE", target).status == 200)
            try await hold(count - 1, gateway, wires + [wire], body)
        }
    }

    @Test func `The slowest streams are reset, and their connection continues`() async throws {
        try await Certificate.run { certificate in
            try await Self.withGateway(certificate) { gateway async throws in
                try await HTTP2Wire.open(to: gateway.port) { wire async throws in
                    try await Self.hold(4, wire) { () async throws in
                        #expect(try await wire.send("GET", "/small").status == "200")
                        #expect(try await wire.send("GET", "/small").isHit)
                    }
                }
            }
        }
    }

    private static func hold(_ count: Int, _ wire: HTTP2Wire, _ body: () async throws -> Void) async throws {
        guard count > 0 else { return try await body() }
        let target = "/large/\(count)"
        try await eventually("the response is stored") { (try? await wire.send("GET", target).isHit) ?? false }
        try await wire.stream { stream in
            try await stream.send("GET", target, ends: true)
            #expect(try await stream.head().first(name: ":status") == "200")
            #expect(try await wire.send("PURGE", target).status == "200")
            try await hold(count - 1, wire, body)
        }
    }
}

extension HTTP2Wire.Answer {
    fileprivate var isHit: Bool { fields.first(name: "Cache-Status")?.contains("; hit") ?? false }
}
