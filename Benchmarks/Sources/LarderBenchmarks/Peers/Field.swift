import Foundation

/// The servers of a comparison, which are started when they are needed.
final class Field {
    let tools: Tools
    let origin: Origin
    private let programs: URL
    private let applications: URL
    private let certificate: Certificate?
    private var running: [RunningProxy] = []

    /// The body that every example API answers.
    static let user = (path: "/api/users/1", body: #"{"user":{"id":1,"name":"Cached User A"}}"#)

    /// Creates a field without servers.
    /// - Parameters:
    ///   - programs: The directory of larder, larder-demo and this program.
    ///   - applications: The directory of the applications in Python.
    init(tools: Tools, programs: URL, applications: URL) throws {
        (self.tools, self.programs, self.applications) = (tools, programs, applications)
        origin = try Origin()
        certificate = try? Certificate()
    }

    var gateway: URL { programs.appending(path: "larder") }
    var example: URL { programs.appending(path: "larder-demo") }

    /// Ends all servers that are running.
    func clear() {
        for server in running { server.end() }
        running = []
    }

    private func start(_ proxy: Proxy) throws -> RunningProxy {
        let server = try RunningProxy(proxy, origin: origin.port, cores: 0..<1)
        running.append(server)
        return server
    }
}

// MARK: - Proxies

extension Field {
    /// Starts a proxy in front of the origin; nil if its program is missing.
    /// - Parameter streams: The requests under way on a connection with TLS; nil without TLS.
    func proxy(_ name: String, streams: Int? = nil) throws -> Contestant? {
        let tls = streams == nil ? nil : certificate
        if streams != nil, tls == nil { return nil }
        let proxy: Proxy? =
            switch name {
            case "nginx": Proxy.nginx(in: tools, certificate: tls)
            case "Varnish": Proxy.varnish(in: tools)
            case "HAProxy": Proxy.haproxy(in: tools)
            default: Proxy.larder(gateway, options: ["--drain-delay", "0s"] + Self.options(for: tls))
            }
        guard let proxy else { return nil }
        return Contestant(
            name: name,
            servers: [try start(proxy)],
            path: "/",
            body: "",
            evidence: .counter { [origin] _ in origin.requests },
            transport: streams.map { .tls(streams: $0) } ?? .plain
        )
    }

    private static func options(for certificate: Certificate?) -> [String] {
        certificate.map { ["--certificate", $0.certificate, "--private-key", $0.key] } ?? []
    }
}

// MARK: - Applications

extension Field {
    /// Starts the example API, with a Redis for itself if it is to store responses there.
    func example(onRedis: Bool) throws -> Contestant {
        let redis = onRedis ? try start(.redis) : nil
        let program = example.path()
        let application = Proxy(name: "larder-demo", program: URL(filePath: "/usr/bin/env")) { port, _, _ in
            ["PORT=\(port)", "LOG_LEVEL=error"] + Self.variables(redis) + [program]
        }
        return Contestant(
            name: "example API",
            servers: [redis, try start(application)].compactMap(\.self),
            path: Self.user.path,
            body: Self.user.body,
            evidence: .head("; hit")
        )
    }

    /// Starts a Hummingbird server of this package, which answers with the same body as the example API: `/bare` from
    /// bytes that were made beforehand, `/cached` from the cache.
    func hummingbird() throws -> (bare: Contestant, cached: Contestant) {
        let program = URL(filePath: Bundle.main.executablePath ?? CommandLine.arguments[0])
        let server = try start(
            Proxy(name: "a bare Hummingbird route", program: program) { port, _, _ in
                ["serve", "--port", "\(port)", "--text", Self.user.body]
            }
        )
        func contestant(_ name: String, _ route: Route, _ evidence: Contestant.Evidence) -> Contestant {
            Contestant(name: name, servers: [server], path: route.path, body: Self.user.body, evidence: evidence)
        }
        return (
            bare: contestant("a bare Hummingbird route", .bare, .none),
            cached: contestant("cached route", .cached, .head("; hit"))
        )
    }

    /// Starts an application of FastAPI by uvicorn with one worker; nil if it is not installed.
    func fastAPI(_ name: String, module: String, onRedis: Bool) throws -> Contestant? {
        let python = tools.directory.appending(path: "python/bin/python")
        guard FileManager.default.isExecutableFile(atPath: python.path()) else { return nil }
        let redis = onRedis ? try start(.redis) : nil
        let applications = applications.path()
        let application = Proxy(name: name, program: URL(filePath: "/usr/bin/env")) { port, _, _ in
            ["PYTHONDONTWRITEBYTECODE=1"] + Self.variables(redis) + [
                python.path(), "-m", "uvicorn", "\(module):app", "--app-dir", applications, "--host", "127.0.0.1",
                "--port", "\(port)", "--workers", "1", "--loop", "uvloop", "--http", "httptools", "--no-access-log",
                "--log-level", "error",
            ]
        }
        return Contestant(
            name: name,
            servers: [redis, try start(application)].compactMap(\.self),
            path: Self.user.path,
            body: Self.user.body,
            evidence: .counter { port in
                // The number of times that the handler ran.
                guard let calls = Int(try Connection(port: port).get("/calls").body) else {
                    throw BenchmarkError(description: "\(name) does not count")
                }
                return calls
            }
        )
    }

    private static func variables(_ redis: RunningProxy?) -> [String] {
        redis.map { ["REDIS_URL=redis://127.0.0.1:\($0.port)"] } ?? []
    }
}
