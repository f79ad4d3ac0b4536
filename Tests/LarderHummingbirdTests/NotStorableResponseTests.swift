import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct NotStorableResponseTests {
    struct Row: CustomTestStringConvertible {
        let fields: HTTPFields
        var status = HTTPResponse.Status.ok
        let detail: String
        var testDescription: String { detail }
    }

    static let rows: [Row] = [
        Row(fields: [.setCookie: "a=b"], detail: "set-cookie"),
        Row(fields: [.cacheControl: "no-store"], detail: "no-store"),
        Row(fields: [.cacheControl: "max-age=60, private"], detail: "private"),
        Row(fields: [.vary: "Accept, *"], detail: "vary-star"),
        Row(fields: [.contentType: "text/event-stream"], detail: "event-stream"),
        Row(fields: [.cacheControl: "public, max-age=60"], status: .notFound, detail: "status"),
        Row(fields: [:], status: .created, detail: "status"),
        Row(fields: [.contentRange: "bytes 0-0/9"], status: .partialContent, detail: "partial"),
    ]

    private let bench = Bench()
    private let calls = Counter()

    @Test(arguments: rows) func `A response that is not storable carries the reason`(_ row: Row) async throws {
        try await serve(router(answering: row)) { port in
            for number in 1...3 {
                let answer = try await Wire.send("GET", "/a", to: port)
                #expect(answer.status == row.status.code && answer.text == "\(number)")
                #expect(answer.cacheStatusText.contains("fwd=uri-miss; fwd-status=\(row.status.code)"))
                #expect(answer.cacheStatusText.hasSuffix("; detail=\(row.detail)"))
            }
        }
        #expect(await bench.cache.count() == 0)
    }

    @Test(arguments: rows) func `A waiter asks the origin if the response that it waits for must not be shared`(
        _ row: Row
    ) async throws {
        let gate = Gate()
        try await serve(router(answering: row, behind: gate)) { port in
            async let sent = send(4, "/a", to: port)
            try await eventually("three wait for the first") { bench.cache.waiterCount == 3 }
            gate.open()
            let answers = try await sent
            #expect(answers.map(\.text).sorted() == ["1", "2", "3", "4"])
            #expect(answers.allSatisfy { !$0.isHit && !$0.cacheStatusText.contains("collapsed") })
        }
        #expect(bench.cache.waiterCount == 0)
        #expect(await bench.cache.count() == 0)
    }

    private func router(answering row: Row, behind gate: Gate? = nil) -> Router<BasicRequestContext> {
        let router = Router()
        router.group("a").cached(by: bench.cache, for: .seconds(60)).get { _, _ in
            let number = calls.next()
            await gate?.pass()
            return Response(
                status: row.status,
                headers: row.fields,
                body: ResponseBody(byteBuffer: ByteBuffer(string: "\(number)"))
            )
        }
        return router
    }
}
