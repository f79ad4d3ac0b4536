import HTTPCaching
import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

@testable import Larder

/// The requests that may get the result of another request's flight (docs/invalidation.md, rule 7; RFC 9111 §4).
@Suite(.timeLimit(.minutes(5))) struct FlightOutcomeTests {
    private static let epoch = LogVersion.Epoch(high: 1, low: 1)
    private static let otherEpoch = LogVersion.Epoch(high: 1, low: 2)
    /// The time at which the origin answered.
    private let answered = Timestamp(secondsSinceEpoch: 1_800_000_000)
    private let instant = Duration.nanoseconds(1)

    private func outcome(
        _ content: FlightOutcome.Content = .failure(TestFailure("a result"), tags: []),
        readVersion: UInt64 = 5,
        isValid: Bool = true,
        checkedAt: LogVersion? = nil
    ) -> FlightOutcome {
        let readVersion = LogVersion(epoch: Self.epoch, number: readVersion)
        return FlightOutcome(
            content: content,
            readVersion: readVersion,
            validity: Validity(isValid: isValid, checkedVersion: checkedAt ?? readVersion),
            answeredAt: answered
        )
    }

    private func cacheable(_ fields: HTTPFields = [:], under policy: CachePolicy = .gateway) throws -> CacheableRequest
    {
        let decision = RequestDecision.decide(.get("/a", fields), user: nil, policy: SharedPolicy(policy))
        guard case .lookUp(let cacheable) = decision else {
            throw TestFailure("the request is not looked up")
        }
        return cacheable
    }

    /// Returns an entry that is fresh for ten seconds after the origin answered, and may be served stale for ten more.
    private func entry(_ fields: HTTPFields = [:], request: HTTPFields = [:]) -> CacheEntry {
        .sample(
            "v",
            at: EntryLocation(key: CacheKey(legal: "GET:/a"), target: "/a"),
            readVersion: LogVersion(epoch: Self.epoch, number: 5),
            now: answered,
            freshFor: .seconds(10),
            staleFor: .seconds(10),
            request: request,
            fields
        )
    }

    // MARK: - By the invalidation log

    @Test(
        arguments: [
            // The look-up is not later than the flight's own: only an invalidation after it can have overtaken the
            // flight.
            (4, false, 4, true), (5, false, 5, true), (5, true, 9, true), (0, false, 9, true),
            // The look-up is later: the result must have been valid at the look-up's version, or later.
            (6, true, 6, true), (6, true, 7, true), (6, true, 5, false), (7, true, 6, false), (6, false, 6, false),
            (6, false, 9, false),
        ] as [(UInt64, Bool, UInt64, Bool)]
    )
    func `A result answers a look-up at whose version it was valid`(
        _ lookup: UInt64,
        _ isValid: Bool,
        _ checkedAt: UInt64,
        _ mayServe: Bool
    ) {
        let outcome = outcome(isValid: isValid, checkedAt: LogVersion(epoch: Self.epoch, number: checkedAt))
        #expect(outcome.mayServe(lookupAt: LogVersion(epoch: Self.epoch, number: lookup)) == mayServe)
        #expect(!outcome.mayServe(lookupAt: LogVersion(epoch: Self.otherEpoch, number: lookup)))
    }

    @Test func `A result that was checked in another epoch does not answer a look-up that is later than its flight`() {
        let outcome = outcome(checkedAt: LogVersion(epoch: Self.otherEpoch, number: 9))
        #expect(outcome.mayServe(lookupAt: LogVersion(epoch: Self.epoch, number: 5)))
        #expect(!outcome.mayServe(lookupAt: LogVersion(epoch: Self.epoch, number: 6)))
        #expect(!outcome.mayServe(lookupAt: LogVersion(epoch: Self.otherEpoch, number: 6)))
        #expect(!outcome.mayServe(lookupAt: LogVersion(epoch: Self.otherEpoch, number: 5)))
    }

    // MARK: - By the time of joining

    @Test func `The origin's response is shared as fetched with requests that joined before it, or with it`() {
        let outcome = outcome()
        #expect(outcome.answers(joinedAt: answered.advanced(by: .zero - instant)))
        #expect(outcome.answers(joinedAt: answered))
        #expect(!outcome.answers(joinedAt: answered.advanced(by: instant)))
    }

    private static let sources: [FlightOutcome.Source] = [
        .fetched(status: 200, nil), .fetched(status: 200, .tooLarge), .validated(status: 304, nil), .stalePaused,
    ]

    @Test(arguments: sources.indices) func `A request that joined after the response gets it as from the store`(
        _ place: Int
    ) throws {
        let (source, entry, cacheable) = (Self.sources[place], entry(), try cacheable())
        let outcome = outcome(.entry(entry, source))
        func mayAnswer(_ fields: HTTPFields = [:], after delay: Duration) throws -> Bool {
            let joined = answered.advanced(by: delay)
            return outcome.mayAnswer(try self.cacheable(fields), joinedAt: joined, with: entry, source)
        }
        #expect(try mayAnswer(after: .zero))
        #expect(try mayAnswer(after: instant))
        #expect(try mayAnswer(after: .seconds(10) - instant))
        // The response is stale while it is revalidated.
        #expect(try mayAnswer(after: .seconds(20) - instant))
        #expect(try !mayAnswer(after: .seconds(20)))
        // A request that demands a newer response gets this one if it joined before the response.
        #expect(try mayAnswer([.cacheControl: "no-cache"], after: .zero))
        #expect(try !mayAnswer([.cacheControl: "no-cache"], after: instant))
        #expect(outcome.mayAnswer(cacheable, joinedAt: .distantPast, with: entry, source))
    }

    @Test(arguments: [500, 502, 503, 504, nil] as [Int?])
    func `RFC 5861 4: A stale response after a failure is shared with requests that joined before and allow it`(
        _ status: Int?
    ) throws {
        let entry = entry()
        let source = FlightOutcome.Source.staleOnError(status: status)
        let outcome = outcome(.entry(entry, source))
        func mayAnswer(_ fields: HTTPFields = [:], after delay: Duration) throws -> Bool {
            let joined = answered.advanced(by: delay)
            return outcome.mayAnswer(try cacheable(fields), joinedAt: joined, with: entry, source)
        }
        #expect(try mayAnswer(after: .seconds(-1)))
        #expect(try mayAnswer(after: .zero))
        // The request joined after the failure: the origin has not failed for it, though the response could be reused.
        #expect(try !mayAnswer(after: instant))
        #expect(try !mayAnswer([.cacheControl: "no-cache"], after: .seconds(-1)))
    }

    @Test func `A stale response is not shared after an error that does not allow it`() throws {
        let (entry, cacheable) = (entry(), try cacheable())
        for status in [404, 501, 505] {
            let source = FlightOutcome.Source.staleOnError(status: status)
            let outcome = outcome(.entry(entry, source))
            #expect(!outcome.mayAnswer(cacheable, joinedAt: answered, with: entry, source))
        }
    }

    // MARK: - By the response

    @Test func `RFC 9111 4.1: A response is shared with requests that match it`() throws {
        let entry = entry([.vary: "Accept-Language"], request: [.acceptLanguage: "en"])
        let requests = [
            try cacheable([.acceptLanguage: "en"]), try cacheable([.acceptLanguage: "de"]), try cacheable(),
        ]
        for source in Self.sources + [.staleOnError(status: 503), .staleOnSoftTimeout] {
            let outcome = outcome(.entry(entry, source))
            let answers = requests.map { outcome.mayAnswer($0, joinedAt: answered, with: entry, source) }
            #expect(answers == [true, false, false])
        }
    }

    @Test func `A policy that requires explicit permission does not share a response without it`() throws {
        var policy = CachePolicy.gateway
        policy.rules.requiresExplicitPermission = true
        let cacheable = try cacheable(under: policy)
        for (directives, mayAnswer) in [("max-age=9", false), ("public", true), ("s-maxage=9", true)] {
            let entry = entry([.cacheControl: directives])
            let outcome = outcome(.entry(entry, .fetched(status: 200, nil)))
            let answer = outcome.mayAnswer(cacheable, joinedAt: answered, with: entry, .fetched(status: 200, nil))
            #expect(answer == mayAnswer, "\(directives)")
        }
    }

    @Test func `A result counts as stored if it was fetched or validated, and stored`() {
        let entry = entry()
        #expect(outcome(.entry(entry, .fetched(status: 200, nil))).isStored)
        #expect(outcome(.entry(entry, .validated(status: 304, nil))).isStored)
        for source: FlightOutcome.Source in [
            .fetched(status: 200, .overtaken), .validated(status: 304, .unavailable), .staleOnError(status: nil),
            .stalePaused, .staleOnSoftTimeout,
        ] {
            #expect(!outcome(.entry(entry, source)).isStored)
        }
        #expect(!outcome(.failure(TestFailure("down"), tags: [])).isStored)
    }
}
