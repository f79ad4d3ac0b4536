import HTTPCaching
import HTTPTypes
import Testing

/// The targets that a write invalidates (RFC 9111 §4.4).
@Suite(.timeLimit(.minutes(5))) struct InvalidationTests {
    @Test(arguments: [
        (199, false), (200, true), (204, true), (304, true), (399, true), (400, false), (404, false), (500, false),
    ]) func `RFC 9111 4.4: a non-error response has a status of 2xx or 3xx`(_ status: Int, _ isOne: Bool) {
        #expect(Invalidation.succeeded(HTTPResponse.Status(code: status)) == isOne)
        let targets = Invalidation.targets(request: HTTPRequest(.post, "/a"), response: HTTPResponse(status, lines: ""))
        #expect(targets == (isOne ? ["/a"] : []))
    }

    @Test(arguments: ["GET", "HEAD", "OPTIONS", "TRACE", "QUERY"]) func `A safe method invalidates nothing`(
        _ method: String
    ) throws {
        let method = try #require(HTTPRequest.Method(rawValue: method))
        let response = HTTPResponse(lines: "Location: /b")
        #expect(Invalidation.targets(request: HTTPRequest(method, "/a"), response: response).isEmpty)
    }

    /// The request is for `https://example.org/dir/a?q=1`.
    @Test(
        arguments: [
            ("/b", "/b"), ("/b?x=1", "/b?x=1"), ("b", "/dir/b"), ("../b", "/b"), ("../../../b", "/b"),
            ("./b/.", "/dir/b/"),
            ("?x=2", "/dir/a?x=2"), ("/b#part", "/b"), ("https://example.org/b", "/b"), ("HTTPS://EXAMPLE.org/b", "/b"),
            ("//example.org/b", "/b"), ("https://example.org", "/"), ("https://example.org?x", "/?x"),
            // The default port of the scheme may be omitted, and no other port.
            ("https://example.org:443/b", "/b"), ("https://example.org:/b", "/b"), ("https://example.org:80/b", nil),
            ("https://example.org:8443/b", nil), ("//example.org:443/b", "/b"), ("//example.org:80/b", nil),
            // "A cache MUST NOT trigger an invalidation under these conditions if the origin […] differs".
            ("http://example.org/b", nil), ("https://example.com/b", nil), ("//example.com/b", nil),
            ("https://user@example.org/b", nil), ("mailto:b", nil), ("https:b", nil),
        ] as [(String, String?)]
    ) func `RFC 9111 4.4: Location and Content-Location on the same origin are invalidated`(
        _ reference: String,
        _ target: String?
    ) {
        for name in ["Location", "Content-Location"] {
            let targets = Invalidation.targets(
                request: HTTPRequest(.post, "/dir/a?q=1"),
                response: HTTPResponse(201, lines: "\(name): \(reference)")
            )
            #expect(targets == ["/dir/a?q=1"] + (target.map { [$0] } ?? []))
        }
    }

    @Test func `A target is invalidated once, and a field with several values is ignored`() {
        let request = HTTPRequest(.put, "/a")
        func targets(_ lines: String) -> [String] {
            Invalidation.targets(request: request, response: HTTPResponse(lines: lines))
        }
        #expect(targets("Location: /a\nContent-Location: /a") == ["/a"])
        #expect(targets("Location: /b\nContent-Location: /c") == ["/a", "/b", "/c"])
        #expect(targets("Location: /b\nLocation: /c") == ["/a"])
    }
}
