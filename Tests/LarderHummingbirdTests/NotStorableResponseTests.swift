import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOCore
import Testing

@Suite(.timeLimit(.minutes(5))) struct NotStorableResponseTests {
    struct Case: CustomTestStringConvertible {
        let fields: HTTPFields
        var status = HTTPResponse.Status.ok
        let detail: String
        var testDescription: String { detail }
    }

    static let cases: [Case] = [
        Case(fields: [.setCookie: "a=b"], detail: "set-cookie"),
        Case(fields: [.cacheControl: "no-store"], detail: "no-store"),
        Case(fields: [.cacheControl: "max-age=60, private"], detail: "private"),
        Case(fields: [.vary: "Accept, *"], detail: "vary-star"),
        Case(fields: [.contentType: "text/event-stream"], detail: "event-stream"),
        Case(fields: [.cacheControl: "public, max-age=60"], status: .notFound, detail: "status"),
        Case(fields: [:], status: .created, detail: "status"),
        Case(fields: [.contentRange: "bytes 0-0/9"], status: .partialContent, detail: "partial"),
    ]

    private let kitchen = Kitchen()
    private let cooked = Counter()

    @Test(arguments: cases) func `A response that is not storable carries the reason`(_ refused: Case) async throws {
        try await serve(router(answering: refused)) { port in
            for number in 1...3 {
                let answer = try await Wire.send("GET", "/a", to: port)
                #expect(answer.status == refused.status.code && answer.text == "\(number)")
                #expect(answer.cacheStatus.contains("fwd=uri-miss; fwd-status=\(refused.status.code)"))
                #expect(answer.cacheStatus.hasSuffix("; detail=\(refused.detail)"))
            }
        }
        #expect(await kitchen.cache.count() == 0)
    }

    @Test(arguments: cases) func `A waiter asks the origin if the response that it waits for must not be shared`(
        _ refused: Case
    ) async throws {
        let gate = Gate()
        try await serve(router(answering: refused, behind: gate)) { port in
            async let sent = send(4, "/a", to: port)
            try await eventually("three wait for the first") { kitchen.cache.waiterCount == 3 }
            gate.open()
            let answers = try await sent
            #expect(answers.map(\.text).sorted() == ["1", "2", "3", "4"])
            #expect(answers.allSatisfy { !$0.isHit && !$0.cacheStatus.contains("collapsed") })
        }
        #expect(kitchen.cache.waiterCount == 0)
        #expect(await kitchen.cache.count() == 0)
    }

    private func router(answering refused: Case, behind gate: Gate? = nil) -> Router<BasicRequestContext> {
        let router = Router()
        router.group("a").cached(by: kitchen.cache, for: .seconds(60)).get { _, _ in
            let number = cooked.next()
            await gate?.pass()
            return Response(
                status: refused.status,
                headers: refused.fields,
                body: ResponseBody(byteBuffer: ByteBuffer(string: "\(number)"))
            )
        }
        return router
    }
}
