import HTTPTypes
import Testing

@testable import HTTPCaching

/// The calculation of age (RFC 9111 §4.2.3, §5.1).
@Suite(.timeLimit(.minutes(5))) struct FreshnessTests {
    private func freshness(_ lines: String, sent: Int = 0, arrived: Int = 0) -> Freshness {
        let response = HTTPResponse(lines: lines)
        return Freshness(
            response: response,
            directives: ResponseDirectives(response.headerFields),
            rules: .gateway,
            requestedAt: at(sent),
            respondedAt: at(arrived)
        )
    }

    /// The fields, the time of the request, the time of the response, and the age on arrival, in seconds.
    @Test(arguments: [
        ("", 0, 0, 0), ("Date: {0}", 0, 0, 0), ("Date: {-9}", 0, 0, 9), ("Date: {9}", 0, 0, 0), ("Date: x", 0, 0, 0),
        ("Age: 5", 0, 0, 5), ("Age: 5", 0, 2, 7), ("Age: 5\nDate: {-9}", 0, 0, 9), ("Age: 9\nDate: {-5}", 0, 0, 9),
        ("Age: 5\nDate: {-5}", 0, 2, 7), ("", 0, 3, 3),
        // A clock that is set back while the response is in transit does not reduce the age of the response.
        ("Age: 5", 10, 0, 5), ("", 10, 0, 0),
        // "SHOULD use the first member of the field value, discarding subsequent ones"; an invalid one is ignored.
        ("Age: 5, 9", 0, 0, 5), ("Age: 5\nAge: 9", 0, 0, 5), ("Age: x, 9", 0, 0, 0), ("Age: -5", 0, 0, 0),
        ("Age: 5.5", 0, 0, 0), ("Age:", 0, 0, 0), ("Age: 99999999999999999999", 0, 0, 1 << 31),
    ]) func `RFC 9111 4.2.3: the age on arrival is computed`(_ lines: String, _ sent: Int, _ arrived: Int, _ age: Int) {
        let lifetimes = freshness(lines, sent: sent, arrived: arrived).lifetimes
        #expect(lifetimes.generatedAt == at(arrived - age))
    }

    private func storability(of response: HTTPResponse, by rules: CachingRules) -> Storability {
        Storability.decide(
            request: HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/"),
            response: response,
            rules: rules,
            requestedAt: at(0),
            respondedAt: at(0)
        )
    }

    /// The status, the fields, the lifetime that the rules give it, and the lifetime in seconds; nil if it is not
    /// stored.
    @Test(
        arguments: [
            (404, "", 30, 30), (404, "", 0, nil), (404, "", nil, nil), (404, "Cache-Control: max-age=9", 30, 9),
            (404, "Cache-Control: no-store", 30, nil), (404, "Cache-Control: max-age=9", 0, nil), (201, "", 30, 30),
            // The lifetime for a status is a limit of its own.
            (503, "", 30, 30), (503, "Cache-Control: max-age=90", 30, 30), (503, "Cache-Control: max-age=90", 5, 10),
            (418, "", 30, 30), (206, "", 30, nil), (304, "", 30, nil), (412, "", 30, nil), (200, "", 30, 30),
            (200, "", nil, 60),
        ] as [(Int, String, Int?, Int?)]
    )
    func `A status with a lifetime of its own is stored for it, unless the response declares another`(
        _ status: Int,
        _ lines: String,
        _ lifetime: Int?,
        _ stored: Int?
    ) {
        var response = HTTPResponse(lines: lines)
        response.status = HTTPResponse.Status(code: status)
        var rules = CachingRules.decoratedRoute(ttl: .seconds(60))
        rules.lifetimes[status] = lifetime.map { .seconds($0) }
        let storability = storability(of: response, by: rules)
        if case .store(let lifetimes) = storability {
            #expect(stored.map { at($0) } == lifetimes.freshUntil)
        } else {
            #expect(stored == nil)
        }
    }

    @Test(arguments: [200, 302, 404, 503])
    func `A stored error is not served stale by the windows of the rules, but by those that it declares`(
        _ status: Int
    ) throws {
        var rules = CachingRules.decoratedRoute(ttl: .seconds(60))
        rules.lifetimes[status] = .seconds(5)
        rules.staleWhileRevalidate = .seconds(100)
        rules.staleIfError = .seconds(200)
        rules.servesStaleOnUnreachable = true
        var response = HTTPResponse(lines: "")
        response.status = HTTPResponse.Status(code: status)
        guard case .store(let lifetimes) = storability(of: response, by: rules) else {
            Issue.record("The response is stored")
            return
        }
        let isError = status >= 400
        #expect(lifetimes.freshUntil == at(5))
        #expect(lifetimes.staleWhileRevalidateUntil == at(isError ? 5 : 105))
        #expect(lifetimes.staleIfErrorUntil == at(isError ? 5 : 205))
        #expect((lifetimes.staleIfUnreachableUntil == at(5)) == isError)
        response.headerFields[.cacheControl] = "stale-while-revalidate=7"
        guard status != 503, case .store(let declared) = storability(of: response, by: rules) else { return }
        #expect(declared.staleWhileRevalidateUntil == at(12))
    }

    @Test func `What a handler says to the cache alone takes precedence over Cache-Control`() {
        let response = HTTPResponse(lines: "Cache-Control: private, max-age=1\nLarder-Cache-Control: max-age=9")
        for (rules, lifetime) in [(CachingRules.decoratedRoute(ttl: .seconds(60)), 9), (.gateway, nil)]
            as [(CachingRules, Int?)]
        {
            let storability = storability(of: response, by: rules)
            if case .store(let lifetimes) = storability {
                #expect(lifetimes.freshUntil == lifetime.map { at($0) })
            } else {
                #expect(lifetime == nil)
            }
        }
    }
}
