import Foundation
import NIOConcurrencyHelpers
import TestHelpers
import Testing

@testable import LarderCLI

/// `larder top`: its screen, in a terminal and without one.
@Suite(.timeLimit(.minutes(5))) struct TopCommandTests {
    private static let statistics = """
        {"name":"Larder","version":"0.1.0-dev","time":"2026-12-01T09:00:00.000Z","uptime":90,"window":60,"seconds":60,
        "requests":{"hit":9,"miss":1},"requests_per_second":0.17,"hit_ratio":0.9,
        "times":{"hit":{"count":9,"mean":0.00001,"p50":0.00001,"p90":0.0001,"p99":0.001}},
        "store":{"entries":3,"used_bytes":1024,"limit_bytes":2048},"in_progress":{"fetches":1,"waiting":2},
        "origins":[{"origin":"http://a","available":false,"requests":1}]}
        """

    /// Returns an answer as the API gives it: keys are counted by requests alone, and tags not by requests.
    @Sendable private static func answer(_ request: ScriptedAdmin.Request) -> ScriptedAdmin.Answer {
        guard request.route == "v1/top" else { return .init(body: statistics) }
        let (of, by) = (request.query["of"] ?? "", request.query["by"] ?? "")
        if (of == "keys") != (by == "requests"), of == "keys" || of == "tags" {
            return .problem("400 Bad Request", "\(of) are not counted by \(by)")
        }
        let counts =
            of == "keys"
            ? #""requests":1234"#
            : of == "tags" ? #""misses":5,"bytes":4096"# : #""requests":7,"misses":5,"bytes":4096,"origin_time":1.5"#
        return .init(body: #"{"of":"\#(of)","by":"\#(by)","rows":[{"name":"the-\#(of)-\u001b[2J",\#(counts)}]}"#)
    }

    private static func environment(_ admin: ScriptedAdmin) -> [String: String] {
        ["LARDER_ADMIN_URL": admin.origin.url + ScriptedAdmin.prefix, "LARDER_ADMIN_TOKEN": ScriptedAdmin.token]
    }

    // MARK: - Without a terminal

    @Test func `Without a terminal the rows are printed once`() async throws {
        try await ScriptedAdmin.run(Self.answer) { admin in
            let (status, output) = try await admin.run("larder top --of routes --by bytes --limit 5")
            let expected = """
                Larder 0.1.0-dev, up for 1 min 30 s, the last 1 min   \(admin.origin.url)/-/larder
                hit ratio 90.0 %, 10 requests, 0.2/s
                times: hit 10.0 µs, p99 1.00 ms
                3 entries, 1 KiB of 2 KiB (50.0 %), 1 fetch, 2 waiting, 1 origin is down

                REQUESTS  MISSES  BYTES  ORIGIN TIME  ROUTE
                       7       5  4 KiB       1.50 s  the-routes-\\u{1B}[2J

                """
            #expect(status == 0 && output == expected, "\(output)")
            #expect(admin.requests.map(\.query) == [["window": "60"], ["of": "routes", "by": "bytes", "limit": "5"]])
        }
    }

    @Test func `The first order that is counted is taken, unless one is asked for`() async throws {
        try await ScriptedAdmin.run(Self.answer) { admin in
            let tags = try await admin.run("larder top --of tags --json")
            #expect(tags.status == 0 && tags.output.hasPrefix("{\n  \"by\" : \"misses\",\n  \"of\" : \"tags\","))
            let keys = try await admin.run("larder top --by misses")
            let message = "larder: error: keys are not counted by misses\n"
            #expect(keys.status == EX_USAGE && keys.output == message, "\(keys.output)")
        }
    }

    // MARK: - In a terminal

    private static let enter = "\u{1B}[?1049h\u{1B}[?25l"
    private static let leave = "\u{1B}[?25h\u{1B}[?1049l"

    /// Runs the command in a terminal, and waits for its first screen.
    private static func live(
        _ options: [String] = [],
        _ answer: @escaping @Sendable (ScriptedAdmin.Request) async throws -> ScriptedAdmin.Answer = answer,
        _ test: @Sendable (TerminalProcess, ScriptedAdmin) async throws -> Void
    ) async throws {
        try await ScriptedAdmin.run(answer) { admin in
            let arguments = ["top", "--interval", "1h"] + options
            try await TerminalProcess.run("larder", arguments, environment: environment(admin)) { terminal in
                try await eventually("the first screen is shown: \(terminal.output)") {
                    terminal.output.contains("the-keys-")
                }
                try await test(terminal, admin)
            }
        }
    }

    private static func ends(_ terminal: TerminalProcess, with status: Int32) async throws {
        try await eventually("it ends") { terminal.exitStatus != nil }
        #expect(terminal.exitStatus == status)
        try await eventually("the screen is as before") { terminal.output.hasSuffix(leave) }
        #expect(terminal.isCooked && terminal.output.contains(enter))
    }

    @Test func `Keys choose what is shown and how it is ordered, and q quits`() async throws {
        try await Self.live { terminal, admin in
            #expect(
                !terminal.isCooked
                    && terminal.output.contains("[1 keys] 2 routes  3 tags  4 origins    by [r requests]")
            )
            #expect(!terminal.output.contains("\u{1B}[2J\u{1B}[K") && terminal.output.contains(#"the-keys-\u{1B}[2J"#))
            try terminal.press("\t")
            try await eventually("routes are shown") { terminal.output.contains("the-routes-") }
            try terminal.press("b")
            try await eventually("they are ordered by bytes") {
                admin.requests.contains { $0.query["of"] == "routes" && $0.query["by"] == "bytes" }
            }
            try terminal.press("4")
            try await eventually("origins are shown") { terminal.output.contains("the-origins-") }
            try terminal.press("3r")
            try await eventually("another order takes the place of one that is not counted") {
                terminal.output.contains("tags are not counted by requests") && terminal.output.contains("[m misses]")
            }
            try terminal.press("q")
            try await Self.ends(terminal, with: 0)
        }
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP, Int32(SIGQUIT)])
    func `Signals end the screen with the terminal as before`(_ signal: Int32) async throws {
        try await Self.live { terminal, _ in
            terminal.signal(signal)
            // Ctrl-C is a way to quit.
            try await Self.ends(terminal, with: signal == SIGINT ? 0 : 128 + signal)
        }
    }

    @Test func `Ctrl-C is sent as a signal`() async throws {
        try await Self.live { terminal, _ in
            try terminal.press("\u{3}")
            try await Self.ends(terminal, with: 0)
        }
    }

    #if os(Linux)
        @Test func `Ctrl-Z stops the program with the terminal as before, and it goes on`() async throws {
            try await Self.live { terminal, _ in
                terminal.signal(SIGTSTP)
                try await eventually("it is stopped") { terminal.isStopped }
                #expect(terminal.isCooked)
                try await eventually("the screen is left") { terminal.output.hasSuffix(Self.leave) }
                terminal.signal(SIGCONT)
                try await eventually("the screen is shown again") {
                    terminal.output.components(separatedBy: Self.enter).count == 3 && !terminal.isCooked
                }
                try terminal.press("q")
                try await Self.ends(terminal, with: 0)
            }
        }
    #endif

    @Test func `Another size of the terminal is another screen`() async throws {
        try await Self.live { terminal, _ in
            let before = terminal.output.count
            terminal.resize(columns: 30, rows: 10)
            try await eventually("it is drawn again") {
                let screen = terminal.output.dropFirst(before)
                return screen.contains("\u{1B}[H") && screen.hasSuffix("\u{1B}[J")
            }
            let screen = terminal.output.components(separatedBy: "\u{1B}[H").last ?? ""
            let lines = screen.replacing("\u{1B}[K", with: "").replacing("\u{1B}[J", with: "").components(
                separatedBy: "\r\n"
            ).map { $0.replacing("\r", with: "") }
            #expect(lines.count == 10 && lines.allSatisfy { $0.count <= 30 || $0.contains("\u{1B}[7m") }, "\(lines)")
        }
    }

    @Test func `The screen is refreshed, and a failure is shown above the last rows`() async throws {
        let isDown = NIOLockedValueBox(false)
        try await Self.live(["--interval", "100ms"]) { request in
            if isDown.withLockedValue({ $0 }) { return .problem("503 Service Unavailable", "It is away") }
            return Self.answer(request)
        } _: { terminal, admin in
            try await eventually("it is refreshed") { admin.requests.count > 4 }
            isDown.withLockedValue { $0 = true }
            try await eventually("the failure is shown") { terminal.output.contains("It is away") }
            let screen = terminal.output.components(separatedBy: "\u{1B}[H").last { $0.contains("It is away") }
            #expect(screen?.contains("the-keys-") == true)
            isDown.withLockedValue { $0 = false }
            let before = terminal.output.count
            try await eventually("it is gone") {
                let screens = String(terminal.output.dropFirst(before)).components(separatedBy: "\u{1B}[H")
                return screens.dropFirst().dropLast().last.map { !$0.contains("It is away") } ?? false
            }
            try terminal.press("q")
            try await Self.ends(terminal, with: 0)
        }
    }

    @Test func `A server that refuses the first request ends the command before a screen`() async throws {
        try await ScriptedAdmin.run(Self.answer) { admin in
            let environment = ["LARDER_ADMIN_URL": admin.origin.url + ScriptedAdmin.prefix]
            try await TerminalProcess.run("larder", ["top"], environment: environment) { terminal in
                try await eventually("it ends") { terminal.exitStatus != nil }
                try await eventually("it says why") { terminal.output.contains("needs a token") }
                #expect(terminal.exitStatus == EX_NOPERM && !terminal.output.contains(Self.enter))
            }
        }
    }

    // MARK: - The state of the screen

    @Test func `Keys that terminals send as sequences do not count as letters`() {
        var screen = TopScreen(address: "a", kind: .keys, order: .requests)
        #expect(screen.press(Array("\u{1B}[A\u{1B}OB\u{1B}[1;5C".utf8)) == .nothing)
        #expect(screen.kind == .keys && screen.order == .requests)
        #expect(screen.press(Array("\u{1B}[Z".utf8)) == .fetch && screen.kind == .origins)
        #expect(screen.press([0x1B]) == .nothing && screen.press(Array("x5".utf8)) == .nothing)
        #expect(screen.press(Array("O".utf8)) == .fetch && screen.order == .originTime)
        #expect(screen.press(Array("bq".utf8)) == .quit)
    }

    @Test(arguments: [1, 2, 5, 9, 24, 500]) func `A screen has as many lines as the terminal, none of which is wider`(
        _ rows: Int
    ) throws {
        var screen = TopScreen(address: "http://127.0.0.1:8000/-/larder", kind: .keys, order: .requests)
        let names = (0..<200).map { #"{"name":"\#($0)-\#(String(repeating: "日本", count: $0))","requests":\#($0)}"# }
        let decoder = AdminJSON.decoder
        let top = #"{"of":"keys","by":"requests","rows":[\#(names.joined(separator: ","))]}"#
        let answers = TopScreen.Answers(
            statistics: try decoder.decode(Statistics.self, from: Data(Self.statistics.utf8)),
            top: try decoder.decode(TopAnswer.self, from: Data(top.utf8))
        )
        screen.show(answers)
        for columns in [1, 10, 79, 80, 300] {
            let lines = screen.lines(columns: columns, rows: rows)
            #expect(lines.count == rows)
            #expect(lines.allSatisfy { PrintedText.width($0.text) <= columns })
        }
        #expect((1...100).contains(TopScreen.rows(onTerminalWith: rows)))
    }

    @Test func `Rows of another kind than the chosen one are not shown`() throws {
        var screen = TopScreen(address: "a", kind: .keys, order: .requests)
        let decoder = AdminJSON.decoder
        let top = #"{"of":"keys","by":"requests","rows":[{"name":"late","requests":1}]}"#
        let answers = TopScreen.Answers(
            statistics: try decoder.decode(Statistics.self, from: Data(Self.statistics.utf8)),
            top: try decoder.decode(TopAnswer.self, from: Data(top.utf8))
        )
        #expect(screen.press(Array("2".utf8)) == .fetch)
        screen.show(answers)
        #expect(!screen.lines(columns: 80, rows: 24).contains { $0.text.contains("late") })
    }
}
