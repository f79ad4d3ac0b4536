import HTTPCaching
import Testing

/// The properties of lifetimes, at times in seconds after ``Lifetimes/generatedAt``.
@Suite(.timeLimit(.minutes(5))) struct LifetimesTests {
    private static let generatedAt = Timestamp(secondsSinceEpoch: 1_800_000_000)

    private static func lifetimes(fresh: Int, revalidating: Int = 0, noCache: Bool = false) -> Lifetimes {
        func moment(_ seconds: Int) -> Timestamp { generatedAt.advanced(by: .seconds(seconds)) }
        return Lifetimes(
            generatedAt: generatedAt,
            freshUntil: moment(fresh),
            staleWhileRevalidateUntil: moment(fresh + revalidating),
            staleIfErrorUntil: moment(fresh),
            staleIfUnreachableUntil: moment(fresh + 86_400),
            storedUntil: moment(fresh + 86_400),
            source: .maxAge,
            alwaysRevalidate: noCache
        )
    }

    @Test(
        arguments: [
            ("max-age=1", lifetimes(fresh: 1), true),
            ("max-age=0", lifetimes(fresh: 0), false),
            ("max-age=0, stale-while-revalidate=1", lifetimes(fresh: 0, revalidating: 1), true),
            ("max-age=1, no-cache", lifetimes(fresh: 1, noCache: true), false),
            (
                "max-age=0, stale-while-revalidate=1, no-cache", lifetimes(fresh: 0, revalidating: 1, noCache: true),
                false
            ),
        ]
    ) func `RFC 9111 4: a response may answer several requests if it has a lifetime and no no-cache`(
        _ directives: String,
        _ lifetimes: Lifetimes,
        _ expected: Bool
    ) {
        #expect(lifetimes.mayAnswerOthers == expected, "\(directives)")
    }

    @Test(
        arguments: [
            (10, 9, true), (10, 20, true), (10, 21, false), (0, 0, true), (0, 1, false), (60, 120, true),
            (60, 121, false), (86_400, 86_460, true), (86_400, 86_461, false),
        ]
    ) func `A response is barely stale for as long as it was fresh, and for at most a minute`(
        _ fresh: Int,
        _ age: Int,
        _ expected: Bool
    ) {
        let now = Self.generatedAt.advanced(by: .seconds(age))
        #expect(Self.lifetimes(fresh: fresh).isBarelyStale(at: now) == expected)
    }

    @Test func `Ending freshness moves the stale windows to now, and no time is later than before`() {
        func moment(_ seconds: Int) -> Timestamp { Self.generatedAt.advanced(by: .seconds(seconds)) }
        let lifetimes = Self.lifetimes(fresh: 60, revalidating: 30)
        let ended = lifetimes.endingFreshness(at: moment(10))
        #expect(ended.freshUntil == moment(10) && ended.staleWhileRevalidateUntil == moment(40))
        #expect(ended.staleIfErrorUntil == moment(10))
        // It may be served for as long as it is stored if the origin cannot be reached, as before.
        #expect(ended.staleIfUnreachableUntil == lifetimes.storedUntil && ended.storedUntil == lifetimes.storedUntil)
        #expect(ended.generatedAt == lifetimes.generatedAt && ended.age(at: moment(10)) == 10)
        #expect(ended.endingFreshness(at: moment(20)) == ended)
        #expect(lifetimes.endingFreshness(at: moment(60)) == lifetimes)
        let short = Lifetimes(
            generatedAt: moment(0),
            freshUntil: moment(60),
            staleWhileRevalidateUntil: moment(60),
            staleIfErrorUntil: moment(90),
            staleIfUnreachableUntil: moment(90),
            storedUntil: moment(600),
            source: .rules
        ).endingFreshness(at: moment(0))
        #expect(short.staleIfErrorUntil == moment(30) && short.staleIfUnreachableUntil == moment(30))
    }
}
