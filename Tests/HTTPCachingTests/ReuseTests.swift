import HTTPCaching
import HTTPTypes
import Testing

/// The times at which a stored response may be reused, to the nanosecond (RFC 9111 §4.2.4, §5.2.1; RFC 5861 §4).
@Suite(.timeLimit(.minutes(5))) struct ReuseTests {
    private let instant = Duration.nanoseconds(1)

    /// Returns lifetimes: fresh for 10 s, served stale on an error for 10 s more, and stored for 100 s.
    private func lifetimes(mustRevalidate: Bool = false, alwaysRevalidate: Bool = false) -> Lifetimes {
        Lifetimes(
            generatedAt: at(0),
            freshUntil: at(10),
            staleWhileRevalidateUntil: at(10),
            staleIfErrorUntil: at(20),
            staleIfUnreachableUntil: at(30),
            storedUntil: at(100),
            source: .maxAge,
            mustRevalidate: mustRevalidate,
            alwaysRevalidate: alwaysRevalidate
        )
    }

    private func serves(
        _ moment: Timestamp,
        after failure: Reuse.Failure,
        _ request: String = "",
        on lifetimes: Lifetimes? = nil
    ) -> Bool {
        Reuse.mayServeOnError(
            lifetimes: lifetimes ?? self.lifetimes(),
            request: RequestDirectives([.cacheControl: request]),
            now: moment,
            failure: failure
        )
    }

    @Test(arguments: [500, 502, 503, 504]) func `RFC 5861 4: a response is served stale on an error until its limit`(
        _ status: Int
    ) {
        #expect(serves(at(20).advanced(by: .zero - instant), after: .status(status)))
        #expect(!serves(at(20), after: .status(status)))
        #expect(!serves(at(20), after: .status(status), on: lifetimes(mustRevalidate: true)))
        #expect(!serves(at(15), after: .status(status), "no-cache"))
        #expect(!serves(at(15), after: .status(status), on: lifetimes(alwaysRevalidate: true)))
    }

    @Test(arguments: [200, 304, 404, 429, 499, 501, 505, 599]) func `Other statuses are not errors by RFC 5861 4`(
        _ status: Int
    ) {
        #expect(!serves(at(15), after: .status(status), "stale-if-error=60"))
    }

    @Test func `A response is served without a connection until its limit, which may be later`() {
        #expect(serves(at(30).advanced(by: .zero - instant), after: .unreachable))
        #expect(!serves(at(30), after: .unreachable))
        #expect(!serves(at(5), after: .unreachable, "no-cache"))
    }

    @Test func `RFC 5861 4: a request's stale-if-error is limited to its seconds and to the time in the store`() {
        for failure in [Reuse.Failure.status(503), .unreachable] {
            #expect(serves(at(70), after: failure, "stale-if-error=60"))
            #expect(!serves(at(70).advanced(by: instant), after: failure, "stale-if-error=60"))
            #expect(!serves(at(70), after: failure, "stale-if-error=60", on: lifetimes(mustRevalidate: true)))
            #expect(serves(at(100).advanced(by: .zero - instant), after: failure, "stale-if-error=99"))
            #expect(!serves(at(100), after: failure, "stale-if-error=99"))
        }
    }

    @Test(arguments: [
        // The request's directives, seconds after the response was made, and true if it is served without the origin.
        ("", 0, true), ("", 9, true), ("", 10, false), ("max-age=5", 5, true), ("max-age=5", 6, false),
        ("max-age=0", 0, false), ("min-fresh=4", 6, true), ("min-fresh=4", 7, false), ("min-fresh=0", 9, true),
        ("max-stale=5", 15, true), ("max-stale=5", 16, false), ("max-stale", 99, true), ("max-stale", 100, false),
        ("max-age=15, max-stale", 15, true), ("max-age=15, max-stale", 16, false),
        ("max-stale, min-fresh=0", 10, false),
        ("no-cache", 0, false), ("max-age=9, max-age=5", 6, false), ("min-fresh=4, min-fresh=1", 7, false),
        ("max-stale=9, max-stale=5", 16, false), ("max-stale, max-stale=5", 16, false),
    ]) func `RFC 9111 5.2.1: a request's directives hold to the second`(
        _ request: String,
        _ seconds: Int,
        _ isServed: Bool
    ) {
        let directives = RequestDirectives([.cacheControl: request])
        switch Reuse.decide(lifetimes: lifetimes(), request: directives, now: at(seconds)) {
        case .fresh, .stale: #expect(isServed)
        case .revalidate, .unusable: #expect(!isServed)
        }
    }
}
