import NIOCore
import Testing

@testable import LarderGateway

/// When a client counts as slow.
@Suite(.timeLimit(.minutes(5))) struct ClientRateTests {
    /// Looks once a second, and returns after how many a client is slow that moves so many bytes each; nil if it is not
    /// within an hour.
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

    @Test func `a client is slow that moves less than the rate over the time`() throws {
        #expect(try Self.seconds { _ in (true, 0) } == 10)
        #expect(try Self.seconds { ($0 > 0, $0 % 8 == 0 ? 1 : 0) } == 11)
        #expect(try Self.seconds { _ in (true, 512) } == 20)
        #expect(try Self.seconds { _ in (true, 1_000) } != nil)
        // What came fast before is no credit beyond the time.
        #expect(try Self.seconds { (true, $0 == 1 ? 1 << 30 : 0) } == 11)
    }

    @Test func `a client is not slow that keeps to the rate, or that nothing is expected of`() throws {
        #expect(try Self.seconds { _ in (true, 1_025) } == nil)
        #expect(try Self.seconds { ($0 > 0, $0 % 9 == 0 ? 9 * 1_025 : 0) } == nil)
        #expect(try Self.seconds { _ in (false, 0) } == nil)
        #expect(try Self.seconds { ($0 % 2 == 0, 513) } == nil)
    }

    @Test func `there may be no rate`() {
        #expect(ClientRate(0) == nil && ClientRate(1, over: .zero) == nil)
    }
}
