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
}
