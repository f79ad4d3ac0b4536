import Foundation
import LarderDemo
import LarderTestSupport
import NIOCore
import NIOPosix
import TestHelpers
import Testing

/// Tests of the program as a user starts it.
@Suite(.timeLimit(.minutes(5))) struct ProcessTests {
    @Test func `The program listens, answers, and exits with status 0 on SIGTERM`() async throws {
        let port = try FreePort.take()
        let environment = ["PORT": "\(port)", "LARDER_ADMIN_ACCESS": "loopback"]
        try await ProgramProcess.run("larder-demo", environment: environment) { demo in
            try await demo.listens(on: port)
            let posts = [
                try await Wire.send("GET", "/api/posts/", to: port),
                try await Wire.send("GET", "/api/posts/", to: port),
            ]
            #expect(posts.map(\.text) == [SpecificationTests.posts, SpecificationTests.posts])
            #expect(posts.map(\.isHit) == [false, true])
            let put = try await Wire.send("PUT", "/api/users/1", body: #"{"name":"New"}"#, to: port)
            #expect(put.status == 200)
            let user = try await Wire.send("GET", "/api/users/1", to: port)
            #expect(user.text == #"{"user":{"id":1,"name":"New"}}"# && !user.isHit)
            let metrics = try await Wire.metrics(of: port)
            #expect(metrics.hits == 1 && metrics.misses == 2 && metrics.totalCachedKeys == 2)
            demo.signal(SIGTERM)
            let status = try await demo.status()
            #expect(status == 0)
            #expect(demo.output.contains("listening on 127.0.0.1:\(port)"))
        }
    }

    @Test func `A request in progress on SIGTERM is answered before the program exits`() async throws {
        let port = try FreePort.take()
        try await ProgramProcess.run("larder-demo", environment: ["PORT": "\(port)", "LOG_LEVEL": "debug"]) { demo in
            try await demo.listens(on: port)
            try await Wire.open(to: port) { wire in
                try await wire.send("POST", "/api/posts/", ["Content-Length: 13"])
                try await eventually("the request has come: \(demo.output)") { demo.output.contains("/api/posts/") }
                demo.signal(SIGTERM)
                try await eventually("it does not accept connections any more") {
                    (try? await Wire.open(to: port) { _ in true }) == nil
                }
                try await wire.send(bytes: Array(#"{"title":"x"}"#.utf8))
                let answer = try await wire.answer()
                #expect(answer.status == 200 && answer.text == #"{"message":"Post created"}"#)
            }
            let status = try await demo.status()
            #expect(status == 0)
        }
    }

    @Test(arguments: [
        (["PORT": "http"], "larder-demo: PORT=http is invalid: expected a port from 0 to 65535"),
        (["PORT": "65536"], "larder-demo: PORT=65536 is invalid: expected a port from 0 to 65535"),
        (["HOST": ""], "larder-demo: HOST is empty: leave it out, or give a host name or an address"),
        (
            ["HOST": "0.0.0.0", "LARDER_ADMIN_ACCESS": "loopback"],
            "larder-demo: LARDER_ADMIN_ACCESS=loopback needs a server that other machines cannot reach, but they can reach "
                + "HOST=0.0.0.0: set LARDER_ADMIN_TOKEN, or listen on 127.0.0.1"
        ),
    ]) func `A wrong environment is reported in one line with the status EX_CONFIG`(
        _ environment: [String: String],
        _ line: String
    ) async throws {
        try await ProgramProcess.run("larder-demo", environment: environment) { demo in
            let status = try await demo.status()
            #expect(status == EX_CONFIG)
            #expect(demo.output == line + "\n")
        }
    }

    @Test(arguments: [["--port", "8081"], ["--help"]])
    func `An argument is reported in one line with the status EX_USAGE`(_ arguments: [String]) async throws {
        try await ProgramProcess.run("larder-demo", arguments) { demo in
            let status = try await demo.status()
            #expect(status == EX_USAGE)
            let start = "larder-demo: unexpected argument \(arguments[0]): the program takes none, and is configured"
            #expect(demo.output.hasPrefix(start) && demo.output.contains("PORT"), "\(demo.output)")
            #expect(demo.output.count { $0 == "\n" } == 1, "\(demo.output)")
        }
    }

    @Test func `An unknown variable that begins with LARDER_ causes a warning`() {
        let environment = ["LARDER_MEMROY_LIMIT": "1GiB", "LARDER_NAMESPACE": "a:", "HOME": "/", "PORTS": "1"]
        let warnings = DemoConfiguration.warnings(environment)
        #expect(
            warnings == [
                "LARDER_MEMROY_LIMIT is not read: this program knows LARDER_ADMIN_ACCESS, LARDER_ADMIN_TOKEN, "
                    + "LARDER_MEMORY_LIMIT, LARDER_NAMESPACE"
            ]
        )
    }

    @Test func `A port in use is reported in one line with the status EX_UNAVAILABLE`() async throws {
        let taken = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(taken.localAddress?.port)
        try await ProgramProcess.run("larder-demo", environment: ["PORT": "\(port)"]) { demo in
            let status = try await demo.status()
            #expect(status == EX_UNAVAILABLE)
            let lines = demo.output.split(separator: "\n").filter { $0.hasPrefix("larder-demo: ") }
            #expect(lines.count == 1 && lines[0].hasPrefix("larder-demo: cannot listen on 127.0.0.1:\(port): "))
        }
        try await taken.close()
    }

    @Test func `A host that does not exist is reported in one line with the status EX_UNAVAILABLE`() async throws {
        let environment = ["HOST": "host.invalid", "PORT": "0", "LARDER_ADMIN_TOKEN": "0123456789abcdef"]
        try await ProgramProcess.run("larder-demo", environment: environment) { demo in
            let status = try await demo.status()
            #expect(status == EX_UNAVAILABLE)
            let lines = demo.output.split(separator: "\n").filter { $0.hasPrefix("larder-demo: ") }
            #expect(lines.count == 1 && lines[0].hasPrefix("larder-demo: cannot listen on host.invalid:0: "))
            #expect(!demo.output.contains("0123456789abcdef"))
        }
    }
}
