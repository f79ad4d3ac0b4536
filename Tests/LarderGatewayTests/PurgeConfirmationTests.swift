import TestHelpers
import Testing

/// `larder purge` in a terminal, where it asks before much is removed.
@Suite(.timeLimit(.minutes(5))) struct PurgeConfirmationTests {
    /// Returns the answer of an API that counts 1,234 entries, and removes them.
    @Sendable private static func answer(_ request: ScriptedAdmin.Request) -> ScriptedAdmin.Answer {
        let isDry = request.content["dry_run"] as? Bool == true
        return .init(
            body: """
                {"result":"\(isDry ? "counted" : "acknowledged")","mode":"hard","dry_run":\(isDry),"matched":1234,\
                "complete":\(!isDry),"selectors":[]}
                """
        )
    }

    /// Runs the command in a terminal.
    private static func run(
        _ arguments: [String],
        _ answer: @escaping @Sendable (ScriptedAdmin.Request) async throws -> ScriptedAdmin.Answer = answer,
        _ test: @Sendable (TerminalProcess, ScriptedAdmin) async throws -> Void
    ) async throws {
        try await ScriptedAdmin.run(answer) { admin in
            let environment = [
                "LARDER_ADMIN_URL": admin.origin.url + ScriptedAdmin.prefix, "LARDER_ADMIN_TOKEN": ScriptedAdmin.token,
            ]
            try await TerminalProcess.run("larder", ["purge"] + arguments, environment: environment) { terminal in
                try await test(terminal, admin)
            }
        }
    }

    private static func ends(_ terminal: TerminalProcess, with status: Int32, _ text: String) async throws {
        try await eventually("it ends: \(terminal.output)") { terminal.exitStatus != nil }
        #expect(terminal.exitStatus == status)
        try await eventually("it says so: \(terminal.output)") { terminal.output.contains(text) }
    }

    @Test(arguments: [
        (["--everything"], "Remove"), (["--prefix", "/a", "--warm"], "Remove"), (["--everything", "--soft"], "Make"),
    ])
    func `Much is removed only after a yes`(_ arguments: [String], _ verb: String) async throws {
        try await Self.run(arguments) { terminal, admin in
            let question =
                verb == "Make" ? "Make at least 1,234 entries stale? [y/N] " : "Remove at least 1,234 entries? [y/N] "
            try await eventually("it asks: \(terminal.output)") { terminal.output.hasSuffix(question) }
            #expect(admin.requests.map { $0.content["dry_run"] as? Bool } == [true])
            #expect(admin.requests[0].content["warm"] == nil)
            try terminal.press("y\n")
            try await Self.ends(terminal, with: 0, "1,234 entries were removed.")
            #expect(admin.requests.map { $0.content["dry_run"] as? Bool } == [true, nil])
            #expect(admin.requests[1].content["warm"] as? Bool == (arguments.contains("--warm") ? true : nil))
        }
    }

    @Test(arguments: ["n\n", "\n", "yesterday\n", "\u{4}"]) func `Nothing is changed after any other answer`(
        _ keys: String
    ) async throws {
        try await Self.run(["--everything"]) { terminal, admin in
            try await eventually("it asks: \(terminal.output)") { terminal.output.hasSuffix("? [y/N] ") }
            try terminal.press(keys)
            try await Self.ends(terminal, with: 1, "larder: nothing was changed")
            #expect(admin.requests.count == 1)
        }
    }

    @Test(arguments: [
        ["--everything", "--yes"], ["--everything", "-y"], ["--tag", "a"], ["--path", "/a", "GET:/b"],
    ])
    func `Little is removed without a question, and everything after --yes`(_ arguments: [String]) async throws {
        try await Self.run(arguments) { terminal, admin in
            try await Self.ends(terminal, with: 0, "1,234 entries were removed.")
            #expect(admin.requests.count == 1 && !terminal.output.contains("[y/N]"))
        }
    }

    @Test(arguments: ["501 Not Implemented", "503 Service Unavailable"])
    func `A store that does not count, or cannot be reached, is asked about too`(_ status: String) async throws {
        try await Self.run(["--everything"]) { request in
            request.content["dry_run"] as? Bool == true ? .problem(status, "No") : Self.answer(request)
        } _: { terminal, _ in
            try await eventually("it asks") { terminal.output.hasSuffix("Remove an unknown number of entries? [y/N] ") }
            try terminal.press("y\n")
            try await Self.ends(terminal, with: 0, "1,234 entries were removed.")
        }
    }

    @Test func `A refused count ends the command before a question`() async throws {
        try await Self.run(["--everything"]) { _ in
            .problem("403 Forbidden", "Not from here")
        } _: { terminal, _ in
            try await Self.ends(terminal, with: 77, "refuses the request: Not from here")
            #expect(!terminal.output.contains("[y/N]"))
        }
    }
}
