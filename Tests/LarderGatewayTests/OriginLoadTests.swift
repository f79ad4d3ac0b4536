import NIOConcurrencyHelpers
import TestHelpers
import Testing

@testable import Larder
@testable import LarderGateway

/// The fetches that end so that other requests get a connection.
@Suite(.timeLimit(.minutes(5))) struct OriginLoadTests {
    private static let origin = OriginAddress("http://127.0.0.1:1")!

    /// A fetch for which a request waits until `leave()` is called.
    private final class Asked: Sendable {
        private let isAwaited = NIOLockedValueBox(true)
        let fetch: BackgroundFetch

        init() { fetch = BackgroundFetch { [isAwaited] in isAwaited.withLockedValue { $0 } } }

        func leave() {
            isAwaited.withLockedValue { $0 = false }
            fetch.leave()
        }
    }

    @Test func `Excess requests end as many abandoned fetches, the first abandoned one first`() {
        let load = OriginLoad(limit: 3)
        let asked = (0..<3).map { _ in Asked() }
        let slots = asked.map { load.enter(Self.origin, $0.fetch) }
        for place in [2, 0, 1] { asked[place].leave() }
        #expect(asked.map(\.fetch.isAbandoned) == [false, false, false])
        let fourth = load.enter(Self.origin, nil)
        #expect(asked.map(\.fetch.isAbandoned) == [false, false, true])
        // The third fetch has not finished yet, and makes room for one request only.
        let fifth = load.enter(Self.origin, Asked().fetch)
        #expect(asked.map(\.fetch.isAbandoned) == [true, false, true])
        withExtendedLifetime((slots, fourth, fifth)) {}
    }

    @Test func `A finished fetch makes room, and a fetch with a waiting request is not ended`() {
        let load = OriginLoad(limit: 2)
        let (first, second) = (Asked(), Asked())
        var slot: OriginLoad.Slot? = load.enter(Self.origin, first.fetch)
        let other = load.enter(Self.origin, second.fetch)
        second.leave()
        withExtendedLifetime(slot) {}
        slot = nil
        let third = load.enter(Self.origin, nil)
        #expect(!second.fetch.isAbandoned)
        let fourth = load.enter(Self.origin, nil)
        #expect(second.fetch.isAbandoned && !first.fetch.isAbandoned)
        withExtendedLifetime((other, third, fourth)) {}
    }

    @Test func `A waiting request gets the connection of the next abandoned fetch`() {
        let load = OriginLoad(limit: 1)
        let asked = Asked()
        let slot = load.enter(Self.origin, asked.fetch)
        let waiting = load.enter(Self.origin, nil)
        #expect(!asked.fetch.isAbandoned)
        asked.leave()
        #expect(asked.fetch.isAbandoned)
        withExtendedLifetime((slot, waiting)) {}
    }
}
