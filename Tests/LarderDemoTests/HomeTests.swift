import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

/// The start page of the example API, and its dashboard.
@Suite(.timeLimit(.minutes(5))) struct HomeTests {
    @Test func `The start page is HTML for browsers and JSON for others, and says what there is`() async throws {
        try await withPort { port in
            let json = try await Wire.send("GET", "/", to: port)
            #expect(json.status == 200 && json.fields[.contentType] == "application/json; charset=utf-8")
            let accept = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
            let html = try await Wire.send("GET", "/", [accept], to: port)
            #expect(html.status == 200 && html.fields[.contentType] == "text/html; charset=utf-8")
            for answer in [json, html] {
                #expect(answer.fields[.vary] == "Accept")
                for path in ["/api/users/{id}", "/api/posts/", "/api/invalidate/{key}", "/metrics/cache", "/larder"] {
                    #expect(answer.text.contains(path))
                }
            }
            #expect(html.text.contains("curl -i http://localhost/api/posts/"))
        }
    }

    @Test func `The start page shows the host that a request names as text`() async throws {
        try await withPort { port in
            let host = "Host: a<b>&c"
            let answer = try await Wire.send("GET", "/", [host, "Accept: text/html"], to: port)
            #expect(answer.status == 400 || !answer.text.contains("<b>"))
        }
    }

    @Test func `The dashboard is at /larder, with an example that is cached`() async throws {
        try await withPort { port in
            let answer = try await Wire.send("GET", "/larder", to: port)
            #expect(answer.status == 200 && answer.text.contains("data-example=\"/api/posts/\""))
        }
    }
}
