import HTTPCaching
import Larder
import Testing

@testable import LarderSimulation

/// The counts of a replay, by examples that are small enough to count by hand.
@Suite(.timeLimit(.minutes(5))) struct ReplayTests {
    /// Returns a line of a log, `seconds` after its start.
    private static func line(
        _ seconds: Int,
        _ request: String,
        _ status: Int = 200,
        _ size: Int = 100,
        user: String = "-"
    ) -> String {
        let time = "[06/Nov/1994:08:\(49 + seconds / 60):\(seconds % 60 < 10 ? "0" : "")\(seconds % 60) +0000]"
        return "192.0.2.1 - \(user) \(time) \"\(request) HTTP/1.1\" \(status) \(size) \"-\" \"-\"\n"
    }

    private static func run(
        _ text: String,
        _ policy: SimulatedPolicy = .byUse,
        memory: ByteCount = .mebibytes(64),
        store change: (inout StoreOptions) -> Void = { _ in },
        reading options: (inout ReadingOptions) -> Void = { _ in }
    ) async throws -> (counts: StoreCounts, totals: LogTotals) {
        var log = logReader(text) {
            options(&$0)
            $0.readsTargets = true
        }
        var store = StoreOptions(policy, memory: memory)
        change(&store)
        let counts = try await Simulation([store]).run(&log)
        return (counts[0], log.totals)
    }

    /// The policies that a test of rules runs with: they do not depend on the policy.
    static let policies = SimulatedPolicy.allCases

    @Test(arguments: policies) func `A response is found while it is fresh, and not from the end of its lifetime`(
        _ policy: SimulatedPolicy
    ) async throws {
        let text = [0, 10, 59, 60, 61, 120].map { Self.line($0, "GET /a", 200, 100) }.joined()
        let (counts, totals) = try await Self.run(text, policy, reading: { $0.lifetime = .seconds(60) })
        // Stored at 0 and 60 and 120; found at 10, 59 and 61.
        #expect(counts.hits == 3 && counts.hitBytes == 300)
        #expect(totals.requests == 6 && totals.bytes == 600 && totals.lookups == 6)
        let forever = try await Self.run(text, policy, reading: { $0.lifetime = nil })
        #expect(forever.counts.hits == 5)
    }

    @Test(arguments: policies) func `A successful write removes the responses of its path, whatever their query`(
        _ policy: SimulatedPolicy
    ) async throws {
        let text = [
            Self.line(0, "GET /Posts/"), Self.line(1, "GET /posts?page=2"), Self.line(2, "GET /other"),
            Self.line(3, "POST /posts", 201), Self.line(4, "GET /Posts/"), Self.line(5, "GET /posts?page=2"),
            Self.line(6, "GET /other"), Self.line(7, "PUT /p%6Fsts", 204), Self.line(8, "GET /posts?page=2"),
            Self.line(9, "DELETE /posts", 500), Self.line(10, "GET /posts?page=2"),
        ].joined()
        let (counts, totals) = try await Self.run(text, policy)
        // Found: /other at 6, and /posts?page=2 at 10, after the write that failed.
        #expect(counts.hits == 2)
        #expect(totals.writes == 2 && totals.others == 1 && totals.lookups == 8)
    }

    @Test(arguments: policies) func `HEAD, parts and responses without content are found, and store nothing`(
        _ policy: SimulatedPolicy
    ) async throws {
        let text = [
            Self.line(0, "HEAD /a", 200, 0), Self.line(1, "GET /a", 304, 0), Self.line(2, "GET /a", 206, 10),
            Self.line(3, "GET /a", 200, 100), Self.line(4, "HEAD /a", 200, 0), Self.line(5, "GET /a", 304, 0),
            Self.line(6, "GET /a", 206, 10),
        ].joined()
        let (counts, totals) = try await Self.run(text, policy)
        #expect(counts.hits == 3 && counts.hitBytes == 10 && totals.bytes == 120)
    }

    @Test(arguments: policies) func `Requests with a user, other methods and other statuses bypass the cache`(
        _ policy: SimulatedPolicy
    ) async throws {
        let requests = [
            Self.line(0, "GET /a", user: "alice"), Self.line(1, "GET /b", 500), Self.line(2, "GET /c", 302),
            Self.line(3, "OPTIONS /a"), Self.line(4, "PROPFIND /a", 207),
            // Requests to the gateway itself are in its log, too.
            Self.line(5, "GET /-/larder/v1/top"), Self.line(6, "POST /-/larder/v1/purge"),
        ]
        let (counts, totals) = try await Self.run(requests.joined() + requests.joined(), policy)
        #expect(counts.hits == 0 && counts.peakBytes == 0)
        #expect(totals.requests == 14 && totals.lookups == 0 && totals.writes == 0)
        #expect(totals.withUser == 2 && totals.notStorable == 4 && totals.others == 8)
    }

    @Test func `The byte hit ratio counts the bytes that each request was sent`() async throws {
        let text = "0,a,1000\n1,b,10\n2,a,1000\n3,b,10\n4,b,10\n"
        let (counts, totals) = try await Self.run(text, store: { $0.overhead = 0 })
        #expect(counts.hits == 3 && counts.hitBytes == 1_020 && totals.bytes == 2_030)
        #expect(counts.peakBytes == 1_010 && counts.peakEntries == 2 && counts.evictions == 0)
    }

    @Test func `A store evicts when it is full, and a response that is too large is not stored`() async throws {
        let text = "0,a,60\n1,b,60\n2,a,60\n3,c,101\n4,c,101\n5,a,60\n"
        let (counts, _) = try await Self.run(text, .lru, memory: .bytes(100), store: { $0.overhead = 0 })
        // b takes the place of a, and a that of b; c has no room; then a is there.
        #expect(counts.hits == 1 && counts.evictions == 2 && counts.peakBytes == 60)
        let charged = try await Self.run(text, .lru, memory: .bytes(100), store: { $0.overhead = 41 })
        #expect(charged.counts.hits == 0 && charged.counts.peakBytes == 0)
        let limited = try await Self.run(text, .lru, store: { $0.bodyLimit = .bytes(60) })
        #expect(limited.counts.hits == 2 && limited.counts.peakEntries == 2)
    }

    @Test func `Expired responses make room before others are evicted`() async throws {
        let text = "0,a,50\n1,b,50\n11,c,50\n11,b,50\n12,d,50\n"
        let (counts, _) = try await Self.run(
            text,
            .lru,
            memory: .bytes(100),
            store: { $0.overhead = 0 },
            reading: { $0.rowLifetime = .seconds(11) }
        )
        // At 11 a has expired, and makes room for c. At 12 b, stored at 1, has expired, and makes room for d.
        #expect(counts.hits == 1 && counts.evictions == 0)
    }

    @Test func `The Cache-Control of a response is used if the log has it`() async throws {
        func line(_ seconds: Int, _ target: String, _ value: String) -> String {
            #"{"ts":\#(seconds),"method":"GET","uri":"\#(target)","status":200,"size":1,"cache_control":"\#(value)"}"#
                + "\n"
        }
        let values = [
            ("max-age=10", 5, true), ("max-age=10", 10, false), ("max-age=1, s-maxage=30", 20, true),
            ("no-store", 1, false), ("private", 1, false), ("no-cache", 1, false), ("max-age=0", 1, false),
            ("-", 200, true), ("", 299, true), ("public", 300, false),
        ]
        for (value, seconds, isFound) in values {
            let text = line(0, "/a", value) + line(seconds, "/a", value)
            let (counts, _) = try await Self.run(text)
            #expect(counts.hits == (isFound ? 1 : 0), "\(value) after \(seconds) s")
        }
    }

    @Test func `Ignored parameters are not part of keys, and hosts are`() async throws {
        let text = [
            Self.line(0, "GET /a?x=1&utm_source=b"), Self.line(1, "GET /a?utm_id=c&x=1"), Self.line(2, "GET /a?x=2"),
            Self.line(3, "GET /a?fbclid"), Self.line(4, "GET /a"),
        ].joined()
        let kept = try await Self.run(text)
        let ignored = try await Self.run(text, reading: { $0.ignoredParameters = ["utm_*", "fbclid"] })
        #expect(kept.counts.hits == 0 && ignored.counts.hits == 2)
        let hosts = ["a", "b", "A"].map { "\($0) " + Self.line(0, "GET /") }.joined()
        let virtual = try await Self.run(hosts)
        #expect(virtual.counts.hits == 1)
    }

    @Test func `A clock does not go back with the log, and the largest step back is reported`() async throws {
        let text = [Self.line(100, "GET /a"), Self.line(40, "GET /a"), Self.line(110, "GET /a")].joined()
        let (counts, totals) = try await Self.run(text, reading: { $0.lifetime = .seconds(20) })
        #expect(counts.hits == 2 && totals.stepBack == .seconds(60))
        let span = totals.span.map { $0.upperBound.duration(since: $0.lowerBound) }
        #expect(span == .seconds(10))
    }
}
