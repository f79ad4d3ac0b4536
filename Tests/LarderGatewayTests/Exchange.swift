import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// The responses of a server to bytes that a test sends, up to the end of the connection.
struct Exchange: Sendable {
    /// A response with its framing.
    struct Answer: Sendable {
        /// The status line, such as `HTTP/1.1 200 OK`.
        let statusLine: String
        let status: Int
        /// The field lines as they were received.
        let fields: [String]
        let body: String
        /// True if the response ended as its head declares.
        let isWhole: Bool

        subscript(_ name: String) -> String? {
            fields.first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
                .map { String($0.dropFirst(name.count + 1).drop { $0 == " " }) }
        }
    }

    let answers: [Answer]
    /// True if the server ended the connection, rather than the test.
    let isEnded: Bool
    var statuses: [Int] { answers.map(\.status) }

    /// Writes parts, each one when the previous one is written, and reads until the connection ends.
    /// - Parameters:
    ///   - heads: The numbers of the requests whose responses end with the head, counted from 0; 1xx responses do not
    ///     count.
    ///   - closes: True if the client closes its sending side.
    static func send(
        _ parts: [UInt8]...,
        to port: Int,
        heads: Set<Int> = [],
        closes: Bool = false
    ) async throws -> Exchange {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(isOutboundHalfClosureEnabled: true)
                    )
                }
            }
        // The deadline ensures that a failing test ends.
        let isOver = NIOLockedValueBox(false)
        let deadline = channel.channel.eventLoop.scheduleTask(in: .seconds(40)) {
            isOver.withLockedValue { $0 = true }
            channel.channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        var received: [UInt8] = []
        try await channel.executeThenClose { inbound, outbound in
            do {
                for part in parts { try await outbound.write(ByteBuffer(bytes: part)) }
                if closes { outbound.finish() }
                for try await part in inbound { received += part.readableBytesView }
            } catch is ChannelError {
            } catch is IOError {}
        }
        return Exchange(answers: try parse(received[...], heads), isEnded: !isOver.withLockedValue { $0 })
    }

    private static func parse(_ bytes: ArraySlice<UInt8>, _ heads: Set<Int>) throws -> [Answer] {
        var rest = bytes
        var answers: [Answer] = []
        var number = 0
        while !rest.isEmpty {
            guard let end = rest.firstRange(of: Array("\r\n\r\n".utf8)) else {
                answers.append(Answer(statusLine: text(rest), status: 0, fields: [], body: "", isWhole: false))
                break
            }
            var lines = text(rest[..<end.lowerBound]).split(separator: "\r\n").map(String.init)
            rest = rest[end.upperBound...]
            let statusLine = lines.removeFirst()
            let status = statusLine.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            let head = Answer(statusLine: statusLine, status: status, fields: lines, body: "", isWhole: true)
            if status < 200 {
                answers.append(head)
                continue
            }
            let hasBody = !heads.contains(number) && status != 204 && status != 304
            let (body, isWhole) = hasBody ? try content(of: head, &rest) : ("", true)
            answers.append(Answer(statusLine: statusLine, status: status, fields: lines, body: body, isWhole: isWhole))
            number += 1
        }
        return answers
    }

    private static func content(of head: Answer, _ rest: inout ArraySlice<UInt8>) throws -> (String, Bool) {
        if let length = head["Content-Length"].flatMap({ Int($0) }) {
            let body = rest.prefix(length)
            rest = rest.dropFirst(length)
            return (text(body), body.count == length)
        }
        guard head["Transfer-Encoding"] == "chunked" else {
            defer { rest = [] }
            return (text(rest), true)
        }
        var body = ""
        while let end = rest.firstRange(of: [13, 10]), let size = Int(text(rest[..<end.lowerBound]), radix: 16) {
            let part = rest[end.upperBound...].prefix(size)
            body += text(part)
            guard part.count == size, rest.distance(from: part.endIndex, to: rest.endIndex) >= 2 else { break }
            rest = rest[part.endIndex...].dropFirst(2)
            if size == 0 { return (body, true) }
        }
        rest = []
        return (body, false)
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
