import Foundation
import NIOConcurrencyHelpers
import TestHelpers
import Testing

/// `larder warm` as a user starts it: what it reads, sends, and sums up.
@Suite(.timeLimit(.minutes(5))) struct WarmCommandTests {
    /// Returns the document of an API whose requests name URLs or paths.
    private static func document(_ member: String) -> String {
        #"{"paths":{"/v1/warm":{}},"components":{"schemas":{"WarmRequest":{"properties":{"\#(member)":{}}}}}}"#
    }

    /// Returns the answer that every target was stored.
    private static func stored(_ request: ScriptedAdmin.Request) -> ScriptedAdmin.Answer {
        let targets = (request.content["urls"] ?? request.content["paths"]) as? [String] ?? []
        return result(targets.map { (target: $0, result: "miss", stored: true, reason: "uri-miss") })
    }

    private static func result(
        _ results: [(target: String, result: String, stored: Bool, reason: String)]
    ) -> ScriptedAdmin.Answer {
        let texts = results.map { result in
            """
            {"target":"\(result.target)","status":200,"result":"\(result.result)","stored":\(result.stored),\
            "reason":"\(result.reason)"}
            """
        }
        return .init(body: #"{"stored":0,"failed":0,"results":[\#(texts.joined(separator: ","))]}"#)
    }

    /// Runs a server and calls a function with a folder of files.
    private static func run(
        _ files: [String: String],
        member: String = "urls",
        _ warm: @escaping @Sendable (ScriptedAdmin.Request) async throws -> ScriptedAdmin.Answer = stored,
        _ test: @Sendable (ScriptedAdmin, URL) async throws -> Void
    ) async throws {
        try await LarderCommandLine.withFolder { folder in
            try await ScriptedAdmin.run { request in
                switch request.route {
                case "openapi.json": .init(body: document(member))
                case "v1/warm": try await warm(request)
                default: .init(status: "404 Not Found", type: "text/plain", body: "")
                }
            } _: { admin in
                for (name, content) in files {
                    let text = content.replacing("ORIGIN", with: admin.origin.url)
                    try Data(text.utf8).write(to: folder.appending(path: name))
                }
                try await test(admin, folder)
            }
        }
    }

    /// Returns the targets that were requested, batch by batch.
    private static func batches(_ admin: ScriptedAdmin, _ member: String = "urls") -> [[String]] {
        admin.requests.filter { $0.route == "v1/warm" }.map { $0.content[member] as? [String] ?? [] }
    }

    // MARK: - Sources

    @Test func `A list has URLs and paths, each of which is requested once`() async throws {
        let list = """
            # A comment
            http://shop.example/a?b=c#fragment

            /path
              HTTP://SHOP.example/a?b=c
            not a URL
            http://shop.example
            /über
            ftp://shop.example/

            """
        try await Self.run(["urls": list]) { admin, folder in
            let (status, output) = try await admin.run("larder warm urls --base http://base.example", in: folder)
            #expect(status == 0, "\(output)")
            let expected = [
                "http://shop.example/a?b=c", "http://base.example/path", "http://shop.example/",
                "http://base.example/%C3%BCber",
            ]
            #expect(Self.batches(admin) == [expected])
            let warning =
                "larder: warning: 2 lines were skipped, the first at urls:6: expected a URL or a path that begins"
            #expect(output.hasPrefix(warning), "\(output)")
            #expect(output.contains("\n4 URLs requested in ") && output.contains("/s: 4 stored\n"), "\(output)")
        }
    }

    @Test func `Paths belong to the host of the API unless there is a base`() async throws {
        try await Self.run([:]) { admin, folder in
            let (status, output) = try await admin.run("echo /a | larder warm -", in: folder)
            #expect(status == 0, "\(output)")
            #expect(Self.batches(admin) == [[admin.origin.url + "/a"]])
        }
    }

    @Test func `An application gets paths`() async throws {
        try await Self.run([:], member: "paths") { admin, folder in
            let command = "printf 'http://shop.example/a?b\\n/a?b\\n/c\\n' | larder warm - -H 'Accept-Language: de'"
            let (status, output) = try await admin.run(command, in: folder)
            #expect(status == 0, "\(output)")
            #expect(Self.batches(admin, "paths") == [["/a?b", "/c"]])
            let content = try #require(admin.requests.last).content
            #expect(content["fields"] as? [String] == ["Accept-Language: de"] && content["urls"] == nil)
        }
    }

    @Test func `An API that does not request anything is named`() async throws {
        try await ScriptedAdmin.run { _ in
            .init(body: #"{"paths":{},"components":{"schemas":{}}}"#)
        } _: { admin in
            let (status, output) = try await admin.run("echo /a | larder warm -")
            #expect(status == EX_UNAVAILABLE && output.contains("does not offer to request URLs"), "\(output)")
        }
    }

    /// A line of an access log.
    private static func line(
        _ target: String,
        _ method: String = "GET",
        _ status: Int = 200,
        host: String = ""
    ) -> String {
        "\(host)192.0.2.1 - - [06/Nov/1994:08:10:00 +0000] \"\(method) \(target) HTTP/1.1\" \(status) 1000\n"
    }

    @Test func `Of access logs the most frequent URLs are first, and only those that may be stored`() async throws {
        let first = Self.line("/b") + Self.line("/a") + Self.line("/c", "POST") + Self.line("/d", "GET", 500)
        let second =
            Self.line("/a") + "no line\n" + Self.line("/e", host: "shop.example ") + Self.line("/a", "GET", 304)
        try await Self.run(["one": first, "two": second]) { admin, folder in
            let (status, output) = try await admin.run("larder warm one two --base https://base.example", in: folder)
            #expect(status == 0, "\(output)")
            let expected = ["https://base.example/a", "https://base.example/b", "https://shop.example/e"]
            #expect(Self.batches(admin) == [expected])
            #expect(output.contains("larder: warning: 1 line was skipped, the first at two:2: expected a time"))
            let limited = try await admin.run("cat one two | larder warm - --limit 1", in: folder)
            #expect(limited.status == 0 && Self.batches(admin).last == [admin.origin.url + "/a"], "\(limited.output)")
        }
    }

    @Test func `A compressed log and a compressed list are read as they are`() async throws {
        try await Self.run([:]) { admin, folder in
            let log = try GzipFile.compressed(Array(Self.line("/a").utf8))
            try Data(log).write(to: folder.appending(path: "log.gz"))
            try Data(try GzipFile.compressed(Array("/b\n".utf8))).write(to: folder.appending(path: "list.gz"))
            let (status, output) = try await admin.run("larder warm log.gz list.gz --base http://a", in: folder)
            #expect(status == 0 && Self.batches(admin) == [["http://a/b", "http://a/a"]], "\(output)")
        }
    }

    // MARK: - Sitemaps

    private static func sitemap(_ locations: [String], _ name: String = "urlset", _ item: String = "url") -> String {
        let items = locations.map { "<\(item)><loc>\($0)</loc></\(item)>" }.joined()
        return "<?xml version='1.0' encoding='UTF-8'?>\n<\(name) xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>"
            + "\(items)</\(name)>"
    }

    private static func index(_ locations: [String]) -> String { sitemap(locations, "sitemapindex", "sitemap") }

    /// Runs a server of sitemaps, whose content may name its URL as `ORIGIN`.
    private static func serving(
        _ files: [String: String],
        _ test: @Sendable (ScriptedOrigin) async throws -> Void
    ) async throws {
        try await ScriptedOrigin.answering { request in
            guard let host = request.host, let text = files[request.target] else { return answer("404 Not Found") }
            if text.hasPrefix("http") { return answer("301 Moved Permanently", ["Location: \(text)"]) }
            return answer("200 OK", ["Content-Type: application/xml"], text.replacing("ORIGIN", with: "http://\(host)"))
        } _: {
            try await test($0)
        }
    }

    @Test func `An index on a server is read with its sitemaps, without the token`() async throws {
        let files = [
            "/index.xml": Self.index(["ORIGIN/one.xml", "ORIGIN/two.xml", "ORIGIN/one.xml"]),
            "/one.xml": Self.sitemap(["http://shop.example/a?b=1&amp;c=2", " http://shop.example/b \n"]),
            "/two.xml": Self.sitemap(["http://shop.example/a?b=1&amp;c=2", "http://shop.example/c"]),
        ]
        try await Self.serving(files) { server in
            try await Self.run([:]) { admin, folder in
                let (status, output) = try await admin.run("larder warm \(server.url)/index.xml", in: folder)
                #expect(status == 0, "\(output)")
                let expected = ["a?b=1&c=2", "b", "c"].map { "http://shop.example/\($0)" }
                #expect(Self.batches(admin) == [expected])
                #expect(server.requests.map(\.target) == ["/index.xml", "/one.xml", "/two.xml"])
                #expect(server.requests.allSatisfy { $0["Authorization"] == nil })
            }
        }
    }

    @Test func `A sitemap of an index on another host is read only if that is allowed`() async throws {
        try await Self.serving(["/s.xml": Self.sitemap(["http://shop.example/a"])]) { other in
            let location = "\(other.url)/s.xml"
            try await Self.serving(["/index.xml": Self.index([location])]) { server in
                try await Self.run(["index.xml": Self.index([location])]) { admin, folder in
                    let host = "127.0.0.1:\(other.port)"
                    for source in ["\(server.url)/index.xml", "index.xml"] {
                        let refused = try await admin.run("larder warm \(source)", in: folder)
                        #expect(refused.status == 1 && refused.output.contains("--sitemap-host \(host) allows it"))
                        #expect(other.requests.isEmpty && refused.output.hasSuffix("there is no URL to request\n"))
                    }
                    let allowed = try await admin.run("larder warm index.xml --sitemap-host \(host)", in: folder)
                    #expect(allowed.status == 0, "\(allowed.output)")
                    #expect(Self.batches(admin) == [["http://shop.example/a"]])
                }
            }
        }
    }

    @Test func `Sitemaps that list one another end at a depth`() async throws {
        let files = Dictionary(
            uniqueKeysWithValues: (1...5).map { ("/\($0).xml", Self.index(["ORIGIN/\($0 + 1).xml"])) }
        )
        try await Self.serving(files) { server in
            try await Self.run([:]) { admin, folder in
                let (status, output) = try await admin.run("larder warm \(server.url)/1.xml", in: folder)
                #expect(status == 1 && output.contains("more than 3 sitemaps list one another"), "\(output)")
                #expect(server.requests.map(\.target) == ["/1.xml", "/2.xml", "/3.xml"])
            }
        }
    }

    @Test(arguments: [
        ("/absent.xml", EX_UNAVAILABLE, "the server answered with status 404"),
        ("/moved.xml", EX_UNAVAILABLE, "the server answered with status 301 (to https://shop.example/s.xml)"),
        ("/page.xml", EX_DATAERR, "expected the element urlset or sitemapindex, not html"),
    ]) func `A sitemap on a server that cannot be read is an error`(
        _ path: String,
        _ expected: Int32,
        _ message: String
    ) async throws {
        let files = ["/moved.xml": "https://shop.example/s.xml", "/page.xml": "<html><body/></html>"]
        try await Self.serving(files) { server in
            try await Self.run([:]) { admin, folder in
                let (status, output) = try await admin.run("larder warm \(server.url + path)", in: folder)
                let line = "larder: error: \(server.url + path): \(message)\n"
                #expect(status == expected && output == line, "\(output)")
            }
        }
    }

    @Test(arguments: [
        ("absent", EX_NOINPUT, "absent cannot be read: "),
        ("rows", EX_DATAERR, "rows:1: expected a URL or a path, a site"),
        ("text", EX_DATAERR, "text:1: expected a URL or a path, a sitemap, or a line of an access log, not This is"),
        ("bomb", EX_DATAERR, "bomb: it has a document type, which sitemaps do not have"),
        ("cut", EX_DATAERR, "cut: it is not well-formed XML (line 1)"),
        ("empty", 1, "larder: there is no URL to request"),
    ]) func `A file that cannot be used is an error with a status`(
        _ file: String,
        _ expected: Int32,
        _ message: String
    ) async throws {
        let files = [
            "rows": "time,key,size\n1,a,2\n", "text": "This is text.\n", "empty": "# nothing\n", "cut": "<urlset><url>",
            "bomb": "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><urlset/>",
        ]
        try await Self.run(files) { admin, folder in
            let (status, output) = try await admin.run("larder warm \(file)", in: folder)
            #expect(status == expected && output.contains(message), "\(status): \(output)")
            #expect(Self.batches(admin).isEmpty)
        }
    }

    // MARK: - Requests

    @Test func `Batches are bounded by the concurrency and the rate`() async throws {
        let list = (0..<20).map { "http://a/\($0)\n" }.joined()
        try await Self.run(["urls": list]) { admin, folder in
            let (status, _) = try await admin.run("larder warm urls --concurrency 2 --rate 1000", in: folder)
            #expect(status == 0 && Self.batches(admin).map(\.count) == [16, 4])
            let content = try #require(admin.requests.last).content
            #expect(content["concurrency"] as? Int == 2 && content["rate"] as? Double == 1_000)
            let slow = try await admin.run("larder warm urls --rate 1 --limit 2 --concurrency 1", in: folder)
            #expect(slow.status == 0 && Self.batches(admin).suffix(1).map(\.count) == [2])
        }
    }

    @Test func `The results are summed up, with the reasons and the failures`() async throws {
        try await Self.run(["urls": "http://a/1\nhttp://a/2\nhttp://a/3\nhttp://a/4\nhttp://a/5\n"]) { _ in
            Self.result([
                ("http://a/1", "hit", true, "fresh"), ("http://a/2", "stale", true, "stale-while-revalidate"),
                ("http://a/3", "miss", false, "no-store"), ("http://a/4", "bypass", false, "cookie"),
                ("http://a/5", "failed", false, "connection_refused"),
            ])
        } _: { admin, folder in
            let (status, output) = try await admin.run("larder warm urls", in: folder)
            #expect(status == 1, "\(output)")
            #expect(output.contains("/s: 2 stored before, 2 not stored, 1 failed\n"), "\(output)")
            #expect(output.contains("\n  Not stored: cookie 1, no-store 1\n"), "\(output)")
            #expect(output.hasSuffix("\n  Failed: http://a/5 200 connection_refused\n"), "\(output)")
            let json = try await admin.run("larder warm urls --json", in: folder)
            let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
            #expect(json.status == 1 && object?["failed"] as? Int == 1 && object?["stored"] as? Int == 0)
            let results = try #require(object?["results"] as? [[String: Any]])
            #expect(results.count == 5 && results[2]["reason"] as? String == "no-store", "\(json.output)")
        }
    }

    @Test func `One URL that the API does not take fails alone`() async throws {
        try await Self.run(["urls": "http://a/1\nhttp://a/bad\nhttp://a/3\n"]) { request in
            let urls = request.content["urls"] as? [String] ?? []
            if urls.contains("http://a/bad") { return .problem("400 Bad Request", "urls: expected another") }
            return Self.stored(request)
        } _: { admin, folder in
            let (status, output) = try await admin.run("larder warm urls", in: folder)
            #expect(status == 1 && output.contains(": 2 stored, 1 failed\n"), "\(output)")
            #expect(output.hasSuffix("  Failed: http://a/bad urls: expected another\n"), "\(output)")
            #expect(Self.batches(admin).map(\.count) == [3, 1, 1, 1])
        }
    }

    @Test func `A run that fails goes on where it was, by the resume file`() async throws {
        let list = (0..<20).map { "http://a/\($0)\n" }.joined()
        let count = NIOLockedValueBox(0)
        try await Self.run(["urls": list, "other": "text\n"]) { request in
            let number = count.withLockedValue { count in
                count += 1
                return count
            }
            if number == 2 { return .problem("503 Service Unavailable", "It stops") }
            if number == 1 {
                let urls = request.content["urls"] as? [String] ?? []
                return Self.result(urls.map { ($0, $0 == "http://a/3" ? "failed" : "miss", true, "uri-miss") })
            }
            return Self.stored(request)
        } _: { admin, folder in
            let command = "larder warm urls --concurrency 1 --resume done"
            let first = try await admin.run(command, in: folder)
            #expect(first.status == 1 && first.output.contains(": 7 stored, 1 failed\n"), "\(first.output)")
            #expect(first.output.contains("larder: 12 URLs were not requested: the same command requests the rest\n"))
            #expect(first.output.hasSuffix("larder: error: It stops\n"))
            // A line that was cut off.
            let file = try FileHandle(forWritingTo: folder.appending(path: "done"))
            try file.seekToEnd()
            try file.write(contentsOf: Data("http://a/19".utf8))
            try file.close()
            let second = try await admin.run(command, in: folder)
            #expect(second.status == 0 && second.output.hasPrefix("larder: 7 URLs were requested before\n"))
            let rest = ["http://a/3"] + (8..<20).map { "http://a/\($0)" }
            #expect(Self.batches(admin).dropFirst(2).flatMap(\.self) == rest)
            let third = try await admin.run(command, in: folder)
            #expect(third.status == 0 && third.output.contains("0 URLs requested"), "\(third.output)")
            let wrong = try await admin.run("larder warm urls --resume other", in: folder)
            #expect(wrong.status == EX_DATAERR && wrong.output.contains("--resume: other is another file"))
        }
    }

    @Test func `A signal ends the requests, and what was done is summed up`() async throws {
        let list = (0..<20).map { "http://a/\($0)\n" }.joined()
        let gate = Gate()
        try await Self.run(["urls": list]) { request in
            if (request.content["urls"] as? [String])?.first == "http://a/8" { await gate.pass() }
            return Self.stored(request)
        } _: { admin, folder in
            let environment = [
                "LARDER_ADMIN_URL": admin.origin.url + ScriptedAdmin.prefix, "LARDER_ADMIN_TOKEN": ScriptedAdmin.token,
            ]
            let arguments = ["warm", folder.appending(path: "urls").path, "--concurrency", "1"]
            try await ProgramProcess.run("larder", arguments, environment: environment) { program in
                await gate.reached()
                program.signal(SIGINT)
                let status = try await program.status()
                #expect(status == 128 + SIGINT && program.output.contains(": 8 stored\n"), "\(program.output)")
                #expect(program.output.hasSuffix("larder: 12 URLs were not requested\n"), "\(program.output)")
                gate.open()
            }
        }
    }
}
