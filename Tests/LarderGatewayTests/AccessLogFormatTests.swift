import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

@testable import LarderGateway

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The formats of the access log, and their fields.
@Suite(.timeLimit(.minutes(5))) struct AccessLogFormatTests {
    private typealias Field = GatewaySettings.AccessLogField

    private static let names = Field.allCases.map(\.rawValue)

    /// Runs a gateway whose clock stands still, and returns the lines that it has logged once it has ended.
    private static func lines(
        _ format: GatewaySettings.AccessLogFormat,
        _ fields: [GatewaySettings.AccessLogField] = [],
        _ test: @Sendable (RunningGateway) async throws -> Void
    ) async throws -> [String] {
        try await LogFolder.run { folder async throws in
            try await ScriptedOrigin.answering { _ in
                answer("200 OK", ["Cache-Control: max-age=9"], "content")
            } _: {
                origin async throws in
                try await RunningGateway.run(before: origin.url, clock: ManualClock().clock) {
                    $0.accessLog = .file(folder.path("log"))
                    $0.accessLogFormat = format
                    $0.accessLogFields = fields
                } _: { gateway async throws in
                    try await test(gateway)
                }
            }
            return folder.lines("log")
        }
    }

    /// Returns the names of the members of an object, in their order.
    private static func members(_ line: String) -> [String] {
        line.matches(of: /[{,]"([a-z_]+)":/).map { String($0.1) }
    }

    @Test func `JSON has all fields, or the chosen ones in their order`() async throws {
        let all = try await Self.lines(.json) { _ = try await $0.send("GET", "/a") }
        #expect(all.count == 1 && Self.members(all[0]) == Self.names)
        let some = try await Self.lines(.json, [.status, .target, .time, .origin]) { gateway async throws in
            _ = try await gateway.send("GET", "/-/larder/health")
        }
        #expect(
            some == [
                #"{"status":200,"target":"/-/larder/health","time":"2027-01-15T08:00:00.000Z","origin":null}"#
            ]
        )
    }

    @Test func `Fields follow a line of the combined format, or are the line`() async throws {
        let test: @Sendable (RunningGateway) async throws -> Void = { gateway async throws in
            _ = try await gateway.send("GET", "/a?b=c", ["User-Agent: a \"b\"\\"])
            await gateway.gateway.cache.idle()
            _ = try await gateway.send("GET", "/a?b=c", ["User-Agent: -"])
        }
        let fields: [Field] = [.target, .result, .reason, .userAgent, .age]
        let combined = try await Self.lines(.combined, fields, test)
        let start = "127.0.0.1 - - [15/Jan/2027:08:00:00 +0000] \"GET /a?b=c HTTP/1.1\" 200 7 \"-\" "
        let ends = [
            #"target="/a?b=c" result=miss reason=uri-miss user_agent="a \"b\"\\" age_s=-"#,
            #"target="/a?b=c" result=hit reason=- user_agent="-" age_s=0"#,
        ]
        #expect(combined == [start + #""a \"b\"\\" "# + ends[0], start + #""-" "# + ends[1]])
        #expect(try await Self.lines(.fields, fields, test) == ends)
        let all = try await Self.lines(.fields) { _ = try await $0.send("GET", "/a") }
        #expect(all.first?.split(separator: " ").map { $0.prefix { $0 != "=" } } == Self.names.map { $0[...] })
    }

    @Test func `Durations are milliseconds with three digits`() {
        var record = RequestRecord(.refused(RequestRefusal("x")), from: .forwarded(nil), at: .uptimeNanoseconds(1_000))
        let layout = AccessLogLayout(.fields, [.duration, .timeToFirstByte])
        for (nanoseconds, text) in [(0, "0.000"), (999, "0.000"), (45_600, "0.045"), (12_003_000_000, "12003.000")] {
            record.endedAt = .uptimeNanoseconds(1_000 + UInt64(nanoseconds))
            let line = String(decoding: layout.line(for: record, at: .distantPast), as: UTF8.self)
            #expect(line == "duration_ms=\(text) first_byte_ms=-\n")
        }
    }

    // MARK: - Hostile texts

    /// Returns the values of a line of fields by their names; nil if the line is not one.
    private static func parsed(_ line: [UInt8]) -> [(name: String, value: String)]? {
        var (pairs, rest): ([(String, String)], ArraySlice<UInt8>) = ([], line[...])
        while !rest.isEmpty {
            guard let equals = rest.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let name = String(decoding: rest[..<equals], as: UTF8.self)
            rest = rest[(equals + 1)...]
            var value: [UInt8] = []
            if rest.first == UInt8(ascii: "\"") {
                rest.removeFirst()
                while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
                    value.append(byte)
                    if byte == UInt8(ascii: "\\"), let next = rest.popFirst() { value.append(next) }
                }
            } else {
                while let byte = rest.first, byte != UInt8(ascii: " ") {
                    value.append(byte)
                    rest.removeFirst()
                }
            }
            pairs.append((name, String(decoding: value, as: UTF8.self)))
            guard rest.isEmpty || rest.popFirst() == UInt8(ascii: " ") else { return nil }
        }
        return pairs
    }

    /// Returns a text of any characters, many of which are special in some format.
    private static func text(using generator: inout SeededGenerator) -> String {
        let special: [Unicode.Scalar] = [
            "\"", "\\", "\n", "\r", "\t", "\0", "\u{7F}", "\u{85}", "\u{9B}", "\u{2028}", "\u{2029}", "=", " ", "-",
            "{", "}", ",", ":", "\u{FFFD}", "\u{1F600}", "\u{FEFF}", "\u{202E}",
        ]
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...12, using: &generator) {
            let any = Unicode.Scalar(UInt32.random(in: 0...0x2_FFFF, using: &generator)) ?? "?"
            let isSpecial = Bool.random(using: &generator)
            text.append(isSpecial ? special.randomElement(using: &generator) ?? "\"" : any)
        }
        return String(text)
    }

    @Test func `No text breaks a line, the JSON, or a pair`() throws {
        var generator = SeededGenerator(for: "AccessLogFormatTests")
        let layouts = [GatewaySettings.AccessLogFormat.combined, .json, .fields].map { AccessLogLayout($0, []) }
        let texts: [Field] = [.method, .target, .version, .reason, .detail, .requestID]
        for _ in 0..<5_000 {
            var refusal = RequestRefusal("x")
            refusal.method = Self.text(using: &generator)
            refusal.target = Self.text(using: &generator)
            refusal.version = Self.text(using: &generator)
            var record = RequestRecord(.refused(refusal), from: .forwarded(nil), at: .now())
            record.detail = Self.text(using: &generator)
            record.reason = Self.text(using: &generator)
            record.id = Self.text(using: &generator)
            for (place, layout) in layouts.enumerated() {
                let line = layout.line(for: record, at: Timestamp(secondsSinceEpoch: 0))
                #expect(line.last == UInt8(ascii: "\n"))
                let body = Array(line.dropLast())
                let text = try #require(String(validating: body, as: UTF8.self))
                let isPlain = text.unicodeScalars.allSatisfy {
                    !(0..<0x20).contains($0.value) && !(0x7F..<0xA0).contains($0.value) && $0 != "\u{2028}"
                        && $0 != "\u{2029}"
                }
                #expect(isPlain, "\(text.debugDescription)")
                switch place {
                case 0:
                    let quotes = text.replacing("\\\\", with: "").replacing("\\\"", with: "").count { $0 == "\"" }
                    #expect(quotes == 6, "\(text)")
                case 1:
                    let object = try JSONDecoder().decode([String: Value].self, from: Data(body))
                    #expect(Self.members(text).count >= Self.names.count && Set(object.keys) == Set(Self.names))
                    let expected = [
                        refusal.method, refusal.target, refusal.version, record.reason, record.detail, record.id,
                    ]
                    // Compared by scalars: texts that look alike are not the same.
                    let found = texts.map { object[$0.rawValue]?.text }
                    #expect(
                        found.map { $0.map { Array($0.unicodeScalars) } }
                            == expected.map { $0.map { Array($0.unicodeScalars) } }
                    )
                default:
                    #expect(Self.parsed(body)?.map(\.name) == Self.names, "\(text)")
                }
            }
        }
    }

    /// A value in JSON.
    private struct Value: Decodable {
        let text: String?

        init(from decoder: any Decoder) throws {
            text = try? decoder.singleValueContainer().decode(String.self)
        }
    }

    @Test func `Whatever bytes clients send, each request has one line, and each line is an object`() async throws {
        var generator = SeededGenerator(for: "AccessLogFormatTests.bytes")
        func bytes(_ count: Int) -> [UInt8] {
            (0..<Int.random(in: 0...count, using: &generator)).map { _ in
                let special = Array("\"\\ \t{}\u{E9}".utf8) + [0, 7, 0x1B, 0x7F, 0x85, 0xC3, 0xFF]
                return Bool.random(using: &generator)
                    ? special.randomElement(using: &generator) ?? 0
                    : UInt8.random(in: 0...255, using: &generator)
            }
        }
        let requests = (0..<300).map { _ -> [UInt8] in
            let names = ["User-Agent", "Referer", "traceparent", "X-Request-Id", "Host", "X-Forwarded-For"]
            var request = Array("GET /".utf8) + bytes(8) + Array(" HTTP/1.1\r\nHost: localhost\r\n".utf8)
            for _ in 0..<2 {
                request += Array((names.randomElement(using: &generator) ?? "").utf8) + Array(": ".utf8) + bytes(16)
                request += Array("\r\n".utf8)
            }
            return request + Array("Connection: close\r\n\r\n".utf8)
        }
        let answers = NIOLockedValueBox(0)
        let lines = try await Self.lines(.json) { gateway async throws in
            for request in requests {
                let exchange = try await Exchange.send(request, to: gateway.port)
                answers.withLockedValue { $0 += exchange.answers.count }
            }
        }
        let count = answers.withLockedValue { $0 }
        #expect(count >= 300 && lines.count == count)
        for line in lines {
            _ = try LoggedRequest(line)
            #expect(Self.members(line).count >= Self.names.count, "\(line)")
        }
    }

    // MARK: - Reloads

    @Test func `A reload changes format, fields and file, and loses no line`() async throws {
        let isDone = NIOLockedValueBox(false)
        try await LogFolder.run { folder async throws in
            try await ScriptedOrigin.answering { _ in
                answer("200 OK", ["Cache-Control: max-age=9"], "a")
            } _: { origin async throws in
                var settings = GatewaySettings(origin: try #require(OriginAddress(origin.url)))
                settings.accessLog = .file(folder.path("a"))
                var others = [settings, settings, settings]
                (others[0].accessLogFormat, others[0].accessLogFields) = (.json, [.result, .status])
                (others[1].accessLogFormat, others[1].accessLogFields) = (.fields, [.status])
                others[1].accessLog = .file(folder.path("b"))
                let configurations = (others + [settings]).map { GatewayConfiguration(settings: $0) }
                try await RunningGateway.run(before: origin.url, configure: { $0.accessLog = settings.accessLog }) {
                    gateway async throws in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<4 {
                            group.addTask {
                                try await Wire.open(to: gateway.port) { wire async throws in
                                    for round in 0..<150 {
                                        try await wire.send(round % 3 == 0 ? "POST" : "GET", "/a", body: "x")
                                        #expect(try await wire.answer().status == 200)
                                    }
                                }
                            }
                        }
                        group.addTask {
                            var count = 0
                            while !isDone.withLockedValue({ $0 }) {
                                gateway.gateway.reload(configurations[count % configurations.count])
                                count += 1
                                await Task.yield()
                            }
                        }
                        for _ in 0..<4 { try await group.next() }
                        isDone.withLockedValue { $0 = true }
                    }
                }
            }
            let lines = folder.lines("a") + folder.lines("b")
            #expect(lines.count == 600)
            let isKnown = lines.map { line in
                line.hasPrefix("127.0.0.1 - - [") || line == "status=200"
                    || line.wholeMatch(of: /\{"result":"[a-z]+","status":200\}/) != nil
            }
            #expect(isKnown.allSatisfy { $0 })
            #expect(!folder.lines("b").isEmpty && lines.contains { $0.hasPrefix("{") })
        }
    }

    @Test func `A reload turns the log on and off`() async throws {
        try await LogFolder.run { folder async throws in
            try await ScriptedOrigin.answering { _ in
                answer("200 OK", [], "a")
            } _: { origin async throws in
                let off = GatewaySettings(origin: try #require(OriginAddress(origin.url)))
                var on = off
                on.accessLog = .file(folder.path("log"))
                (on.accessLogFormat, on.accessLogFields) = (.fields, [.target])
                let configurations = [on, off, on].map { GatewayConfiguration(settings: $0) }
                let record = LogRecord()
                try await RunningGateway.run(before: origin.url, logger: record.logger) { gateway async throws in
                    _ = try await gateway.send("GET", "/0")
                    for (number, configuration) in configurations.enumerated() {
                        gateway.gateway.reload(configuration)
                        _ = try await gateway.send("GET", "/\(number + 1)")
                        // Requests are logged when the last byte is sent, which the client may notice first.
                        if number == 0 {
                            try await eventually("it is logged") { folder.lines("log") == ["target=/1"] }
                        }
                    }
                }
                #expect(folder.lines("log") == ["target=/1", "target=/3"])
                #expect(record.lines("restart").allSatisfy { !$0.contains("access-log") })
            }
        }
    }
}
