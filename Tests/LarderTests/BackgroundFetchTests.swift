import HTTPTypes
import NIOConcurrencyHelpers
import TestHelpers
import Testing

@testable import Larder

/// The lifetime of a fetch object.
@Suite(.timeLimit(.minutes(5))) struct BackgroundFetchTests {
    private final class Reference: Sendable {
        private let value = NIOLockedValueBox<WeakFetch>(WeakFetch())
        var isValid: Bool { value.withLockedValue { $0.fetch != nil } }
        func set(_ fetch: BackgroundFetch?) { value.withLockedValue { $0.fetch = fetch } }
    }

    private struct WeakFetch { weak var fetch: BackgroundFetch? }

    @Test(arguments: [true, false]) func `A fetch is released when it is over, whatever refers to it`(
        _ isStored: Bool
    ) async throws {
        let bench = Bench()
        let reference = Reference()
        let origin = TestOrigin { _ in
            let fetch = FetchContext.fetch
            reference.set(fetch)
            fetch?.onLeave { fetch?.abandon() }
            return TestResponse("v", [.cacheControl: isStored ? "max-age=60" : "no-store"])
        }
        _ = try await bench.get(under: .gateway, from: origin)
        await bench.cache.idle()
        try await eventually("the fetch is released") { !reference.isValid }
    }

    @Test func `A fetch that is over does not retain tasks that are attached later`() async {
        let bench = Bench()
        let reference = Reference()
        do {
            let fetch = BackgroundFetch { false }
            reference.set(fetch)
            fetch.end()
            fetch.onLeave { fetch.abandon() }
            fetch.attach(bench.cache.tasks.start {})
        }
        #expect(!reference.isValid)
    }
}
