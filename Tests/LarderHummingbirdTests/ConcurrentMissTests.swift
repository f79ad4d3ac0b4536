import Foundation
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct ConcurrentMissTests {
    private struct Counts: Decodable {
        let hits: Int
        let misses: Int
    }

    @Test func `Two hundred concurrent misses on as many connections call the handler once`() async throws {
        let bench = Bench()
        let (calls, gate) = (Counter(), Gate())
        let token = "0123456789abcdef"
        let router = Router()
        router.group("a").cached(by: bench.cache, for: .seconds(60)).get { _, _ in
            let number = calls.next()
            await gate.pass()
            return "answer \(number)"
        }
        router.addCacheAdministration(of: bench.cache, access: .token(try #require(BearerToken(token))))
        try await serve(router) { port in
            async let sent = send(200, "/a", to: port)
            try await eventually("all but one wait") { bench.cache.waiterCount == 199 }
            gate.open()
            let answers = try await sent
            #expect(answers.map(\.text) == Array(repeating: "answer 1", count: 200))
            #expect(answers.count { $0.cacheStatusText.contains("; collapsed") } == 199)
            let metrics = try await Wire.send("GET", "/metrics/cache", ["Authorization: Bearer \(token)"], to: port)
            let counts = try JSONDecoder().decode(Counts.self, from: Data(metrics.body))
            #expect(counts.hits == 0 && counts.misses == 200)
        }
        #expect(calls.value == 1)
    }
}
