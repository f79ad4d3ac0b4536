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
}
