import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct StaleTests {
    /// The way in which a handler fails.
    enum Failing: String, CaseIterable, CustomTestStringConvertible {
        case not, throwing, throwingStatus, answering
        var testDescription: String { rawValue }
    }

    private struct Unknown: Error {}

    private final class HandlerState: Sendable {
        private let state = NIOLockedValueBox(Failing.not)

        var failing: Failing {
            get { state.withLockedValue { $0 } }
            set { state.withLockedValue { $0 = newValue } }
        }
    }

    private let bench = Bench()
    private let calls = Counter()
    private let handler = HandlerState()

    @Test func `A stale response is served at once while one request refreshes it`() async throws {
        let gate = Gate()
        let policy = CachePolicy.fresh(for: .seconds(60)).stale(whileRevalidating: .seconds(300))
        try await serve(router(policy) { if $0 > 1 { await gate.pass() } }) { port in
            _ = try await Wire.send("GET", "/a", to: port)
            bench.clock.advance(by: .seconds(60))
            for answer in try await send(20, "/a", to: port) {
                #expect(answer.text == "answer 1" && answer.isHit && answer.fields[.age] == "60")
                #expect(answer.cacheStatusText.hasSuffix("; detail=stale-while-revalidate"))
            }
            #expect(calls.value == 2)
            gate.open()
            await bench.cache.idle()
            let fresh = try await Wire.send("GET", "/a", to: port)
            #expect(fresh.text == "answer 2" && fresh.isHit && fresh.fields[.age] == "0")
            bench.clock.advance(by: .seconds(360))
            let late = try await Wire.send("GET", "/a", to: port)
            #expect(late.text == "answer 3" && !late.isHit)
        }
        let metrics = bench.cache.statistics.snapshot()
        #expect(metrics.hits == 21 && metrics.misses == 2 && calls.value == 3)
    }

    @Test(arguments: [Failing.throwing, .throwingStatus, .answering])
    func `A stored response is served while the handler fails, up to a limit`(_ how: Failing) async throws {
        let policy = CachePolicy.fresh(for: .seconds(60)).stale(ifError: .seconds(300))
        try await serve(router(policy)) { port in
            _ = try await Wire.send("GET", "/a", to: port)
            handler.failing = how
            for wait in [60, 299] {
                bench.clock.advance(by: .seconds(wait))
                let stale = try await Wire.send("GET", "/a", to: port)
                #expect(stale.status == 200 && stale.text == "answer 1" && !stale.isHit)
                #expect(
                    stale.cacheStatusText.contains("fwd=stale")
                        && stale.cacheStatusText.contains("detail=stale-if-error")
                )
            }
            bench.clock.advance(by: .seconds(1))
            let over = try await Wire.send("GET", "/a", to: port)
            #expect(over.status == (how == .throwing ? 500 : 503))
            handler.failing = .not
            let well = try await Wire.send("GET", "/a", to: port)
            #expect(well.text == "answer \(calls.value)" && well.cacheStatusText.contains("; stored"))
        }
        #expect(bench.log.events.count { if case .miss(_, .staleOnError) = $0 { true } else { false } } == 2)
    }

    @Test func `An invalidated response is not served if the handler fails`() async throws {
        let policy = CachePolicy.fresh(for: .seconds(60)).stale(ifError: .seconds(300))
            .stale(whileRevalidating: .seconds(300))
        try await serve(router(policy)) { port in
            _ = try await Wire.send("GET", "/a", to: port)
            await bench.cache.invalidate(.path("/a"))
            handler.failing = .answering
            for wait in [0, 60] {
                bench.clock.advance(by: .seconds(wait))
                let failed = try await Wire.send("GET", "/a", to: port)
                #expect(failed.status == 503)
            }
        }
    }

    private func router(
        _ policy: CachePolicy,
        cooking wait: @escaping @Sendable (Int) async -> Void = { _ in }
    ) -> Router<BasicRequestContext> {
        let router = Router()
        router.group("a").cached(by: bench.cache, policy).get { _, _ in
            let number = calls.next()
            await wait(number)
            switch handler.failing {
            case .not: break
            case .throwing: throw Unknown()
            case .throwingStatus: throw HTTPError(.serviceUnavailable)
            case .answering: return Response(status: .serviceUnavailable)
            }
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: "answer \(number)")))
        }
        return router
    }
}
