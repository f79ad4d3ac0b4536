import NIOCore
import Testing

@testable import LarderGateway

/// The conditions under which a client counts as slow.
@Suite(.timeLimit(.minutes(5))) struct ClientRateTests {
    /// Checks once a second, and returns the second at which a client is slow that moves the given number of bytes in
    /// each second; nil if it is not slow within an hour.
    private static func seconds(_ moves: (Int) -> (isPending: Bool, bytes: Int)) throws -> Int? {
        let rate = try #require(ClientRate(1_024, over: .seconds(10)))
        var allowance = RateAllowance(rate, moved: 0)
        var moved = 0
        for second in 1...3_600 {
            let (isPending, bytes) = moves(second)
            moved += bytes
            if allowance.isUsedUp(after: .seconds(1), isPending: isPending, moved: moved) { return second }
        }
        return nil
    }

    @Test func `A client that moves less than the rate over the time is slow`() throws {
        #expect(try Self.seconds { _ in (true, 0) } == 10)
        #expect(try Self.seconds { ($0 > 0, $0 % 8 == 0 ? 1 : 0) } == 11)
        #expect(try Self.seconds { _ in (true, 512) } == 20)
        #expect(try Self.seconds { _ in (true, 1_000) } != nil)
        // Bytes that moved fast earlier give no credit beyond the time.
        #expect(try Self.seconds { (true, $0 == 1 ? 1 << 30 : 0) } == 11)
    }

    @Test func `A client that meets the rate, or from which nothing is expected, is not slow`() throws {
        #expect(try Self.seconds { _ in (true, 1_025) } == nil)
        #expect(try Self.seconds { ($0 > 0, $0 % 9 == 0 ? 9 * 1_025 : 0) } == nil)
        #expect(try Self.seconds { _ in (false, 0) } == nil)
        #expect(try Self.seconds { ($0 % 2 == 0, 513) } == nil)
    }

    @Test func `A rate of 0 means that there is no lowest rate`() {
        #expect(ClientRate(0) == nil && ClientRate(1, over: .zero) == nil)
    }
}
