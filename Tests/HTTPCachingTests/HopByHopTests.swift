import HTTPCaching
import HTTPTypes
import Testing

/// The fields of a response that are stored (RFC 9111 §3.1, RFC 9110 §7.6.1).
@Suite(.timeLimit(.minutes(5))) struct HopByHopTests {
    @Test(arguments: [
        ("X-A: 1\nDate: {0}", "X-A: 1\nDate: {0}"),
        ("Connection: X-A, close\nX-A: 1\nX-B: 2\nDate: {0}", "X-B: 2\nDate: {0}"),
        ("Connection: x-a\nConnection: X-B\nX-A: 1\nx-b: 2\nDate: {0}", "Date: {0}"),
        ("Keep-Alive: 5\nTE: a\nTrailer: b\nTransfer-Encoding: c\nUpgrade: d\nDate: {0}", "Date: {0}"),
        ("Proxy-Authenticate: a\nProxy-Authorization: c\nProxy-Connection: d\nDate: {0}", "Date: {0}"),
        ("Age: 5\nDate: {0}", "Date: {0}"),
        // RFC 9110 §6.6.1: a date is recorded if the response has none that can be read.
        ("X-A: 1", "X-A: 1\nDate: {20}"), ("Date: yesterday", "Date: {20}"), ("Date: {0}\nDate: {1}", "Date: {20}"),
        // RFC 9111 §5.2.2.4, §5.2.2.7: fields that the qualified forms name are not stored.
        (
            "Cache-Control: private=\"Set-Cookie, x-b\"\nSet-Cookie: a\nX-B: 2\nX-C: 3\nDate: {0}",
            "Cache-Control: private=\"Set-Cookie, x-b\"\nX-C: 3\nDate: {0}"
        ),
        (
            "Cache-Control: no-cache=\"Set-Cookie\", private=X-B\nSet-Cookie: a\nSet-Cookie: b\nX-B: 2\nDate: {0}",
            "Cache-Control: no-cache=\"Set-Cookie\", private=X-B\nDate: {0}"
        ),
    ]) func `A response is stored without hop-by-hop fields and the fields that its directives name`(
        _ received: String,
        _ stored: String
    ) {
        let fields = HTTPFields(lines: received)
        let result = HopByHop.storedFields(of: fields, directives: ResponseDirectives(fields), receivedAt: at(20))
        #expect(result.lines == HTTPFields(lines: stored).lines)
    }
}
