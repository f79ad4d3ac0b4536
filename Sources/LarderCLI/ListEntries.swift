import ArgumentParser
import LarderHummingbird
import LarderSimulation

/// The command `larder ls`, which lists stored entries.
struct ListEntries: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List the entries that a gateway or an application has stored.",
        discussion: """
            Without a condition all entries are listed, and with several those that meet all of them. Keys and tags \
            are cut to the width of the terminal; in a pipe or a file they are whole.

            EXAMPLES
              larder ls
              larder ls --prefix /api/posts --limit 20
              larder ls --tag posts
              larder ls --match page=2
              larder ls --json | jq -r '.entries[].key'

            \(AdminExit.codes("No entry was found, or the store cannot list entries."))
            """
    )

    /// The number of entries of one request.
    private static let pageSize = 500

    @Option(
        help: ArgumentHelp(
            "Entries at a path and below it; in a gateway also //host for a whole host.",
            valueName: "path"
        )
    )
    var prefix: String?

    @Option(help: ArgumentHelp("Entries at a path, with any query.", valueName: "path"))
    var path: String?

    @Option(help: ArgumentHelp("Entries with a tag.", valueName: "tag"))
    var tag: String?

    @Option(help: ArgumentHelp("Entries whose key contains a text.", valueName: "text"))
    var match: String?

    @Option(help: ArgumentHelp("The largest number of entries (all).", valueName: "count"))
    var limit: Int?

    @OptionGroup var admin: AdminOptions

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is invalid: expected a number of 1 or more") }
        for (name, path) in [("--prefix", prefix), ("--path", path)] {
            if let path, !path.hasPrefix("/") {
                throw ValidationError("\(name) is invalid: expected a path that begins with /")
            }
        }
    }

    func run() async throws {
        let count = try await AdminClient.run(admin) { client in
            admin.json ? try await printJSON(client) : try await printTable(client)
        }
        guard count == 0 else { return }
        printError("larder: no entry was found")
        throw AdminExit.failed
    }

    /// Prints the entries as JSON, and returns their number.
    private func printJSON(_ client: AdminClient) async throws -> Int {
        var (printer, count) = (try JSONArrayPrinter("entries"), 0)
        try await pages(of: JSONValue.self, client) { entries in
            for entry in entries { try printer.add(entry) }
            count += entries.count
        }
        try printer.end()
        return count
    }

    /// Prints the entries as a table, and returns their number.
    private func printTable(_ client: AdminClient) async throws -> Int {
        var table = TextTable(
            [
                .text("KEY", isFlexible: true), .number("VARIANTS"), .number("SIZE"), .number("AGE"), .number("FRESH"),
                .number("REQUESTS"), .text("TAGS", isFlexible: true),
            ],
            width: StandardOutput.width
        )
        var count = 0
        try await pages(of: EntrySummary.self, client) { entries in
            let lines = table.lines(entries.map(Self.cells))
            if count == 0, !lines.isEmpty { try StandardOutput.print(table.header) }
            for line in lines { try StandardOutput.print(line) }
            count += entries.count
        }
        return count
    }

    private static func cells(of entry: EntrySummary) -> [String] {
        [
            PrintedText.escaped(entry.key), NumberText.grouped(entry.variants), NumberText.memory(entry.size),
            NumberText.duration(.seconds(entry.age)), EntryText.freshness(entry.ttl),
            entry.requests.map(NumberText.grouped) ?? "-", PrintedText.escaped(entry.tags.joined(separator: " ")),
        ]
    }

    /// Requests one page after the other, up to the limit or the end.
    private func pages<Entry: Decodable>(
        of type: Entry.Type,
        _ client: AdminClient,
        _ body: ([Entry]) throws -> Void
    ) async throws {
        let conditions = [("prefix", prefix), ("path", path), ("tag", tag), ("match", match)]
        let query = conditions.compactMap { name, value in value.map { (name: name, value: $0) } }
        var (rest, cursor) = (limit ?? .max, String?.none)
        while rest > 0 {
            var page = query + [(name: "limit", value: "\(min(Self.pageSize, rest))")]
            if let cursor { page.append((name: "cursor", value: cursor)) }
            let answer = try await client.get("v1/entries", page, as: EntryPage<Entry>.self).value
            let entries = answer.entries.prefix(rest)
            try body(Array(entries))
            rest -= entries.count
            guard let next = answer.cursor else { return }
            guard next != cursor else { throw Failure("the API returns the same page again and again", code: 1) }
            cursor = next
        }
        if limit != nil { printError("larder: there may be more entries, which --limit leaves out") }
    }
}

/// The texts of entries.
enum EntryText {
    /// Returns for how long an entry is still fresh, or has been stale.
    static func freshness(_ ttl: Int) -> String {
        ttl < 0 ? "stale \(duration(Int(clamping: ttl.magnitude)))" : duration(ttl)
    }

    /// Returns a number of seconds as a time.
    static func duration(_ seconds: Int) -> String { NumberText.duration(.seconds(seconds)) }

    /// Returns the number of things with their name: `1 entry`, `2 entries`.
    static func count(_ number: Int, _ one: String, _ many: String) -> String {
        "\(NumberText.grouped(number)) \(number == 1 ? one : many)"
    }
}
