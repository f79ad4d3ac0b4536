import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// A middleware that cancels the handler when the client closes its connection, as servers of long requests do.
private struct CancelWithClient<Context: RequestContext>: RouterMiddleware {
    /// A gate that every cancelled request passes.
    let gone: Gate

    func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await request.body.consumeWithCancellationOnInboundClose { _ in
                try await next(request, context)
            }
        } catch {
            await gone.pass()
            throw error
        }
    }
}

/// A middleware that reports each body that could not be written completely.
private struct TellOfBrokenBodies<Context: RequestContext>: RouterMiddleware {
    /// A gate that every such body passes.
    let gone: Gate

    func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        let body = response.body
        response.body = ResponseBody(contentLength: body.contentLength) { [gone] writer in
            do {
                try await body.write(writer)
            } catch {
                await gone.pass()
                throw error
            }
        }
        return response
    }
}

@Suite(.timeLimit(.minutes(5))) struct DisconnectTests {
    private let bench = Bench()
    private let calls = Counter()
    private let gate = Gate()

    @Test func `A client that disconnects during its fetch does not end the fetch for the waiters`() async throws {
        let gone = Gate()
        gone.open()
        let router = Router()
        router.add(middleware: CancelWithClient(gone: gone))
        router.group("a").cached(by: bench.cache, for: .seconds(60)).get { _, _ in
            let number = calls.next()
            await gate.pass()
            // A handler that queries a database checks for cancellation in the same way.
            try Task.checkCancellation()
            return "answer \(number)"
        }
        try await serve(router) { port in
            try await Wire.open(to: port) { wire in
                try await wire.send("GET", "/a")
                await gate.reached()
            }
            await gone.reached()
            async let waiting = Wire.send("GET", "/a", to: port)
            try await eventually("the second request waits for the fetch of the first") {
                bench.cache.waiterCount == 1
            }
            gate.open()
            let (second, third) = (try await waiting, try await Wire.send("GET", "/a", to: port))
            #expect(second.text == "answer 1" && second.cacheStatusText.contains("; collapsed"))
            #expect(third.text == "answer 1" && third.isHit)
        }
        #expect(calls.value == 1)
    }

    @Test func `A client that disconnects in the middle of a body does not prevent storing the body`() async throws {
        let gone = Gate()
        gone.open()
        let router = Router()
        router.add(middleware: TellOfBrokenBodies(gone: gone))
        let policy = CachePolicy.fresh(for: .seconds(60)).limitingBodies(to: .mebibytes(16))
        router.group("a").cached(by: bench.cache, policy).get { _, _ in
            calls.next()
            return Response(
                status: .ok,
                body: ResponseBody { writer in
                    try await writer.write(ByteBuffer(string: "begin"))
                    await gate.pass()
                    // A server notices that a client has disconnected when it writes to the connection.
                    while gone.arrivals == 0 {
                        try await writer.write(ByteBuffer(string: "."))
                        await Task.yield()
                    }
                    try await writer.write(ByteBuffer(string: "end"))
                    try await writer.finish(nil)
                }
            )
        }
        try await serve(router) { port in
            try await Wire.open(to: port) { wire in
                try await wire.send("GET", "/a")
                _ = try await wire.head()
                let chunk = try await wire.chunk()
                #expect(chunk == Array("begin".utf8))
            }
            gate.open()
            try await eventually("the response is stored") { await bench.cache.count() == 1 }
            let answer = try await Wire.send("GET", "/a", to: port)
            #expect(answer.isHit && answer.text.hasPrefix("begin.") && answer.text.hasSuffix(".end"))
        }
        #expect(calls.value == 1)
    }
}
