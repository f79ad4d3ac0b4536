import HTTPTypes
import Hummingbird
import NIOCore

/// The start page, which says what there is: HTML for browsers, and JSON for everything else.
struct Home: Sendable {
    /// A route, for people.
    struct Route: ResponseCodable, Sendable {
        let method: String
        let path: String
        let does: String
    }

    /// The routes of the example API.
    static let routes = [
        Route(method: "GET", path: "/api/users/{id}", does: "Returns a user. The response is stored for 120 seconds."),
        Route(method: "PUT", path: "/api/users/{id}", does: "Renames a user, and invalidates the stored response."),
        Route(method: "GET", path: "/api/posts/", does: "Returns the posts. The response is stored for 90 seconds."),
        Route(method: "POST", path: "/api/posts/", does: "Adds a post, and invalidates the stored responses."),
        Route(method: "DELETE", path: "/api/invalidate/{key}", does: "Removes a key, such as GET:/api/posts/."),
        Route(
            method: "GET",
            path: "/metrics/cache",
            does: "Returns hits, misses, and the keys that are requested most."
        ),
        Route(method: "GET", path: "/larder", does: "Shows the cache at work, in a browser."),
        Route(method: "GET", path: "/docs", does: "Documents these routes; /openapi.json is the same for programs."),
    ]

    @Sendable func show(_ request: Request, context: DemoRequestContext) throws -> Response {
        let isForBrowser = request.headers[values: .accept].contains { $0.lowercased().contains("text/html") }
        var response =
            try isForBrowser ? page(request) : ["routes": Self.routes].response(from: request, context: context)
        response.headers[.vary] = "Accept"
        return response
    }

    private func page(_ request: Request) -> Response {
        let policy =
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
        var fields: HTTPFields = [.contentType: "text/html; charset=utf-8", .xContentTypeOptions: "nosniff"]
        if let name = HTTPField.Name("Content-Security-Policy") { fields[name] = policy }
        return Response(
            status: .ok,
            headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(string: Self.html(request.head.authority ?? "127.0.0.1:8080")))
        )
    }

    private static func html(_ authority: String) -> String {
        let origin =
            "http://"
            + authority.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>The example API of Larder</title>
            <link rel="icon" href="data:,">
            <style>
            :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
            html { background: light-dark(#fff, #14161a); color: light-dark(#1b1e24, #e4e7ec); }
            body { max-width: 50rem; margin: 0 auto; padding: 2rem 1rem; }
            table { border-collapse: collapse; width: 100%; }
            th, td { text-align: left; vertical-align: top; padding: .375rem .75rem .375rem 0; }
            td { border-top: 1px solid #8884; }
            code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
            pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .75rem; background: #8882; }
            pre { border-radius: .5rem; }
            a { color: light-dark(#0a62b5, #74b6ff); }
            </style>
            </head>
            <body>
            <main>
            <h1>The example API of Larder</h1>
            <p>An API of users and posts, with a cache. <a href="/larder">The dashboard</a> shows the cache at work.
            Requests for the routes below appear there.</p>
            <table>
            <thead><tr><th scope="col">Route</th><th scope="col">What it does</th></tr></thead>
            <tbody>
            \(routes.map(row).joined(separator: "\n"))
            </tbody>
            </table>
            <h2>Try it</h2>
            <pre>curl -i \(origin)/api/posts/    # a miss, which is stored
            curl -i \(origin)/api/posts/    # a hit: see Cache-Status
            curl -X POST -d '{"title":"New Post A"}' \(origin)/api/posts/
            curl -i \(origin)/api/posts/    # a miss, with the new post</pre>
            </main>
            </body>
            </html>

            """
    }

    private static func row(_ route: Route) -> String {
        let isLink = route.method == "GET" && !route.path.contains("{")
        let path = isLink ? "<a href=\"\(route.path)\">\(route.path)</a>" : route.path
        return "<tr><td><code>\(route.method) \(path)</code></td><td>\(route.does)</td></tr>"
    }
}
