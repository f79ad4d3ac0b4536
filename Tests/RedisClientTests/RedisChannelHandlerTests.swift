import NIOCore
import NIOEmbedded
import TestHelpers
import Testing

@testable import RedisClient

/// The handler on a channel without a socket, with a manual clock.
private final class Line {
    let channel: EmbeddedChannel
    let handler: RedisChannelHandler
    let answers = Inbox<String>()
    let pushes = Inbox<RedisPush>()
    let end = Inbox<RedisError>()

    init(_ change: (inout RESPLimits) -> Void = { _ in }) throws {
        var limits = RESPLimits()
        change(&limits)
        channel = EmbeddedChannel()
        handler = RedisChannelHandler(
            limits: limits,
            silenceLimit: .seconds(5),
            timeouts: .init(),
            eventLoop: channel.embeddedEventLoop
        ) { [pushes] push in
            pushes.add(push)
        }
        handler.closed.whenSuccess { [end] in end.add($0) }
        try channel.pipeline.syncOperations.addHandler(handler)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 6379)).wait()
    }

    /// Sends commands for a caller, whose result is added to `answers` with its name.
    @discardableResult
    func send(_ name: String, _ commands: RedisCommand..., deadline: TimeAmount? = .seconds(1)) -> SendState {
        let sendState = SendState()
        var bytes = ByteBuffer()
        RESPEncoder.encode(commands, into: &bytes)
        handler.send(
            bytes,
            commands: commands.count,
            timeout: deadline.map { .fixed($0) } ?? .adaptive,
            sendState: sendState
        ) { [answers] reply in
            switch reply {
            case .success(let replies):
                let texts = replies.values.map { (try? $0.text()) ?? "\($0)" }
                answers.add("\(name): \(texts.joined(separator: " "))" + (replies.isLate ? " (late)" : ""))
            case .failure(let error): answers.add("\(name) failed: \(error.code)")
            }
        }
        return sendState
    }

    func cancel(_ sendState: SendState) {
        if let id = sendState.cancel() { handler.abandon(id) }
    }

    func receive(_ wire: String) throws {
        try channel.writeInbound(ByteBuffer(string: wire))
    }

    func pass(_ time: TimeAmount) {
        channel.embeddedEventLoop.advanceTime(by: time)
    }

    /// Returns the bytes that were flushed since the last call, as text.
    func written() throws -> String {
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }
}

@Suite(.timeLimit(.minutes(5))) struct RedisChannelHandlerTests {
    @Test func `Commands are sent in order, and those of one turn of the event loop are flushed together`() throws {
        let line = try Line()
        line.send("a", .get("1"))
        line.send("b", .get("2"), .get("3"))
        #expect(try line.written() == "", "nothing is flushed before the turn of the event loop ends")
        line.pass(.zero)
        #expect(
            try line.written()
                == "*2\r\n$3\r\nGET\r\n$1\r\n1\r\n*2\r\n$3\r\nGET\r\n$1\r\n2\r\n*2\r\n$3\r\nGET\r\n$1\r\n3\r\n"
        )
        try line.receive("+one\r\n+two\r\n+th")
        #expect(line.answers.all == ["a: one"])
        try line.receive("ree\r\n")
        #expect(line.answers.all == ["a: one", "b: two three"])
    }

    @Test func `A push between replies reaches the push handler and does not affect callers`() throws {
        let line = try Line()
        line.send("a", .get("1"), .get("2"))
        try line.receive("+one\r\n>2\r\n+invalidate\r\n_\r\n+two\r\n")
        #expect(line.answers.all == ["a: one two"])
        #expect(line.pushes.all == [RedisPush(kind: "invalidate", values: [.null])])
    }

    @Test func `A cancelled caller returns at once, and its late reply is discarded`() throws {
        let line = try Line()
        let sendState = line.send("a", .get("1"))
        line.send("b", .get("2"))
        line.cancel(sendState)
        #expect(line.answers.all == ["a failed: cancelled"])
        try line.receive("+one\r\n+two\r\n")
        #expect(line.answers.all == ["a failed: cancelled", "b: two"])
        #expect(line.channel.isActive)
    }

    @Test
    func `A caller that is cancelled before its commands are sent gets an error, and leaves a tombstone`() throws {
        let line = try Line()
        let sendState = SendState()
        #expect(sendState.cancel() == nil)
        var bytes = ByteBuffer()
        RESPEncoder.encode([.get("1")], into: &bytes)
        line.handler.send(bytes, commands: 1, timeout: .fixed(.hours(1)), sendState: sendState) {
            [answers = line.answers] in
            if case .failure(let error) = $0 { answers.add("\(error.code)") }
        }
        #expect(line.answers.all == ["cancelled"])
        line.send("b", .get("2"))
        try line.receive("+one\r\n+two\r\n")
        #expect(line.answers.all == ["cancelled", "b: two"])
    }

    @Test func `A deadline applies to its caller only`() throws {
        let line = try Line()
        line.send("a", .get("1"), deadline: .seconds(3))
        line.send("b", .get("2"), deadline: .seconds(1))
        line.pass(.milliseconds(999))
        #expect(line.answers.all == [])
        line.pass(.milliseconds(1))
        #expect(line.answers.all == ["b failed: deadlineExceeded"])
        try line.receive("+one\r\n+two\r\n")
        #expect(line.answers.all == ["b failed: deadlineExceeded", "a: one"])
        #expect(line.channel.isActive)
    }

    @Test func `A reply is timed by its first bytes, even while the server sends other replies`() throws {
        let line = try Line()
        line.send("a", .get("1"), deadline: nil)
        line.send("b", .get("2"), deadline: nil)
        line.pass(.milliseconds(40))
        try line.receive("+one\r\n")
        line.pass(.milliseconds(140))
        try line.receive("+t")
        line.pass(.milliseconds(30))
        try line.receive("wo\r\n")
        // A reply after 40 ms raises the timeout to 160 ms.
        #expect(line.answers.all == ["a: one", "b: two (late)"])
    }

    @Test func `The alarm fires for commands that were sent after the first`() throws {
        let line = try Line()
        line.send("a", .get("1"), deadline: .seconds(2))
        try line.receive("+one\r\n")
        line.pass(.seconds(1))
        line.send("b", .get("2"), deadline: .seconds(4))
        line.send("c", .get("3"), deadline: .seconds(3))
        line.pass(.seconds(3))
        #expect(line.answers.all == ["a: one", "c failed: deadlineExceeded"])
        line.pass(.seconds(1))
        #expect(line.answers.all == ["a: one", "c failed: deadlineExceeded", "b failed: deadlineExceeded"])
    }

    @Test func `A server that stays silent for longer than the connection's silence limit is given up`() throws {
        let line = try Line()
        line.send("a", .get("1"), deadline: .seconds(1))
        line.send("b", .get("2"), deadline: .seconds(60))
        line.pass(.seconds(5))
        #expect(line.answers.all == ["a failed: deadlineExceeded"])
        #expect(line.channel.isActive)
        line.pass(.seconds(1))
        #expect(line.answers.all == ["a failed: deadlineExceeded", "b failed: connectionLost"])
        #expect(!line.channel.isActive)
        #expect(line.end.all.map(\.code) == [.connectionLost])
    }

    @Test func `Pushes do not count as replies: a server that sends only pushes is given up as well`() throws {
        let line = try Line()
        line.send("a", .get("1"), deadline: .seconds(1))
        for _ in 0..<6 {
            line.pass(.seconds(1))
            try line.receive(">1\r\n+hello\r\n")
        }
        #expect(!line.channel.isActive)
    }

    @Test func `An idle connection stays open`() throws {
        let line = try Line()
        line.send("a", .get("1"), deadline: .seconds(1))
        try line.receive("+one\r\n")
        line.pass(.hours(1))
        #expect(line.channel.isActive)
        #expect(line.answers.all == ["a: one"])
    }

    @Test(arguments: ["HTTP/1.1 400\r\n", "$99999999999999999999\r\n", "*2\r\n>1\r\n", "+half\r\n$-7\r\n+late\r\n"])
    func `A violation of the protocol fails the commands in flight and closes the connection`(wire: String) throws {
        let line = try Line()
        line.send("a", .get("1"), .get("2"))
        line.send("b", .get("3"))
        try line.receive(wire)
        try line.receive("+late\r\n")
        line.send("c", .get("5"))
        #expect(
            line.answers.all == ["a failed: protocolViolation", "b failed: protocolViolation", "c failed: unavailable"]
        )
        #expect(!line.channel.isActive)
        #expect(line.end.all.map(\.code) == [.protocolViolation])
    }

    @Test func `A reply without a command closes the connection`() throws {
        let line = try Line()
        try line.receive("+hello\r\n")
        #expect(!line.channel.isActive)
        #expect(line.end.all.map(\.code) == [.protocolViolation])
    }

    @Test func `A connection that ends fails the commands in flight, and rejects later ones`() throws {
        let line = try Line()
        line.send("a", .get("1"), .get("2"))
        try line.receive("+one\r\n")
        _ = try line.channel.finish()
        line.send("b", .get("3"))
        #expect(line.answers.all == ["a failed: connectionLost", "b failed: unavailable"])
        #expect(line.end.all.count == 1)
    }

    @Test func `A full connection refuses commands without sending them`() throws {
        let line = try Line { $0.commandsInFlight = 1 }
        line.send("a", .get("1"))
        line.send("b", .get("2"))
        line.pass(.zero)
        #expect(line.answers.all == ["b failed: overloaded"])
        #expect(try line.written() == "*2\r\n$3\r\nGET\r\n$1\r\n1\r\n")
    }

    @Test func `A drained connection closes after its last reply`() throws {
        let line = try Line()
        line.send("a", .get("1"))
        line.handler.drain()
        line.send("b", .get("2"))
        #expect(line.channel.isActive)
        try line.receive("+one\r\n")
        #expect(line.answers.all == ["b failed: unavailable", "a: one"])
        #expect(!line.channel.isActive)
    }

    @Test func `A drained connection does not wait longer than its deadlines`() throws {
        let line = try Line()
        line.send("a", .get("1"), deadline: .seconds(1))
        line.handler.drain()
        line.pass(.seconds(1))
        #expect(!line.channel.isActive)
    }

    @Test func `Memory for bytes that were read is released, although every read ends within a message`() throws {
        let line = try Line()
        let commands = 2000
        for _ in 0..<commands { line.send("a", .get("1")) }
        let reply = "$1000\r\n\(String(repeating: "x", count: 1000))\r\n"
        var wire = ByteBuffer(string: String(repeating: reply, count: commands))
        var largest = 0
        try line.channel.writeInbound(wire.readSlice(length: 10)?.copied)
        while let piece = wire.readSlice(length: min(wire.readableBytes, reply.utf8.count)), piece.readableBytes > 0 {
            try line.channel.writeInbound(piece.copied)
            largest = max(largest, line.handler.memory)
        }
        #expect(line.answers.all.count == commands)
        #expect(largest <= 8 * 1024)
    }

    @Test func `A connection that was given up does not read any more`() throws {
        let line = try Line()
        // A channel that takes time to close goes on delivering.
        try line.channel.pipeline.syncOperations.addHandler(SlowToClose(), position: .first)
        try line.receive("?\r\n")
        for _ in 0..<100 { try line.receive(String(repeating: "x", count: 1000)) }
        #expect(line.handler.memory == 0)
    }
}

/// A handler that prevents the channel from closing.
private final class SlowToClose: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {}
}
