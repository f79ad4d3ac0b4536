import Foundation
import HTTPCaching
import Larder
import Testing

@testable import LarderSimulation

/// The report: its sentences, its table, its JSON and its page.
@Suite(.timeLimit(.minutes(5))) struct ReportTests {
    /// A log of 1,000 requests for 100 responses of 10 kB, each key asked for ten times in a row.
    private static let log = (0..<1_000).map { "\($0),\($0 / 10),10000" }.joined(separator: "\n")

    private static func report(
        _ text: String,
        _ memory: [Int],
        _ policies: [SimulatedPolicy] = [.byUse, .lru],
        reading options: (inout ReadingOptions) -> Void = { _ in }
    ) async throws -> SimulationReport {
        var reader = logReader(text, options)
        let stores = memory.flatMap { memory in
            policies.map { policy in
                var store = StoreOptions(policy, memory: .bytes(memory))
                store.overhead = 0
                return store
            }
        }
        try reader.begin()
        let counts = try await Simulation(stores).run(&reader)
        return SimulationReport(files: ["a<b>.log"], reader: reader, stores: stores, counts: counts)
    }

    @Test func `The text has the answer, the table and what the prediction assumes`() async throws {
        let report = try await Self.report(Self.log, [2_097_152, 65_536])
        let expected = """
            With 64 KiB, 90.0 % of 1,000 requests would have been answered from the cache, and the origin would have \
            sent 1 MB instead of 10 MB. More memory, up to 2 MiB, would gain less than 1 %.

            memory  policy  hit ratio  byte hit ratio  requests saved  bytes saved  peak memory  entries  evicted
            64 KiB  by-use    90.00 %         90.00 %             900         9 MB     58.6 KiB        6       94
            64 KiB  lru       90.00 %         90.00 %             900         9 MB     58.6 KiB        6       94

             2 MiB  by-use    90.00 %         90.00 %             900         9 MB      977 KiB      100        0
             2 MiB  lru       90.00 %         90.00 %             900         9 MB      977 KiB      100        0

            The log covers 16 min 39 s.
            Responses do not expire.

            """
        #expect(report.text == expected)
    }

    @Test func `Keys alone are counted in entries`() async throws {
        let report = try await Self.report("1\n2\n1\n2\n1\n", [1, 2])
        #expect(report.summary.first == "With 2 entries, 60.0 % of 5 requests would have been answered from the cache.")
        #expect(report.summary.last == "All storable responses fit into 2 entries: more memory would gain nothing.")
        #expect(report.text.contains("1 entry") && !report.page.contains("Byte hit ratio</h2>"))
    }

    @Test func `A log that a cache does not help is told so`() async throws {
        let once = try await Self.report("1,a,5\n2,b,5\n", [100])
        #expect(once.summary.first == "A cache would hardly pay.")
        let writes = "h - - [06/Nov/1994:08:49:37 +0000] \"POST /a HTTP/1.1\" 200 5\n"
        let none = try await Self.report(writes, [100])
        #expect(none.summary.count == 1 && none.summary[0].hasPrefix("A cache would answer none of the 1 requests: "))
        #expect(none.notes.contains("Among the requests are 1 writes, which remove the responses of their paths."))
        let empty = try await Self.report("", [100])
        #expect(empty.summary == ["The log has no requests."])
    }

    @Test func `A policy that answers more is named, and so is a lack of memory`() async throws {
        // Ten responses in turn, with room for nine: LRU finds none.
        let text = (0..<1_000).map { "\($0),\($0 % 10),1" }.joined(separator: "\n")
        let report = try await Self.report(text, [9], [.lru, .byUse])
        #expect(report.summary.contains { $0.hasPrefix("Evicting by-use, ") })
        #expect(report.summary.contains("More memory may gain more: responses were evicted."))
    }

    @Test func `The evictions of the whole store are not known, and the text says nothing about them`() async throws {
        var reader = logReader("1,a,5\n2,a,5\n") { $0.readsTargets = true }
        let stores = [StoreOptions(.store, memory: .mebibytes(1))]
        let counts = try await Simulation(stores).run(&reader)
        let report = SimulationReport(files: ["log"], reader: reader, stores: stores, counts: counts)
        #expect(counts[0].evictions == nil && counts[0].hits == 1 && report.summary.count == 1)
        #expect(report.text.contains("50.00 %") && report.text.contains("        -\n"))
    }

    @Test func `Lines that were skipped and a log in the wrong order are warnings`() async throws {
        let report = try await Self.report("5000,a,1\n1,a,1\n1,a\n", [10])
        #expect(
            report.warnings == [
                "1 line was skipped, the first at log:3: expected the columns time, key and size, such as "
                    + "12.5,abc,1024, or a key alone",
                "the time in the log goes back by 1 h 23 min: give the oldest file first",
            ]
        )
    }

    @Test func `The JSON has ratios, bytes and counts`() async throws {
        let report = try await Self.report(Self.log, [65_536], [.byUse]) { $0.rowLifetime = .seconds(90) }
        let data = try JSONEncoder().encode(report.record)
        let object = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["ttl"] as? Double == 90 && object["recommendedMemory"] as? Int == 65_536)
        let log = try #require(object["log"] as? [String: Any])
        #expect(log["requests"] as? Int == 1_000 && log["formats"] as? [String] == ["rows"])
        #expect(log["seconds"] as? Double == 999)
        let result = try #require((object["results"] as? [[String: Any]])?.first)
        #expect(result["policy"] as? String == "by-use" && result["memory"] as? Int == 65_536)
        #expect(result["hitRatio"] as? Double == 0.9 && result["byteHitRatio"] as? Double == 0.9)
        #expect(result["requestsSaved"] as? Int == 900 && result["originRequests"] as? Int == 100)
        #expect(result["originBytes"] as? Int == 1_000_000 && result["peakEntries"] as? Int == 6)
    }

    @Test func `The page is well-formed, loads nothing, and has a title, a description and a table`() async throws {
        let report = try await Self.report(Self.log, [65_536, 1_048_576, 16_777_216], SimulatedPolicy.defaults)
        let page = report.page
        #expect(page.contains("a&lt;b&gt;.log") && !page.contains("a<b>"))
        for word in ["http", "src=", "href=", "url(", "<script", "@import"] { #expect(!page.contains(word), "\(word)") }
        #expect(page.ranges(of: "<svg ").count == 2 && page.ranges(of: "</desc>").count == 2)
        #expect(page.contains("prefers-color-scheme: dark"))
        #expect(page.ranges(of: "<tr>").count == 10)
        #expect(page.contains("by-use: 90.0 % with 64 KiB, 90.0 % with 1 MiB, 90.0 % with 16 MiB."))
        // The content between the tags of an SVG is well-formed XML.
        let start = try #require(page.firstRange(of: "<svg "))
        let end = try #require(page.firstRange(of: "</svg>"))
        let parser = XMLChecker()
        #expect(parser.isWellFormed(String(page[start.lowerBound..<end.upperBound])))
    }

    @Test(
        arguments: [
            (0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-1_000, "-1,000"), (Int.min, nil),
        ] as [(Int, String?)]
    ) func `Numbers have commas`(_ number: Int, _ expected: String?) {
        let text = NumberText.grouped(number)
        if let expected { #expect(text == expected) }
    }

    @Test func `Numbers are rounded, with units`() {
        #expect(NumberText.percent(0.99999) == "100.0 %" && NumberText.fixed(-0.05, places: 1) == "-0.1")
        #expect(NumberText.fixed(.infinity, places: 1) == "-" && NumberText.fixed(1.005, places: 0) == "1")
        #expect(NumberText.traffic(20_345_000_000) == "20.3 GB" && NumberText.traffic(999) == "999 B")
        #expect(NumberText.memory(64 << 20) == "64 MiB" && NumberText.memory(Int.max) == "8589934592 GiB")
        #expect(NumberText.duration(.seconds(90_061)) == "1 d 1 h" && NumberText.duration(.milliseconds(5)) == "0 s")
        #expect(NumberText.duration(.seconds(60)) == "1 min")
    }

    @Test func `The progress is a bar if the length is known, and a count if not`() {
        let half = ProgressText.line(part: 0.5, requests: 1_000)
        #expect(
            half == "[\(String(repeating: "#", count: 15))\(String(repeating: "-", count: 15))] 50 %, 1,000 requests"
        )
        #expect(ProgressText.line(part: nil, requests: 5) == "5 requests")
        #expect(ProgressText.line(part: 7, requests: 5).hasSuffix("] 100 %, 5 requests"))
        #expect(ProgressText.line(part: .nan, requests: 5) == "5 requests")
    }
}

/// A check of the tags of a text: each is closed in order, and attributes are in quotes.
private struct XMLChecker {
    func isWellFormed(_ text: String) -> Bool {
        var open: [Substring] = []
        let tag = /<(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<]*")*)(\/?)>/
        for match in text.matches(of: tag) {
            if match.1 == "/" {
                guard open.popLast() == match.2 else { return false }
            } else if match.4.isEmpty {
                open.append(match.2)
            }
        }
        return open.isEmpty && !text.replacing(tag, with: "").contains("<")
    }
}
