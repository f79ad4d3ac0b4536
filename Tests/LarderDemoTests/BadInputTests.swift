import Configuration
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderDemo
import LarderTestSupport
import Logging
import Testing

@Suite(.timeLimit(.minutes(10))) struct BadInputTests {
    static let bodies: [(HTTPRequest.Method, String, String)] = [
        (.put, "/api/users/1", "{"), (.put, "/api/users/1", ""), (.put, "/api/users/1", #"{"nam":"x"}"#),
        (.put, "/api/users/1", #"{"name":1}"#), (.put, "/api/users/1", #"{"name":null}"#),
        (.put, "/api/users/1", #"{"name":"  "}"#), (.put, "/api/users/1", "[]"),
        (.post, "/api/posts/", #"{"title":["x"]}"#), (.post, "/api/posts/", #"{"name":"x"}"#),
        (.post, "/api/posts/", #"{"title":""}"#),
        (.put, "/api/users/1", #"{"name":""# + String(repeating: "x", count: 20_000) + #""}"#),
        (.put, "/api/users/007", #"{"name":"x"}"#), (.patch, "/api/posts/", "{}"), (.delete, "/api/users/1", ""),
    ]

    @Test(arguments: bodies) func `An invalid write gets a 4xx in JSON and does not invalidate anything`(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: String
    ) async throws {
        try await withAPI { client, _ in
            for path in ["/api/users/1", "/api/posts/"] { _ = try await client.send(.get, path) }
            let response = try await client.send(method, path, body: body)
            #expect(response.status.kind == .clientError)
            #expect(response.text.hasPrefix(#"{"message":""#))
            for path in ["/api/users/1", "/api/posts/"] { #expect(try await client.send(.get, path).isHit) }
        }
    }

    @Test(arguments: [
        "/api/users/0", "/api/users/-1", "/api/users/+7", "/api/users/007", "/api/users/1.0", "/api/users/a",
        "/api/users/%31", "/api/users/99999999999999999999", "/api/users/", "/nothing",
    ]) func `An invalid path gets a 4xx in JSON and is not cached`(_ path: String) async throws {
        try await withAPI { client, _ in
            // The first round runs with an empty cache, the second with two stored users.
            for stored in [0, 2] {
                let response = try await client.send(.get, path)
                #expect(response.status.kind == .clientError)
                #expect(response.text.hasPrefix(#"{"message":""#))
                #expect(try await client.metrics().totalCachedKeys == stored)
                for path in ["/api/users/1", "/api/users/7"] { _ = try await client.send(.get, path) }
            }
        }
    }

    @Test func `With a token set, the admin routes require it, and do not reveal anything about keys`() async throws {
        let token = "0123456789abcdef"
        try await withAPI(token: token) { client, _ in
            _ = try await client.send(.get, "/api/posts/")
            let requests: [(HTTPRequest.Method, String)] = [
                (.get, "/metrics/cache"), (.delete, "/api/invalidate/GET:/api/posts/"),
                (.delete, "/api/invalidate/GET:/nothing"),
            ]
            for (method, path) in requests {
                for sent in [nil, "Bearer wrong-wrong-wrong", "Basic \(token)", "Bearer \(token)x", token] {
                    let fields: HTTPFields = sent.map { [.authorization: $0] } ?? [:]
                    let response = try await client.send(method, path, fields)
                    #expect(response.status == .unauthorized && response.headers[.wwwAuthenticate] == "Bearer")
                    #expect(
                        response.text
                            == #"{"message":"This route needs the admin token: send Authorization: Bearer <token>"}"#
                    )
                }
            }
            let right: HTTPFields = [.authorization: "bearer \(token)"]
            #expect(try await client.send(.get, "/metrics/cache", right).status == .ok)
            #expect(try await client.send(.delete, "/api/invalidate/GET:/api/posts/", right).status == .ok)
        }
    }

    @Test(arguments: ["Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"])
    func `Without a token, the admin routes refuse requests that came through a proxy`(_ field: String) async throws {
        try await withAPI { client, _ in
            let response = try await client.send(.get, "/metrics/cache", [HTTPField.Name(field)!: "1.2.3.4"])
            #expect(response.status == .forbidden)
            #expect(response.text.contains("a request from this machine to a loopback host, without a proxy"))
            #expect(try await client.send(.get, "/metrics/cache").status == .ok)
        }
    }

    @Test(
        arguments: [
            (["HOST": ""], "HOST is empty"), (["PORT": "x"], "PORT=x is invalid"),
            (["PORT": "70000"], "PORT=70000 is invalid"),
            (["PORT": ""], "PORT is empty"), (["LARDER_ADMIN_TOKEN": "short"], "LARDER_ADMIN_TOKEN is invalid"),
            (["LARDER_MEMORY_LIMIT": "lots"], "LARDER_MEMORY_LIMIT=lots is invalid"),
            (["LARDER_MEMORY_LIMIT": "1KiB"], "LARDER_MEMORY_LIMIT=1KiB is invalid"),
            (["LOG_LEVEL": "loud"], "LOG_LEVEL=loud is invalid"),
            (["LARDER_ADMIN_ACCESS": "all"], "LARDER_ADMIN_ACCESS=all is invalid: expected `token` or `loopback`"),
            (
                ["LARDER_ADMIN_ACCESS": "loopback", "HOST": "0.0.0.0"],
                "LARDER_ADMIN_ACCESS=loopback needs a server that other machines cannot reach"
            ),
            (
                ["LARDER_ADMIN_ACCESS": "loopback", "HOST": "127.0.0.example"],
                "LARDER_ADMIN_ACCESS=loopback needs a server that other machines cannot reach"
            ),
        ] as [([String: String], String)]
    )
    func `A wrong configuration is reported in one line`(_ variables: [String: String], _ start: String) {
        let reader = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: variables))
        do {
            _ = try DemoConfiguration(reading: reader)
            Issue.record("It was taken")
        } catch {
            #expect(error.description.hasPrefix(start))
            #expect(!error.description.contains("\n") && !error.description.contains("short"))
        }
    }

    @Test func `A valid configuration is accepted`() throws {
        let variables = [
            "HOST": "0.0.0.0", "PORT": "0", "LARDER_ADMIN_TOKEN": "0123456789abcdef", "LARDER_MEMORY_LIMIT": "4MiB",
            "LOG_LEVEL": "debug",
        ]
        let configuration = try DemoConfiguration(
            reading: ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: variables))
        )
        #expect(configuration.host == "0.0.0.0" && configuration.port == 0 && configuration.adminToken != nil)
        #expect(configuration.memoryLimit == .mebibytes(4) && configuration.logLevel == .debug)
        #expect(configuration.adminAccess == .token)
    }
}
