#if os(Linux)
    import Foundation
    import HTTPTypes
    import LarderTestSupport
    import TestHelpers
    import NIOConcurrencyHelpers
    import NIOCore
    import NIOHPACK
    import Testing

    /// The growth of a gateway's process while it forwards bodies that are larger than the allowed growth.
    ///
    /// `make test-large` runs these tests with bodies of 2 GiB.
    @Suite(.serialized, .timeLimit(.minutes(60))) struct LargeBodyTests {
        static let isLarge = ProcessInfo.processInfo.environment["LARDER_LARGE"] == "1"
        static let size = isLarge ? 2 << 30 : 192 << 20
        /// The largest allowed growth of the process in bytes.
        static let growth = 64 << 20

        enum Framing: CaseIterable { case length, chunks }

        @Test(arguments: Framing.allCases) func `A download takes little memory`(_ framing: Framing) async throws {
            let (size, pattern, sent) = (Self.size, Pattern(), NIOLockedValueBox(0))
            try await ScriptedOrigin.run(Self.serving(size, framing, pattern, sent)) { origin in
                try await Self.withGateway(before: origin.url) { port, _ in
                    try await Wire.open(to: port) { wire in
                        try await wire.send("GET", "/large")
                        let head = try await wire.head()
                        #expect(head.status == 200)
                        var check = Pattern.Check(pattern)
                        try await Self.stopsMoving(sent, below: size)
                        try await wire.content(head.fields) { check.take($0) }
                        #expect(check.count == size && check.isRight)
                    }
                }
            }
        }

        @Test(arguments: Framing.allCases) func `An upload takes little memory`(_ framing: Framing) async throws {
            let (size, pattern, sent, gate) = (Self.size, Pattern(), NIOLockedValueBox(0), Gate())
            try await ScriptedOrigin.run(Self.taking(pattern, gate)) { origin in
                try await Self.withGateway(before: origin.url) { port, _ in
                    try await Wire.open(to: port) { wire in
                        let field = framing == .length ? "Content-Length: \(size)" : "Transfer-Encoding: chunked"
                        try await wire.send("POST", "/large", [field])
                        try await withThrowingTaskGroup(of: Void.self) { group in
                            group.addTask {
                                try await Self.stopsMoving(sent, below: size)
                                gate.open()
                            }
                            try await pattern.pour(size, framing, sent) { try await wire.send($0) }
                            try await group.waitForAll()
                        }
                        #expect(try await wire.answer().text == "\(size) true")
                    }
                }
            }
        }

        @Test func `A download over HTTP/2 takes little memory`() async throws {
            let (size, pattern, sent) = (Self.size, Pattern(), NIOLockedValueBox(0))
            try await Certificate.run { certificate in
                try await ScriptedOrigin.run(Self.serving(size, .length, pattern, sent)) { origin in
                    try await Self.withGateway(before: origin.url, certificate) { port, _ in
                        try await HTTP2Wire.open(to: port) { wire in
                            try await wire.stream { stream in
                                try await stream.send("GET", "/large", ends: true)
                                #expect(try await stream.head().first(name: ":status") == "200")
                                var check = Pattern.Check(pattern)
                                try await Self.stopsMoving(sent, below: size)
                                while let part = try await stream.part() { check.take(part) }
                                #expect(check.count == size && check.isRight)
                            }
                        }
                    }
                }
            }
        }

        @Test func `An upload over HTTP/2 takes little memory`() async throws {
            let (size, pattern, sent, gate) = (Self.size, Pattern(), NIOLockedValueBox(0), Gate())
            try await Certificate.run { certificate in
                try await ScriptedOrigin.run(Self.taking(pattern, gate)) { origin in
                    try await Self.withGateway(before: origin.url, certificate) { port, _ in
                        try await HTTP2Wire.open(to: port) { wire in
                            try await wire.stream { stream in
                                try await stream.send("POST", "/large", ends: false)
                                try await withThrowingTaskGroup(of: Void.self) { group in
                                    group.addTask {
                                        try await Self.stopsMoving(sent, below: size)
                                        gate.open()
                                    }
                                    try await pattern.pour(size, .length, sent) { try await stream.send($0) }
                                    try await group.waitForAll()
                                }
                                try await stream.send(ByteBuffer(), ends: true)
                                #expect(try await stream.answer().text == "\(size) true")
                            }
                        }
                    }
                }
            }
        }
    }

    extension LargeBodyTests {
        /// Runs a gateway in a separate process, and checks its growth.
        private static func withGateway(
            before origin: String,
            _ certificate: Certificate? = nil,
            _ test: (Int, ProgramProcess) async throws -> Void
        ) async throws {
            let port = try FreePort.take()
            var arguments = ["serve", "--origin", origin, "--listen", "127.0.0.1:\(port)"]
            arguments += ["--connect-timeout", "60s", "--client-rate", "off"]
            if let certificate {
                arguments += ["--certificate", certificate.certificate, "--private-key", certificate.privateKey]
            }
            try await ProgramProcess.run("larder", arguments) { gateway in
                try await gateway.listens(on: port)
                let before = try gateway.memory("VmRSS")
                let start = ContinuousClock.now
                try await test(port, gateway)
                let grown = try gateway.memory("VmHWM") - before
                #expect(grown < growth, "grew by \(grown >> 10) KiB")
                if isLarge { print("\(before >> 10) KiB, grew by \(grown >> 10) KiB, \(ContinuousClock.now - start)") }
            }
        }

        /// Waits until nothing has been sent for a second, since the receiver does not read.
        private static func stopsMoving(_ sent: NIOLockedValueBox<Int>, below size: Int) async throws {
            var (last, since) = (0, ContinuousClock.now)
            try await eventually("nothing is sent any more", within: .seconds(120)) {
                let now = sent.withLockedValue { $0 }
                if now != last { (last, since) = (now, .now) }
                return last > 0 && ContinuousClock.now - since > .seconds(1)
            }
            #expect(last < size / 2, "\(last) bytes were taken while the client did not read")
        }

        /// Returns an origin that responds with a pattern, which could be stored if it were smaller.
        private static func serving(
            _ size: Int,
            _ framing: Framing,
            _ pattern: Pattern,
            _ sent: NIOLockedValueBox<Int>
        ) -> ScriptedOrigin.Script {
            { connection in
                let field = framing == .length ? "Content-Length: \(size)" : "Transfer-Encoding: chunked"
                while try await connection.head() != nil {
                    try await connection.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\(field)\r\n\r\n")
                    try await pattern.pour(size, framing, sent) { try await connection.send($0) }
                }
            }
        }

        /// Returns an origin that reads the content once a gate is open, and reports its size and if it was the
        /// pattern.
        private static func taking(_ pattern: Pattern, _ gate: Gate) -> ScriptedOrigin.Script {
            { connection in
                guard let request = try await connection.head() else { return }
                await gate.pass()
                var check = Pattern.Check(pattern)
                try await connection.content(of: request) { check.take($0) }
                try await connection.send(answer("200 OK", [], "\(check.count) \(check.isRight)"))
            }
        }
    }

    /// Bytes that repeat after a prime number, so that a misplaced part is detected.
    private struct Pattern: Sendable {
        private static let period = 65_521
        private let twice: ByteBuffer

        init() {
            var random = SeededRandom(seed: 1)
            let bytes = (0..<Self.period).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            twice = ByteBuffer(bytes: bytes + bytes)
        }

        /// Sends a number of bytes, and counts them.
        func pour(
            _ size: Int,
            _ framing: LargeBodyTests.Framing,
            _ sent: NIOLockedValueBox<Int>,
            _ send: (ByteBuffer) async throws -> Void
        ) async throws {
            var rest = size
            while rest > 0 {
                guard let part = twice.getSlice(at: 0, length: min(rest, Self.period)) else { return }
                if framing == .chunks {
                    var chunk = ByteBuffer(string: String(part.readableBytes, radix: 16) + "\r\n")
                    chunk.writeImmutableBuffer(part)
                    chunk.writeString("\r\n")
                    try await send(chunk)
                } else {
                    try await send(part)
                }
                rest -= part.readableBytes
                sent.withLockedValue { $0 += part.readableBytes }
            }
            if framing == .chunks { try await send(ByteBuffer(string: "0\r\n\r\n")) }
        }

        /// A check that the received bytes are the pattern from its beginning.
        struct Check {
            private let pattern: Pattern
            private(set) var count = 0
            private(set) var isRight = true

            init(_ pattern: Pattern) { self.pattern = pattern }

            mutating func take(_ part: ByteBuffer) {
                var part = part
                while part.readableBytes > 0 {
                    guard let slice = part.readSlice(length: min(part.readableBytes, Pattern.period)) else { return }
                    let expected = pattern.twice.getSlice(at: count % Pattern.period, length: slice.readableBytes)
                    if slice != expected { isRight = false }
                    count += slice.readableBytes
                }
            }
        }
    }
#endif
