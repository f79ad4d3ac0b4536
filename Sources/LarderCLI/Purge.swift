import ArgumentParser
import Foundation
import LarderSimulation

/// The command `larder purge`, which removes stored entries or makes them stale.
struct Purge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove stored entries, or make them stale.",
        discussion: """
            Arguments are keys and URLs. Options name more, and each may be given several times. What is removed is \
            removed in all processes that share the store. Responses that are being fetched are not stored either, \
            unless only --all-tags names them.

            With --soft, entries become stale: they may still be served while they are refreshed or if the origin \
            fails, for as long as they say. With --dry-run nothing is changed. On a terminal, the command says how \
            many entries --everything and --prefix match, and asks; --yes answers.

            EXAMPLES
              larder purge http://127.0.0.1:8000/api/posts/
              larder purge --path /api/posts --tag users
              larder purge --prefix /api --dry-run
              larder purge --all-tags posts,lang-de --soft
              larder purge --tag posts --warm
              larder purge --everything --yes

            \(AdminExit.codes("Nothing was stored there, or the store is down and the purge is queued."))
            """
    )

    /// The number of values of one kind that the API takes.
    private static let valueLimit = 1_000
    /// The time limit if none is given: entries are counted, and with --warm requested.
    private static let timeLimit = Duration.seconds(300)

    @Argument(help: ArgumentHelp("Keys, or URLs that a gateway serves.", valueName: "key|url"))
    var targets: [String] = []

    @Option(help: ArgumentHelp("The entries at a path, with any query.", valueName: "path"))
    var path: [String] = []

    @Option(
        help: ArgumentHelp(
            "The entries at a path and below it; in a gateway also //host for a whole host.",
            valueName: "path"
        )
    )
    var prefix: [String] = []

    @Option(help: ArgumentHelp("The entries with a tag.", valueName: "tag"))
    var tag: [String] = []

    @Option(help: ArgumentHelp("The entries that have each of 2 to 8 tags.", valueName: "tag,tag"))
    var allTags: [String] = []

    @Flag(help: "All entries.")
    var everything = false

    @Flag(help: "Make the entries stale in place of removing them.")
    var soft = false

    @Flag(help: "Say how many entries match, and change nothing.")
    var dryRun = false

    @Flag(help: "Request again what was removed, so that it is stored.")
    var warm = false

    @Flag(name: [.long, .customShort("y")], help: "Do not ask on a terminal.")
    var yes = false

    @OptionGroup var admin: AdminOptions

    func validate() throws {
        let request = try request()
        let lists = [request.keys, request.urls, request.paths, request.prefixes, request.tags]
        guard everything || lists.contains(where: { $0 != nil }) || request.allTags != nil else {
            throw ValidationError(
                "nothing is named: give a key or URL, --path, --prefix, --tag, --all-tags or --everything"
            )
        }
        for list in lists where (list?.count ?? 0) > Self.valueLimit {
            throw ValidationError("at most \(Self.valueLimit) values of one kind can be purged at once")
        }
        for (name, paths) in [("--path", path), ("--prefix", prefix)] {
            guard paths.allSatisfy({ $0.hasPrefix("/") }) else {
                throw ValidationError("\(name) is invalid: expected a path that begins with /")
            }
        }
        guard !(warm && dryRun) else { throw ValidationError("--warm changes entries, which --dry-run does not do") }
    }

    func run() async throws {
        let purge = try request()
        try await AdminClient.run(admin, timeLimit: Self.timeLimit) { client in
            try await confirm(purge, client)
            let answer = try await client.post("v1/purge", purge)
            // An invalidation that is queued has a result too.
            let pending = answer.status == 503 ? answer.problem?.purge : nil
            guard answer.status == 200 || pending != nil else { throw client.failure(of: answer) }
            let result = try pending ?? client.content(of: answer, as: PurgeAnswer.self).value
            if admin.json {
                try StandardOutput.print(try AdminJSON.pretty(answer.body))
            } else {
                for line in PurgeReport(result, width: StandardOutput.width).lines { try StandardOutput.print(line) }
            }
            if let failures = result.warm?.results.count(where: { $0.result == "failed" }), failures > 0 {
                throw AdminExit.failed
            }
            if pending != nil || result.matched == 0 { throw AdminExit.failed }
        }
    }

    /// The content of the request.
    private func request() throws -> PurgeRequest {
        var request = PurgeRequest()
        for target in targets {
            switch try EntryName(target) {
            case .key(let key): request.keys = (request.keys ?? []) + [key]
            case .url(let url): request.urls = (request.urls ?? []) + [url]
            }
        }
        func list(_ values: [String]) -> [String]? { values.isEmpty ? nil : values }
        (request.paths, request.prefixes, request.tags) = (list(path), list(prefix), list(tag))
        if !allTags.isEmpty {
            request.allTags = try allTags.map { text in
                let tags = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
                guard (2...8).contains(tags.count), !tags.contains("") else {
                    throw ValidationError(
                        "--all-tags is invalid: expected 2 to 8 tags such as posts,lang-de, not \(text)"
                    )
                }
                return tags
            }
        }
        if everything { request.everything = true }
        if soft { request.mode = "soft" }
        if dryRun { request.dryRun = true }
        if warm { request.warm = true }
        return request
    }

    // MARK: - Confirmation

    /// Asks the person at the terminal if much may be removed.
    /// - Throws: `AdminExit.failed` if the answer is not yes.
    private func confirm(_ purge: PurgeRequest, _ client: AdminClient) async throws {
        guard everything || !prefix.isEmpty, !dryRun, !yes, isatty(STDIN_FILENO) == 1 else { return }
        var question = purge
        (question.dryRun, question.warm) = (true, nil)
        let answer = try await client.post("v1/purge", question)
        var matched = "an unknown number of entries"
        if answer.status == 200 {
            let counted = try client.content(of: answer, as: PurgeAnswer.self).value
            if let number = counted.matched {
                matched = EntryText.count(number, "entry", "entries")
                if counted.complete == false { matched = "at least \(matched)" }
            }
        } else if ![501, 503].contains(answer.status) {
            // An invalidation is queued if the store cannot be reached, so it may be asked for.
            throw client.failure(of: answer)
        }
        StandardError.write("\(soft ? "Make \(matched) stale" : "Remove \(matched)")? [y/N] ")
        guard let reply = readLine(), ["y", "yes"].contains(reply.trimmingCharacters(in: .whitespaces).lowercased())
        else {
            printError("larder: nothing was changed")
            throw AdminExit.failed
        }
    }
}

/// The text about a result of an invalidation.
struct PurgeReport {
    private let answer: PurgeAnswer
    private let width: Int?

    init(_ answer: PurgeAnswer, width: Int?) {
        self.answer = answer
        self.width = width
    }

    /// The lines of the text.
    var lines: [String] {
        var lines = [sentence]
        if answer.selectors.count > 1 { lines += table }
        if let warm = answer.warm { lines += WarmReport(warm.results, width: width).lines }
        return lines
    }

    private var sentence: String {
        if answer.result == "pending" {
            return "The invalidation is queued: the store cannot be reached now, and gets it as soon as it can be."
        }
        guard let matched = answer.matched else {
            return answer.dryRun ? "The store does not count entries." : "Done. The store does not count entries."
        }
        var count = EntryText.count(matched, "entry", "entries")
        if answer.complete == false { count = "At least \(count)" }
        switch (answer.dryRun, answer.mode) {
        case (true, "soft"): return "\(count) would become stale."
        case (true, _): return "\(count) would be removed."
        case (false, "soft"): return matched == 1 ? "\(count) is stale now." : "\(count) are stale now."
        case (false, _): return matched == 1 ? "\(count) was removed." : "\(count) were removed."
        }
    }

    private var table: [String] {
        var table = TextTable(
            [.text("BY"), .text("VALUE", isFlexible: true), .number("ENTRIES")],
            width: width,
            indentation: "  "
        )
        let rows = answer.selectors.map { selector in
            [
                selector.selector.replacing("_", with: " "),
                PrintedText.escaped(selector.values.joined(separator: selector.selector == "all_tags" ? " + " : " ")),
                selector.matched.map(NumberText.grouped) ?? "-",
            ]
        }
        let lines = table.lines(rows)
        return [table.header] + lines
    }
}
