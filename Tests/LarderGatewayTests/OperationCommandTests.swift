import Foundation
import TestHelpers
import Testing

/// The commands of the admin API against programs that run: a gateway on either store, and the example API.
@Suite(.timeLimit(.minutes(5))) struct OperationCommandTests {
    private static let token = "a-token-of-the-test"

    /// Runs commands for an admin API in a folder.
    private struct Shell {
        let url: String
        let folder: URL

        /// Runs a command line, and checks its exit status.
        func callAsFunction(_ command: String, _ expected: Int32 = 0) async throws -> String {
            let environment = ["LARDER_ADMIN_URL": url, "LARDER_ADMIN_TOKEN": OperationCommandTests.token]
            let (status, output) = try await LarderCommandLine.run(command, environment, in: folder)
            #expect(status == expected, "\(command): \(status): \(output)")
            return output
        }

        /// Returns the keys of the entries.
        func keys(_ conditions: String = "") async throws -> [String] {
            // That nothing was found is said on standard error.
            let output = try await LarderCommandLine.run(
                "larder ls --json \(conditions) 2>/dev/null",
                ["LARDER_ADMIN_URL": url, "LARDER_ADMIN_TOKEN": OperationCommandTests.token]
            ).output
            struct List: Decodable {
                struct Entry: Decodable { let key: String }
                let entries: [Entry]
            }
            return try JSONDecoder().decode(List.self, from: Data(output.utf8)).entries.map(\.key).sorted()
        }
    }

    /// Runs a gateway before an origin whose responses have tags, and may be served stale.
    private static func withGateway(
        _ store: String,
        _ options: [String] = [],
        token: String? = token,
        _ test: @Sendable (Shell, Int, ScriptedOrigin) async throws -> Void
    ) async throws {
        try await ScriptedOrigin.answering { request in
            switch request.target {
            case "/none": return answer("200 OK", ["Cache-Control: no-store"], "none")
            case "/fail": return answer("503 Service Unavailable", [], "fail")
            default:
                let language = request["Accept-Language"] ?? "none"
                let fields = [
                    "Cache-Control: max-age=600, stale-while-revalidate=600", "Surrogate-Key: posts lang-\(language)",
                    "Vary: Accept-Language",
                ]
                return answer("200 OK", fields, "body of \(request.target)")
            }
        } _: { origin in
            let port = try FreePort.take()
            let arguments = [
                "serve", "--origin", origin.url, "--listen", "127.0.0.1:\(port)", "--store", store, "--connect-timeout",
                "60s", "--drain-delay", "0s",
            ]
            let environment = token.map { ["LARDER_ADMIN_TOKEN": $0] } ?? [:]
            try await ProgramProcess.run("larder", arguments + options, environment: environment) { gateway in
                try await gateway.listens(on: port)
                try await LarderCommandLine.withFolder { folder in
                    let shell = Shell(url: "http://127.0.0.1:\(port)/-/larder", folder: folder)
                    try await test(shell, port, origin)
                }
            }
        }
    }

    @Test(arguments: [false, true]) func `A day of work with a gateway`(_ usesRedis: Bool) async throws {
        guard usesRedis else { return try await Self.withGateway("memory") { try await Self.work($0, $1, $2) } }
        try await RedisProcess.run { redis in
            try await Self.withGateway("redis://127.0.0.1:\(redis.port)") { try await Self.work($0, $1, $2) }
        }
    }

    @Sendable private static func work(_ shell: Shell, _ port: Int, _ origin: ScriptedOrigin) async throws {
        let host = "http://127.0.0.1:\(port)"
        let none = try await shell("larder ls", 1)
        #expect(none == "larder: no entry was found\n")

        let list = "/posts/1\n/posts/2\n/posts/3?page=2\n/other\n/none\n"
        try Data(list.utf8).write(to: shell.folder.appending(path: "urls"))
        let first = try await shell("larder warm urls --concurrency 2 --rate 500")
        #expect(first.contains("5 URLs requested in ") && first.contains(": 4 stored, 1 not stored\n"), "\(first)")
        #expect(first.hasSuffix("\n  Not stored: no-store 1\n"), "\(first)")
        let second = try await shell("larder warm urls")
        #expect(second.contains(": 4 stored before, 1 not stored\n"), "\(second)")
        let failed = try await shell("echo /fail | larder warm -", 1)
        #expect(failed.contains(": 1 failed\n  Failed: \(host)/fail 503"), "\(failed)")
        _ = try await shell("echo /posts/1 | larder warm - -H 'Accept-Language: de'")
        #expect(origin.requests.count { $0.target == "/posts/1" } == 2)

        let all = ["/other", "/posts/1", "/posts/2", "/posts/3?page=2"].map { "GET:\(host)\($0)" }
        #expect(try await shell.keys() == all)
        #expect(try await shell.keys("--prefix /posts") == Array(all[1...]))
        #expect(try await shell.keys("--path /posts/3") == [all[3]])
        #expect(try await shell.keys("--tag lang-de") == [all[1]])
        #expect(try await shell.keys("--match page=2") == [all[3]])
        let table = try await shell("larder ls --path /posts/1")
        let row = try #require(table.split(separator: "\n").last)
        #expect(row.hasPrefix(all[1] + "         2  ") && row.hasSuffix("posts lang-de lang-none"), "\(table)")

        let german = try await shell("larder inspect \(host)/posts/1 -H 'Accept-Language: de'")
        #expect(german.contains("Variant 2 of 2") && german.contains("  decision   hit (fresh): "), "\(german)")
        #expect(german.contains("accept-language") && german.contains("lang-de"), "\(german)")
        let french = try await shell("larder inspect '\(all[1])' -H 'Accept-Language: fr'")
        #expect(french.contains("  decision   miss (vary-miss): "), "\(french)")

        let statistics = try await shell("larder stats")
        for part in [
            "Larder ", "hit ratio ", "  hit ", "  miss ", "Store ", "Not stored   no-store 2", "  \(origin.url) ",
        ] {
            #expect(statistics.contains(part), "\(part) is not in \(statistics)")
        }
        let top = try await shell("larder top --once --limit 2")
        #expect(top.contains("REQUESTS") && top.contains("GET:\(host)/"), "\(top)")
        for (kind, name) in [("routes", "**"), ("tags", "posts"), ("origins", origin.url)] {
            let rows = try await shell("larder top --of \(kind)")
            #expect(rows.contains("  " + name) || rows.contains("ROUTE"), "\(kind): \(rows)")
        }

        try await purge(shell, host, all)
    }

    private static func purge(_ shell: Shell, _ host: String, _ all: [String]) async throws {
        let dry = try await shell("larder purge --prefix /posts --path /other --dry-run")
        #expect(dry.hasPrefix("4 entries would be removed.\n"), "\(dry)")
        #expect(
            dry.contains("\n  paths     /other        1\n") && dry.contains("\n  prefixes  /posts        3\n"),
            "\(dry)"
        )
        #expect(try await shell.keys() == all)
        let soft = try await shell("larder purge --all-tags posts,lang-de --soft")
        #expect(soft == "1 entry is stale now.\n", "\(soft)")
        let stale = try await shell("larder inspect \(host)/posts/1 -H 'Accept-Language: de'")
        #expect(stale.contains("  decision   stale (stale-while-revalidate): "), "\(stale)")
        let removed = try await shell("larder purge \(host)/posts/1 '\(all[2])'")
        #expect(removed.hasPrefix("2 entries were removed.\n"), "\(removed)")
        #expect(try await shell.keys() == [all[0], all[3]])
        let absent = try await shell("larder inspect \(host)/posts/1", 1)
        #expect(absent == "larder: error: nothing is stored for \(host)/posts/1\n", "\(absent)")
        let warmed = try await shell("larder purge --path /posts/3 --warm")
        #expect(warmed.hasPrefix("1 entry was removed.\n1 URL requested: 1 stored\n"), "\(warmed)")
        let everything = try await shell("larder purge --everything --json")
        #expect(everything.contains("\"matched\" : 2"), "\(everything)")
        _ = try await shell("larder purge --everything", 1)
        #expect(try await shell.keys() == [])
    }

    @Test func `A gateway whose Redis is down queues a purge, and says so`() async throws {
        try await RedisProcess.run { redis in
            try await Self.withGateway("redis://127.0.0.1:\(redis.port)") { shell, _, _ in
                _ = try await shell("echo /posts/1 | larder warm -")
                redis.kill()
                let output = try await shell("larder purge --path /posts/1", 1)
                #expect(output.hasPrefix("The invalidation is queued: "), "\(output)")
                let list = try await shell("larder ls", 1)
                #expect(list.hasPrefix("larder: error: The store cannot be reached"), "\(list)")
                let statistics = try await shell("larder stats")
                #expect(statistics.contains("Redis        down") && statistics.contains("1 invalidation pending"))
            }
        }
    }

    @Test func `The API on a socket needs no token`() async throws {
        try await LarderCommandLine.withFolder { folder in
            let socket = folder.appending(path: "l.sock").path
            let options = ["--admin-listen", "unix://\(socket)"]
            try await Self.withGateway("memory", options, token: nil) { shell, port, _ in
                _ = try await Wire.send("GET", "/posts/1", to: port)
                let output = try await shell("LARDER_ADMIN_TOKEN= larder ls --url unix://\(socket)")
                #expect(output.contains("/posts/1"), "\(output)")
                // The other address has no admin routes.
                let other = try await shell("larder ls", EX_UNAVAILABLE)
                #expect(other.contains("has no admin API of Larder (status 404)"), "\(other)")
            }
        }
    }

    @Test func `The example API is asked by paths`() async throws {
        let port = try FreePort.take()
        let environment = ["PORT": "\(port)", "LARDER_ADMIN_TOKEN": Self.token]
        try await ProgramProcess.run("larder-demo", environment: environment) { example in
            try await example.listens(on: port)
            let shell = Shell(url: "http://127.0.0.1:\(port)/larder", folder: FileManager.default.temporaryDirectory)
            let warmed = try await shell("printf '/api/posts/\\nhttp://shop.example/api/users/1\\n' | larder warm -")
            #expect(warmed.contains(": 2 stored\n"), "\(warmed)")
            #expect(try await shell.keys() == ["GET:/api/posts/", "GET:/api/users/1"])
            let entry = try await shell("larder inspect GET:/api/posts/")
            #expect(entry.contains("  decision   hit (fresh): "), "\(entry)")
            let statistics = try await shell("larder stats")
            #expect(statistics.contains("  miss ") && !statistics.contains("ORIGIN "), "\(statistics)")
            let refused = try await shell("larder purge http://127.0.0.1:\(port)/api/posts/", EX_USAGE)
            #expect(refused.hasPrefix("larder: error: "), "\(refused)")
            let purged = try await shell("larder purge --path /api/posts/ --warm")
            #expect(purged.hasPrefix("1 entry was removed.\n1 URL requested: 1 stored"), "\(purged)")
        }
    }
}
