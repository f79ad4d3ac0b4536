import Foundation
import LarderTestSupport
import NIOCore
import NIOPosix
import TestHelpers
import Testing

/// How commands reach the admin API, and what they say if they do not.
@Suite(.timeLimit(.minutes(5))) struct AdminConnectionTests {
    private static let page =
        #"{"entries":[{"key":"GET:/a","target":"/a","variants":1,"size":1,"age":1,"ttl":1,"#
        + #""stored_for":1,"tags":[]}]}"#

    @Test(arguments: ["stats", "top --once", "ls", "inspect GET:/a", "purge GET:/a", "warm /dev/null"])
    func `A server that cannot be reached ends a command with 69 and advice`(_ command: String) async throws {
        let port = try FreePort.take()
        let url = "http://127.0.0.1:\(port)/-/larder"
        let (status, output) = try await LarderCommandLine.run("larder \(command) --url \(url)")
        let expected =
            "larder: error: \(url) cannot be reached: the connection was refused, so no server listens on this "
            + "address; --url or LARDER_ADMIN_URL names another address\n"
        #expect(status == EX_UNAVAILABLE && output == expected, "\(status): \(output)")
    }

    @Test func `A missing and a wrong token end with 77 and say where the token is from`() async throws {
        try await ScriptedAdmin.run({ _ in .init(body: Self.page) }) { admin in
            let url = admin.origin.url + ScriptedAdmin.prefix
            let missing = try await admin.run("larder ls", ["LARDER_ADMIN_TOKEN": ""])
            #expect(missing.status == EX_NOPERM, "\(missing.output)")
            let advice = "set LARDER_ADMIN_TOKEN, or name a file with --token-file"
            #expect(missing.output == "larder: error: \(url) needs a token: \(advice)\n")
            let wrong = try await admin.run("larder ls", ["LARDER_ADMIN_TOKEN": "another-token-of-the-test"])
            #expect(wrong.status == EX_NOPERM)
            #expect(wrong.output.hasPrefix("larder: error: \(url) refuses the token of LARDER_ADMIN_TOKEN"))
        }
    }

    @Test func `A token file takes precedence over the variable, and may end with a line end`() async throws {
        try await LarderCommandLine.withFolder { folder in
            try Data("\(ScriptedAdmin.token)\n".utf8).write(to: folder.appending(path: "token"))
            try Data("two words\n".utf8).write(to: folder.appending(path: "wrong"))
            try await ScriptedAdmin.run({ _ in .init(body: Self.page) }) { admin in
                let environment = ["LARDER_ADMIN_TOKEN": "another-token-of-the-test"]
                let (status, output) = try await admin.run("larder ls --token-file token", environment, in: folder)
                #expect(status == 0 && output.contains("GET:/a"), "\(output)")
                let wrong = try await admin.run("larder ls --token-file wrong", environment, in: folder)
                let message = "larder: error: wrong has no token: expected one line of visible ASCII characters\n"
                #expect(wrong.status == EX_DATAERR && wrong.output == message, "\(wrong.output)")
                let absent = try await admin.run("larder ls --token-file absent", environment, in: folder)
                #expect(absent.status == EX_NOINPUT, "\(absent.output)")
                #expect(absent.output.hasPrefix("larder: error: the token file absent cannot be read: "))
                #expect(admin.requests.count == 1)
            }
        }
    }

    @Test func `The command line cannot give a token`() async throws {
        let (status, output) = try await LarderCommandLine.run("larder ls --token abc --admin-token abc")
        #expect(status == EX_USAGE && output.contains("Unknown option"), "\(output)")
    }

    @Test(arguments: [
        (
            "404 Not Found", "text/html", "<html>", 69,
            "has no admin API of Larder (status 404): give the address with its path"
        ),
        (
            "404 Not Found", "application/json", #"{"message":"There is no such route"}"#, 69,
            "has no admin API of Larder"
        ),
        (
            "200 OK", "text/html", "<html>", 69,
            "does not answer like an admin API of Larder of this version: the answer is"
        ),
        (
            "200 OK", "application/json", #"{"entries":{}}"#, 69,
            "of this version: the member entries is not what it should"
        ),
        ("200 OK", "application/json", "{}", 69, "of this version: the member entries is missing"),
        ("302 Found", "text/html", "", 69, "redirects: give the address itself"),
        ("403 Forbidden", "application/problem+json", #"{"detail":"Not from here"}"#, 77, "the request: Not from here"),
        ("403 Forbidden", "text/html", "", 77, "refuses the request: status 403"),
        (
            "400 Bad Request", "application/problem+json", #"{"detail":"prefix: a path"}"#, 64,
            "larder: error: prefix: a path"
        ),
        (
            "501 Not Implemented", "application/problem+json", #"{"detail":"It cannot list"}"#, 1,
            "larder: error: It cannot"
        ),
        (
            "503 Service Unavailable", "application/problem+json", #"{"detail":"\u001b[2JIt"}"#, 1,
            #"error: \u{1B}[2JIt"#
        ),
    ]) func `An answer that is not a list ends with a message and a status`(
        _ status: String,
        _ type: String,
        _ body: String,
        _ expected: Int,
        _ message: String
    ) async throws {
        try await ScriptedAdmin.run({ _ in .init(status: status, type: type, body: body) }) { admin in
            let (status, output) = try await admin.run("larder ls")
            #expect(Int(status) == expected && output.contains(message), "\(status): \(output)")
            #expect(output.hasPrefix("larder: error: ") && output.count { $0 == "\n" } == 1)
        }
    }

    @Test func `A server that does not answer in time ends with 69`() async throws {
        let gate = Gate()
        defer { gate.open() }
        try await ScriptedAdmin.run { _ in
            await gate.pass()
            return .init(body: Self.page)
        } _: { admin in
            let (status, output) = try await admin.run("larder ls --timeout 200ms")
            #expect(status == EX_UNAVAILABLE && output.contains("did not answer within 200 ms: "), "\(output)")
            gate.open()
        }
    }

    @Test(arguments: [
        (
            "larder ls --url ftp://a",
            "--url is invalid: expected a URL such as http://127.0.0.1:8000/-/larder, or unix://"
        ),
        ("larder ls --url http://user:pass@127.0.0.1", "--url is invalid: "),
        ("larder ls --url unix://run", "--url is"),
        ("larder ls --url http://a/b?c", "--url is invalid: "),
        ("LARDER_ADMIN_URL=nowhere larder ls", "LARDER_ADMIN_URL is invalid: expected a URL such as http"),
        ("larder ls --timeout 5", "--timeout is invalid: expected a number and a unit"),
        ("larder ls --timeout 0s", "--timeout is invalid: "),
        ("larder ls --limit 0", "--limit is invalid: expected a num"),
        ("larder ls --prefix a", "--prefix is invalid: expected a path that begins with /"),
        ("larder ls --path http://a/", "--path is invalid: expected a path that begins with /"),
        ("larder stats --window 2h", "--window is invalid: expected a time from 5s to 1h"),
        ("larder inspect", "Missing expected argu"),
        ("larder inspect /a", "/a is neither a key nor a URL: expected one such as GET:/api/posts/ or http"),
        ("larder inspect GET:/a -H nothing", "--header is invalid: expected a field such as 'Accept: text/html'"),
        ("larder purge", "nothing is named: give a key or URL, --path, --prefix, --tag, --all-tags or --everything"),
        ("larder purge /a", "/a is neither a key nor a URL"),
        ("larder purge --path a", "--path is invalid: expected a"),
        ("larder purge --all-tags a", "--all-tags is invalid: expected 2 to 8 tags such as posts,lang-de, not a"),
        ("larder purge --tag a --warm --dry-run", "--warm changes entries, which --dry-run does not do"),
        ("larder top --limit 0", "--limit is invalid: expected 1 to 100"),
        ("larder top --of users", "'users' is invalid"),
        ("larder top --interval 1ms", "--interval is invalid: "), ("larder warm", "Missing expected argument"),
        ("larder warm - -", "standard input can be read once"),
        ("larder warm a --rate 0", "--rate is invalid: expected"),
        ("larder warm a --concurrency 33", "--concurrency is invalid: expected a number from 1 to 32"),
        ("larder warm a --base shop.example", "--base is invalid: expected scheme, host and port such as https://shop"),
        ("larder warm a --base http://a/b", "--base is invalid: "), ("larder warm a --limit 0", "--limit is invalid: "),
    ]) func `A wrong command line ends with 64 and says what was expected`(
        _ command: String,
        _ message: String
    ) async throws {
        let (status, output) = try await LarderCommandLine.run(command)
        #expect(status == EX_USAGE && output.contains(message), "\(status): \(output)")
    }

    @Test(arguments: ["unix://", "http+unix://"]) func `The API on a Unix socket is asked with a loopback host`(
        _ scheme: String
    ) async throws {
        try await LarderCommandLine.withFolder { folder in
            let socket = folder.appending(path: "l.sock").path
            let (heads, head) = AsyncStream.makeStream(of: String.self)
            let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .bind(unixDomainSocketPath: socket) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await server.executeThenClose { clients in
                        for try await client in clients {
                            try await client.executeThenClose { inbound, outbound in
                                for try await part in inbound {
                                    head.yield(String(buffer: part))
                                    let fields = ["Content-Type: application/json"]
                                    try await outbound.write(ByteBuffer(string: answer("200 OK", fields, Self.page)))
                                }
                            }
                        }
                    }
                }
                let url =
                    scheme == "unix://"
                    ? scheme + socket
                    : scheme + socket.replacing("/", with: "%2F") + "/-/larder"
                let (status, output) = try await LarderCommandLine.run("larder ls --url '\(url)'")
                #expect(status == 0 && output.contains("GET:/a"), "\(output)")
                let request = try #require(await heads.first { _ in true })
                #expect(request.hasPrefix("GET /-/larder/v1/entries?limit=500 HTTP/1.1\r\n"), "\(request)")
                #expect(request.lowercased().contains("\r\nhost: localhost\r\n"), "\(request)")
                group.cancelAll()
            }
        }
    }

    @Test func `The API over TLS is verified by the authorities of a file`() async throws {
        try await Certificate.run { certificate in
            try await ScriptedOrigin.answering(with: certificate) { _ in
                answer("200 OK", ["Content-Type: application/json"], Self.page)
            } _: { origin in
                let url = "https://localhost:\(origin.port)/-/larder"
                let trusted = try await LarderCommandLine.run(
                    "larder ls --url \(url) --ca '\(certificate.certificate)'"
                )
                #expect(trusted.status == 0 && trusted.output.contains("GET:/a"), "\(trusted.output)")
                let other = try await LarderCommandLine.run("larder ls --url \(url)")
                #expect(other.status == EX_UNAVAILABLE && other.output.contains("is not trusted"), "\(other.output)")
                let absent = try await LarderCommandLine.run("larder ls --url \(url) --ca /no/such.pem")
                #expect(
                    absent.status == EX_NOINPUT && absent.output.contains("--ca cannot be used"),
                    "\(absent.output)"
                )
            }
        }
    }

    @Test func `A pipe that is closed ends a command without a message`() async throws {
        let entries = (0..<2_000).map { number in
            #"{"key":"GET:/\#(number)","target":"/","variants":1,"size":1,"age":1,"ttl":1,"stored_for":1,"tags":[]}"#
        }.joined(separator: ",")
        try await ScriptedAdmin.run { request in
            let page = request.query["cursor"].flatMap { Int($0) } ?? 0
            return .init(body: #"{"entries":[\#(entries)],"cursor":"\#(page + 1)"}"#)
        } _: { admin in
            let (status, output) = try await admin.run("larder ls | head -n 2")
            #expect(status == 0 && output.split(separator: "\n").count == 2, "\(output.prefix(500))")
            // The same for a message that nobody reads.
            let refused = try await admin.run(
                "(larder purge --tag ''; echo $? >status) 2>&1 | false; cat status; rm status"
            )
            #expect(refused.output == "69\n", "\(refused.output)")
        }
    }
}
