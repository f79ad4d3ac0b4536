import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

@testable import LarderHummingbird

/// Hits that are answered before middleware, by the server.
@Suite(.timeLimit(.minutes(5))) struct BeforeMiddlewareTests {
    /// Counts the requests that it sees, and adds a field.
    private struct Counting: RouterMiddleware {
        let count: Counter

        func handle(
            _ request: Request,
            context: BasicRequestContext,
            next: (Request, BasicRequestContext) async throws -> Response
        ) async throws -> Response {
            count.next()
            var response = try await next(request, context)
            response.headers[.init("X-Middleware")!] = "seen"
            return response
        }
    }

    private static func router(_ cache: ResponseCache, _ seen: Counter, _ calls: Counter) -> Router<BasicRequestContext>
    {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.add(middleware: Counting(count: seen))
        let early = router.group("early").cached(by: cache, for: .seconds(60)).beforeMiddleware()
        early.get { _, _ in "early \(calls.next())" }
        early.get("large") { _, _ in String(repeating: "large ", count: 10_000) }
        early.get("vary") { request, _ in
            Response(
                status: .ok,
                headers: [.vary: "Accept-Language"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: request.headers[.acceptLanguage] ?? "-"))
            )
        }
        early.get("error") { _, _ -> String in throw HTTPError(.notFound) }
        early.put { _, _ in "put" }
        router.group("late").cached(by: cache, for: .seconds(60)).get { _, _ in "late \(calls.next())" }
        return router
    }

    @Test func `Only the hits of groups that declare it are answered before middleware`() async throws {
        let (bench, seen, calls) = (Bench(), Counter(), Counter())
        let router = Self.router(bench.cache, seen, calls)
        let application = Application(
            router: router,
            server: .cachingHTTP1(by: bench.cache, serverName: "Shop"),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0), serverName: "Shop")
        )
        try await serve(application) { client in
            let port = try #require(client.port)
            for (path, isEarly) in [("/early", true), ("/late", false)] {
                let first = try await Wire.send("GET", path, to: port)
                let before = seen.value
                let second = try await Wire.send("GET", path, ["User-Agent: a"], to: port)
                let third = try await Wire.send("GET", path, ["User-Agent: b"], to: port)
                #expect(seen.value - before == (isEarly ? 0 : 2), "\(path)")
                for hit in [second, third] {
                    #expect(hit.text == first.text && hit.isHit && hit.fields[.server] == "Shop")
                    #expect(hit.fields[.date] != nil)
                    #expect((hit.fields[.init("X-Middleware")!] == nil) == isEarly)
                }
                // Credentials, content and a bypass are never answered early.
                let others = ["Cookie: a=b", "Authorization: x", "X-API-Key: k"]
                for field in others {
                    let count = seen.value
                    let answer = try await Wire.send("GET", path, [field], to: port)
                    #expect(answer.cacheStatusText.contains("fwd=bypass") && seen.value == count + 1, "\(field)")
                }
                let count = seen.value
                let answer = try await Wire.send("GET", path, body: "x", to: port)
                #expect(answer.cacheStatusText.contains("detail=content") && seen.value == count + 1)
                let bypass = try await Wire.send("GET", path + "?nocache=true", to: port)
                #expect(bypass.cacheStatusText.contains("fwd=bypass"))
            }
            // A write is seen by middleware, and what it invalidates is not served.
            _ = try await Wire.send("PUT", "/early", body: "x", to: port)
            #expect(try await !Wire.send("GET", "/early", to: port).isHit)
            bench.clock.advance(by: .seconds(61))
            #expect(try await !Wire.send("GET", "/early", to: port).isHit)
        }
    }

    @Test func `An application answers the same bytes with and without early hits`() async throws {
        let streams: [[String]] = [
            ["GET /early", "GET /early", "HEAD /early", "GET /early/large", "GET /early/large", "GET /late"],
            ["GET /early/vary|Accept-Language: de", "GET /early/vary|Accept-Language: en", "GET /early/vary"],
            ["GET /early/vary|Accept-Language: de", "HEAD /early/vary|Accept-Language: en", "GET /early/error"],
            ["GET /early|If-None-Match: *", "GET /early|Range: bytes=0-2", "GET /early|Range: bytes=0-2"],
            [
                "GET /early|Cache-Control: no-cache", "GET /early|Pragma: no-cache", "GET /early?b=1&a=2",
                "GET /%65arly",
            ],
            [
                "GET /early|Connection: keep-alive", "POST /early", "GET /early|Cookie: a=b", "GET /none",
                "OPTIONS /early",
            ],
            ["GET /early", "GET /early|Host: other", "GET /early"], ["GET /early", "GET early", "GET /early"],
        ]
        var received: [[String]] = []
        for isEarly in [true, false] {
            let (bench, seen, calls) = (Bench(), Counter(), Counter())
            let router = Self.router(bench.cache, seen, calls)
            let configuration = ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0))
            let application = Application(
                router: router,
                server: isEarly ? .cachingHTTP1(by: bench.cache) : .validatedHTTP1(),
                configuration: configuration
            )
            let texts = Names()
            try await serve(application) { client in
                let port = try #require(client.port)
                for (place, stream) in (streams + streams).enumerated() {
                    texts.add(try await Self.send(stream, to: port, isSplit: place.isMultiple(of: 2)))
                    bench.clock.advance(by: .milliseconds(700))
                }
            }
            received.append(texts.take())
        }
        #expect(received[0].count == streams.count * 2)
        for (own, other) in zip(received[0], received[1]) { #expect(own == other) }
    }

    /// Sends requests on one connection, all at once or byte by byte, and returns what the server sends, without the
    /// fields that middleware and time decide.
    private static func send(_ requests: [String], to port: Int, isSplit: Bool) async throws -> String {
        var text = ""
        for request in requests + ["GET /late|Connection: close"] {
            let parts = request.split(separator: "|").map(String.init)
            text += parts[0] + " HTTP/1.1\r\nHost: localhost\r\n"
            for field in parts.dropFirst() { text += field + "\r\n" }
            text += parts[0].hasPrefix("POST") ? "Content-Length: 1\r\n\r\nx" : "\r\n"
        }
        return try await Wire.open(to: port) { wire in
            if isSplit {
                for byte in text.utf8 { try? await wire.send(bytes: [byte]) }
            } else {
                try await wire.send(bytes: Array(text.utf8))
            }
            var received = ByteBuffer()
            while let part = try? await wire.part() { received.writeImmutableBuffer(part) }
            let lines = String(buffer: received).split(separator: "\r\n", omittingEmptySubsequences: false)
            return lines.filter { !$0.hasPrefix("Date: ") && !$0.hasPrefix("X-Middleware: ") }.joined(separator: "\r\n")
        }
    }

    @Test func `An idle connection is closed, and one with early hits is not`() async throws {
        let (bench, seen, calls) = (Bench(), Counter(), Counter())
        let router = Self.router(bench.cache, seen, calls)
        let application = Application(
            router: router,
            server: .cachingHTTP1(by: bench.cache, configuration: .init(idleTimeout: .milliseconds(1_500))),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0))
        )
        try await serve(application) { client in
            let port = try #require(client.port)
            try await Wire.open(to: port) { wire in
                let begin = ContinuousClock.now
                while ContinuousClock.now - begin < .milliseconds(3_500) {
                    try await wire.send("GET", "/early")
                    _ = try await wire.answer()
                }
                #expect(seen.value == 1)
                #expect(try await wire.part() == nil)
            }
        }
    }

    /// A context that may throw.
    private struct Members: ChildRequestContext {
        var coreContext: CoreRequestContextStorage

        init(context: BasicRequestContext) throws {
            coreContext = context.coreContext
            throw HTTPError(.forbidden)
        }
    }

    @Test func `A group whose hits need middleware cannot be answered before it`() async throws {
        await #expect(processExitsWith: .failure) {
            _ = Router().cached(by: Bench().cache, for: .seconds(60), perUser: { _, _ in "a" }).beforeMiddleware()
        }
        await #expect(processExitsWith: .failure) {
            _ = Router().cached(by: Bench().cache, for: .seconds(60)).beforeMiddleware().varying(by: "a") { _, _ in "a"
            }
        }
        await #expect(processExitsWith: .failure) {
            _ = Router().cached(by: Bench().cache, for: .seconds(60)).beforeMiddleware().group(context: Members.self)
        }
        await #expect(processExitsWith: .failure) {
            _ = Router().cached(by: Bench().cache, for: .seconds(60)).group(context: Members.self).beforeMiddleware()
        }
        await #expect(processExitsWith: .failure) {
            _ = Router().cached(by: Bench().cache, for: .seconds(60)).bypassing { _, _ in true }.beforeMiddleware()
        }
    }
}
