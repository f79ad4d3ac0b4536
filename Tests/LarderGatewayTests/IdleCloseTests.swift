import Dispatch
import HTTPTypes
import HummingbirdCore
import Larder
import LarderHummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import TestHelpers
import Testing

@testable import LarderGateway

/// Requests that arrive at the moment when their idle connection is due to be closed.
@Suite(.timeLimit(.minutes(5))) struct IdleCloseTests {
    /// The reason why a connection is closed.
    enum Cause: CaseIterable, Sendable { case idleTimeout, listenerClosed }

    @Test(arguments: Cause.allCases)
    func `A request that has arrived, and was not read yet, is answered before its connection is closed`(
        _ cause: Cause
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let (drain, tasks) = (DrainState(), BackgroundTasks())
        // Long enough for a busy machine: the connection must not be closed before the loop stands still.
        let time = cause == .idleTimeout ? TimeAmount.seconds(10) : HTTPOptions.graceTime
        let options = HTTPOptions(
            idleTimeout: cause == .idleTimeout ? time : .seconds(60),
            rate: nil,
            headerLimit: 4_096,
            allowsHalfClose: false,
            drain: drain
        )
        let accepted = NIOLockedValueBox<(any Channel)?>(nil)
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                accepted.withLockedValue { $0 = channel }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TransportHandler())
                    let connection = ClientConnection(channel)
                    let responder = EchoResponder()
                    try HTTPFront(
                        connection: connection,
                        options: options,
                        responder: responder,
                        tasks: tasks,
                        logger: .quiet
                    ).speakHTTP1()
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        try await Wire.open(to: server.localAddress?.port ?? 0) { wire in
            try await wire.send("POST", "/", body: "one")
            #expect(try await wire.answer().text == "one")
            let channel = try #require(accepted.withLockedValue { $0 })
            // The loop of the connection stands still from before the connection is due to be closed until after that.
            let (blocked, released) = (NIOLockedValueBox(false), DispatchSemaphore(value: 0))
            channel.eventLoop.execute {
                if cause == .listenerClosed {
                    drain.note(.listenerClosed)
                    channel.pipeline.fireUserInboundEventTriggered(DrainEvent.listenerClosed)
                }
                blocked.withLockedValue { $0 = true }
                released.wait()
            }
            try await eventually("the loop stands still") { blocked.withLockedValue { $0 } }
            let due = NIODeadline.now() + time + .milliseconds(50)
            try await wire.send("POST", "/", body: "two")
            try await eventually("the connection is due to be closed") { NIODeadline.now() > due }
            released.signal()
            let response = try await wire.answer()
            #expect(response.text == "two")
            #expect(response.fields[.connection] == (cause == .listenerClosed ? "close" : nil))
            #expect(try await wire.part() == nil)
        }
        try await server.close()
        tasks.cancelAll()
        await tasks.drain()
        try await group.shutdownGracefully()
    }
}

/// A responder that answers each request with its content.
private struct EchoResponder: ClientResponder {
    func respond(to request: ClientRequest, _ writer: consuming ResponseWriter) async throws {
        let content = try await request.body.collect(upTo: 1_024)
        let head = HTTPResponse(status: .ok, headerFields: [.contentLength: "\(content.readableBytes)"])
        try await writer.write(response: head, body: ResponseBody(byteBuffer: content))
    }

    func respond(
        to refusal: RequestRefusal,
        receivedAt: NIODeadline,
        by connection: ClientConnection,
        _ presence: ClientPresence,
        _ writer: consuming ResponseWriter
    ) async throws {}

    func note(_ refusal: RequestRefusal, by connection: ClientConnection) {}

    func knownResponse(to head: HTTPRequestHead, on connection: ClientConnection) -> KnownResponse? { nil }

    func `repeat`(
        _ known: KnownResponse,
        to head: HTTPRequestHead,
        receivedAt: NIODeadline,
        on connection: ClientConnection
    ) -> ImmediateResponse<EncodedResponse>? { nil }

    func respondAtOnce(
        to request: HTTPRequest,
        readFrom head: HTTPRequestHead,
        receivedAt: NIODeadline,
        on connection: ClientConnection
    ) -> ImmediateResponse<EncodedResponse>? { nil }

    func respondAtOnce(
        to request: HTTPRequest,
        receivedAt: NIODeadline,
        on connection: ClientConnection
    ) -> ImmediateResponse<ServedResponse>? { nil }

    func complete(_ record: consuming RequestRecord, at now: NIODeadline) {}

    func holder(of response: EncodedResponse, on connection: ClientConnection) -> (any Sendable)? { nil }
}
