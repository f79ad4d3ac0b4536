import Foundation
import TestHelpers
import Testing

/// The commands that use the admin API, as a user starts them: what they send, print and end with.
@Suite(.timeLimit(.minutes(5))) struct AdminCommandTests {
    private static let statistics = """
        {"name":"Larder","version":"0.1.0-dev","time":"2026-12-01T09:00:00.000Z","uptime":8040.5,"window":300,
        "seconds":120.0,"requests":{"hit":900,"stale":10,"miss":80,"collapsed":5,"bypass":4,"write":1,"error":0},
        "requests_per_second":8.33,"hit_ratio":0.9146,"stored":79,"not_stored":1,"evictions":3,"invalidations":2,
        "times":{"hit":{"count":900,"mean":0.0000123,"p50":0.00001,"p90":0.0000999,"p99":0.00034},
        "miss":{"count":80,"mean":0.0123,"p50":0.01,"p90":0.05,"p99":1.5}},
        "reasons":{"bypasses":{"cookie":3,"authorization":9},"not_stored":{"no-store":2},"stale":{}},
        "store":{"entries":1234,"used_bytes":1288490,"limit_bytes":268435456,"available":true},
        "in_progress":{"fetches":1,"waiting":2,"connections":3,"requests":1,"bodies_bytes":2048},
        "redis":{"available":false,"pending_invalidations":4},
        "origins":[{"origin":"http://127.0.0.1:9000","available":false,"requests":12,"mean":0.01,"p99":0.2}],
        "process":{"resident_bytes":64000000,"cpu_seconds":12.5},"points":[]}
        """

    private static func key(_ number: Int) -> String { "GET:http://shop.example/\(number)" }

    private static func summary(_ number: Int, tags: String = #""posts""#) -> String {
        """
        {"key":"\(key(number))","target":"http://shop.example/\(number)","variants":2,"size":1536,"age":75,\
        "ttl":\(30 - number * 40),"stored_for":900,"tags":[\(tags)],"requests":1234}
        """
    }

    // MARK: - stats

    @Test func `stats shows ratio, results, times, store, reasons, Redis and origins on one screen`() async throws {
        try await ScriptedAdmin.run({ _ in .init(body: Self.statistics) }) { admin in
            let (status, output) = try await admin.run("larder stats --window 5m")
            #expect(status == 0, "\(output)")
            let expected = [
                "Larder 0.1.0-dev, up for 2 h 14 min, the last 2 min",
                "Requests     hit ratio 91.5 %, 1,000 requests, 8.3/s", "  hit             900  90.0 %       7.5/s",
                "  hit        900  12.3 µs  10.0 µs  99.9 µs  340 µs",
                "  miss        80  12.3 ms  10.0 ms  50.0 ms  1.50 s",
                "Store        1,234 entries, 1.2 MiB of 256 MiB (0.5 %)",
                "             stored 79, not stored 1, evicted 3, invalidations 2",
                "Not stored   no-store 2", "Bypassed     authorization 9, cookie 3",
                "Redis        down, 4 invalidations pending",
                "In progress  1 request, 1 fetch, 2 waiting, 3 connections, bodies of 2 KiB",
                "Process      61.0 MiB of memory, 12.5 s of processor time",
                "  http://127.0.0.1:9000  down         12  10.0 ms  200 ms",
            ]
            for line in expected { #expect(output.contains(line), "\(line) is not in \(output)") }
            #expect(!output.contains("Stale  ") && output.count { $0 == "\n" } < 40, "\(output)")
            #expect(admin.requests.map(\.query) == [["window": "300"]])
        }
    }

    @Test func `JSON has the members of the answer in order`() async throws {
        try await ScriptedAdmin.run({ _ in .init(body: Self.statistics) }) { admin in
            let (status, output) = try await admin.run("larder stats --json --window 1m")
            #expect(
                status == 0 && output.hasPrefix("{\n  \"evictions\" : 3,\n  \"hit_ratio\" : 0.9146,\n"),
                "\(output)"
            )
            #expect(output.contains("\"p90\" : 9.99e-05"), "\(output)")
            let printed = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? NSDictionary
            let sent = try JSONSerialization.jsonObject(with: Data(Self.statistics.utf8)) as? NSDictionary
            #expect(printed == sent)
            #expect(admin.requests.map(\.query) == [["window": "60"]])
        }
    }

    // MARK: - ls

    @Test func `ls lists page after page up to the end, also behind an empty page`() async throws {
        try await ScriptedAdmin.run { request in
            switch request.query["cursor"] {
            case nil: .init(body: #"{"entries":[\#(Self.summary(0)),\#(Self.summary(1))],"cursor":"5"}"#)
            case "5": .init(body: #"{"entries":[],"cursor":"7-1"}"#)
            default: .init(body: #"{"entries":[\#(Self.summary(2, tags: #""a","b""#))]}"#)
            }
        } _: { admin in
            let (status, output) = try await admin.run("larder ls --prefix /a --path /a/b --tag 'x y&z' --match 'p=2'")
            #expect(status == 0, "\(output)")
            let lines = output.split(separator: "\n").map(String.init)
            #expect(lines.count == 4 && lines[0].hasPrefix("KEY "), "\(output)")
            #expect(lines[1].hasPrefix("GET:http://shop.example/0         2  1.5 KiB  1 min 15 s"), "\(output)")
            #expect(lines[1].hasSuffix("30 s     1,234  posts") && lines[2].contains("  stale 10 s     1,234  posts"))
            #expect(lines[3].hasPrefix(Self.key(2)) && lines[3].hasSuffix("a b"))
            let conditions = ["prefix": "/a", "path": "/a/b", "tag": "x y&z", "match": "p=2", "limit": "500"]
            #expect(
                admin.requests.map(\.query) == [
                    conditions, conditions.merging(["cursor": "5"]) { $1 },
                    conditions.merging(["cursor": "7-1"]) { $1 },
                ]
            )
        }
    }

    @Test func `ls ends at the limit and says that there are more`() async throws {
        try await ScriptedAdmin.run { _ in
            .init(body: #"{"entries":[\#(Self.summary(0)),\#(Self.summary(1))],"cursor":"5"}"#)
        } _: { admin in
            let (status, output) = try await admin.run("larder ls --limit 1")
            #expect(status == 0 && output.contains(Self.key(0)) && !output.contains(Self.key(1)), "\(output)")
            #expect(output.hasSuffix("larder: there may be more entries, which --limit leaves out\n"))
            #expect(admin.requests.map(\.query) == [["limit": "1"]])
        }
    }

    @Test func `A page that leads to itself is an error`() async throws {
        try await ScriptedAdmin.run { _ in
            .init(body: #"{"entries":[\#(Self.summary(0))],"cursor":"5"}"#)
        } _: { admin in
            let (status, output) = try await admin.run("larder ls")
            #expect(status == 1 && output.contains("larder: error: the API returns the same page again and again"))
            #expect(admin.requests.count == 2)
        }
    }

    @Test func `ls prints one JSON document for all pages, with members that this version does not know`() async throws
    {
        try await ScriptedAdmin.run { request in
            request.query["cursor"] == nil
                ? .init(body: #"{"entries":[{"key":"a","new":1.5}],"cursor":"5"}"#)
                : .init(body: #"{"entries":[{"key":"b/c"}]}"#)
        } _: { admin in
            let (status, output) = try await admin.run("larder ls --json")
            let expected = """
                {
                  "entries" : [
                    {
                      "key" : "a",
                      "new" : 1.5
                    },
                    {
                      "key" : "b/c"
                    }
                  ]
                }

                """
            #expect(status == 0 && output == expected, "\(output)")
        }
    }

    @Test(arguments: [
        ("larder ls", "larder: no entry was found\n"), ("larder ls --json", "{\n  \"entries\" : []\n}\n"),
    ])
    func `ls ends with 1 if there is no entry`(_ command: String, _ expected: String) async throws {
        try await ScriptedAdmin.run({ _ in .init(body: #"{"entries":[]}"#) }) { admin in
            let (status, output) = try await admin.run(command)
            #expect(status == 1 && output.hasPrefix(expected), "\(output)")
        }
    }

    @Test func `Control characters of keys and tags are escaped`() async throws {
        let entry = Self.summary(0, tags: #""\u001b[31mred","a\nb","\u202e""#)
        try await ScriptedAdmin.run({ _ in .init(body: #"{"entries":[\#(entry)]}"#) }) { admin in
            let (_, output) = try await admin.run("larder ls")
            #expect(output.contains(#"\u{1B}[31mred a\nb \u{202E}"#), "\(output)")
            #expect(!output.contains("\u{1B}"))
        }
    }

    // MARK: - inspect

    private static let entry = """
        {"key":"GET:http://shop.example/a","target":"http://shop.example/a","requests":12,
        "decision":{"result":"hit","reason":"fresh","sentence":"It would be served."},"variants":[{"status":200,
        "fields":[{"name":"content-type","value":"text/html"},{"name":"x-secret","hidden":true}],"size":1536,
        "body_size":1024,"vary":["accept-language","x-key","x-none"],"selecting_fields":[
        {"name":"accept-language","value":"de"},{"name":"x-key","hidden":true},{"name":"x-none"}],"tags":["posts","a"],
        "age":12,"ttl":78,"lifetime_source":"max-age","generated_at":"2026-12-01T09:00:00.000Z",
        "fresh_until":"2026-12-01T09:01:30.000Z","stale_while_revalidate_until":"2026-12-01T09:01:30.000Z",
        "stale_if_error_until":"2026-12-01T10:01:30.000Z","stale_if_unreachable_until":"2026-12-02T09:01:30.000Z",
        "stored_until":"2026-12-02T09:01:30.000Z","read_version":7,
        "decision":{"result":"miss","reason":"vary-miss","sentence":"It is for another language."}}]}
        """

    @Test func `inspect shows variants, freshness and decisions for a URL and fields`() async throws {
        try await ScriptedAdmin.run({ _ in .init(body: Self.entry) }) { admin in
            let url = "http://shop.example/a?b=c&d"
            let (status, output) = try await admin.run(
                "larder inspect '\(url)' -H 'Accept-Language:de' --header 'A: b'"
            )
            let expected = """
                GET:http://shop.example/a
                  requests   12 since the start
                  decision   hit (fresh): It would be served.

                Variant 1 of 1
                  status     200
                  decision   miss (vary-miss): It is for another language.
                  size       1.5 KiB, the body 1 KiB
                  age        12 s, generated 2026-12-01 09:00:00 UTC
                  fresh      for 1 min 18 s more, until 2026-12-01 09:01:30 UTC (lifetime from max-age)
                  stale      if the origin fails until 2026-12-01 10:01:30 UTC; if the origin cannot be reached until \
                2026-12-02 09:01:30 UTC
                  stored     until 2026-12-02 09:01:30 UTC
                  vary       accept-language, x-key, x-none (accept-language: de; x-key: (hidden); x-none: (absent))
                  tags       posts a
                  fields
                    content-type: text/html
                    x-secret: (hidden)

                """
            #expect(status == 0 && output == expected, "\(output)")
            let query = ["url": url, "field": "Accept-Language: de|A: b"]
            #expect(admin.requests.map(\.query) == [query])
        }
    }

    @Test func `inspect sends a key as a key, and ends with 1 if nothing is stored`() async throws {
        try await ScriptedAdmin.run({ _ in .problem("404 Not Found", "Nothing is stored there") }) { admin in
            let (status, output) = try await admin.run("larder inspect 'GET:/a?b#c'")
            #expect(status == 1 && output == "larder: error: nothing is stored for GET:/a?b#c\n", "\(output)")
            #expect(admin.requests.map(\.query) == [["key": "GET:/a?b#c"]])
        }
    }

    // MARK: - purge

    @Test func `purge sends what is named, and says how many entries were removed`() async throws {
        let answer = """
            {"result":"acknowledged","mode":"hard","dry_run":false,"matched":12,"complete":true,"selectors":[
            {"selector":"tags","values":["a"],"matched":4},{"selector":"all_tags","values":["b","c"],"matched":8}]}
            """
        try await ScriptedAdmin.run({ _ in .init(body: answer) }) { admin in
            let (status, output) = try await admin.run(
                "larder purge GET:/k http://a.example/u --path /p --path /q --prefix /r --tag a --all-tags 'b, c'"
            )
            let expected = """
                12 entries were removed.
                  BY        VALUE  ENTRIES
                  tags      a            4
                  all tags  b + c        8

                """
            #expect(status == 0 && output == expected, "\(output)")
            let content = try #require(admin.requests.first).content
            #expect(
                content["keys"] as? [String] == ["GET:/k"] && content["urls"] as? [String] == ["http://a.example/u"]
            )
            #expect(content["paths"] as? [String] == ["/p", "/q"] && content["prefixes"] as? [String] == ["/r"])
            #expect(content["tags"] as? [String] == ["a"] && content["all_tags"] as? [[String]] == [["b", "c"]])
            #expect(content.count == 6 && admin.requests[0].received["Content-Type"] == "application/json")
        }
    }

    @Test(arguments: [
        (
            "--everything --soft", #""acknowledged","mode":"soft","dry_run":false,"matched":1"#, 0,
            "1 entry is stale now."
        ),
        ("--tag a --dry-run", #""counted","mode":"hard","dry_run":true,"matched":2"#, 0, "2 entries would be removed."),
        (
            "--tag a --soft --dry-run", #""counted","mode":"soft","dry_run":true,"matched":2,"complete":false"#, 0,
            "At least 2 entries would become stale."
        ),
        ("--tag a", #""acknowledged","mode":"hard","dry_run":false,"matched":0"#, 1, "0 entries were removed."),
        ("--tag a", #""acknowledged","mode":"hard","dry_run":false"#, 0, "Done. The store does not count entries."),
    ]) func `The result of a purge is a sentence and an exit status`(
        _ options: String,
        _ answer: String,
        _ expected: Int,
        _ sentence: String
    ) async throws {
        try await ScriptedAdmin.run({ _ in .init(body: #"{"result":\#(answer),"selectors":[]}"#) }) { admin in
            let (status, output) = try await admin.run("larder purge \(options)")
            #expect(Int(status) == expected && output == sentence + "\n", "\(output)")
            let content = try #require(admin.requests.first).content
            #expect(content["mode"] as? String == (options.contains("--soft") ? "soft" : nil))
            #expect(content["dry_run"] as? Bool == (options.contains("--dry-run") ? true : nil))
            #expect(content["everything"] as? Bool == (options.contains("--everything") ? true : nil))
        }
    }

    @Test func `An invalidation that is queued ends with 1, in JSON too`() async throws {
        let purge = #","purge":{"result":"pending","mode":"hard","dry_run":false,"selectors":[]}"#
        try await ScriptedAdmin.run { _ in
            .problem("503 Service Unavailable", "It is queued", purge)
        } _: { admin in
            let (status, output) = try await admin.run("larder purge --tag a")
            #expect(status == 1 && output.hasPrefix("The invalidation is queued: the store cannot be reached"))
            let json = try await admin.run("larder purge --tag a --json")
            #expect(json.status == 1 && json.output.contains("\"result\" : \"pending\""), "\(json.output)")
        }
    }

    @Test func `purge and warm in one step says what was stored and what failed`() async throws {
        let answer = """
            {"result":"acknowledged","mode":"hard","dry_run":false,"matched":3,"selectors":[],"warm":{"stored":1,"failed":1,
            "results":[{"target":"/a","status":200,"result":"miss","stored":true,"reason":"uri-miss"},
            {"target":"/b","status":200,"result":"miss","stored":false,"reason":"no-store"},
            {"target":"/c","status":502,"result":"failed","stored":false,"reason":"connection_refused"}]}}
            """
        try await ScriptedAdmin.run({ _ in .init(body: answer) }) { admin in
            let (status, output) = try await admin.run("larder purge --tag a --warm")
            let expected = """
                3 entries were removed.
                3 URLs requested: 1 stored, 1 not stored, 1 failed
                  Not stored: no-store 1
                  Failed: /c 502 connection_refused

                """
            #expect(status == 1 && output == expected, "\(output)")
            #expect(admin.requests[0].content["warm"] as? Bool == true)
        }
    }
}
