import ArgumentParser
import HTTPTypes
import LarderSimulation

/// The command `larder inspect`, which shows the stored responses of a key or URL.
struct Inspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what is stored for a key or URL, and why it would be served or not.",
        discussion: """
            The decision is the one about a GET request with the fields that --header gives, at this moment: the \
            result, the reason, and a sentence. Each variant has a decision too. Nothing is fetched or changed.

            An application knows keys such as GET:/api/posts/. A gateway knows keys such as \
            GET:http://127.0.0.1:8000/api/posts/, and URLs.

            EXAMPLES
              larder inspect http://127.0.0.1:8000/api/posts/
              larder inspect http://127.0.0.1:8000/a -H 'Accept-Language: de'
              larder inspect GET:/api/posts/ --url http://127.0.0.1:8080/larder

            \(AdminExit.codes("Nothing is stored there."))
            """
    )

    @Argument(help: ArgumentHelp("A key, or a URL that a gateway serves.", valueName: "key|url"))
    var target: String

    @Option(
        name: [.long, .customShort("H")],
        help: ArgumentHelp("A field of the request that the decision is about.", valueName: "name: value")
    )
    var header: [String] = []

    @OptionGroup var admin: AdminOptions

    func validate() throws {
        _ = try (EntryName(target), fields())
    }

    func run() async throws {
        var query: [(name: String, value: String)] =
            switch try EntryName(target) {
            case .url(let url): [("url", url)]
            case .key(let key): [("key", key)]
            }
        query += try fields().map { ("field", $0) }
        let answer = try await AdminClient.run(admin) { client -> AdminContent<EntryAnswer> in
            let answer = try await client.get("v1/entry", query)
            switch answer.status {
            case 200: return try client.content(of: answer)
            case 404 where answer.problem != nil:
                throw Failure("nothing is stored for \(PrintedText.escaped(target))", code: 1)
            default: throw client.failure(of: answer)
            }
        }
        guard !admin.json else { return try StandardOutput.print(try AdminJSON.pretty(answer.text)) }
        try StandardOutput.print(EntryReport(answer.value).lines.joined(separator: "\n"))
    }

    private func fields() throws -> [String] { try header.map(FieldText.checked) }
}

/// A field of a request on the command line.
enum FieldText {
    /// Returns a field as the API takes it, `Name: value`.
    /// - Throws: `ValidationError` if the text is not one.
    static func checked(_ text: String) throws -> String {
        guard let colon = text.firstIndex(of: ":"), let name = HTTPField.Name(String(text[..<colon])),
            case let value = text[text.index(after: colon)...].drop(while: { $0 == " " }),
            value.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else {
            throw ValidationError("--header is invalid: expected a field such as 'Accept: text/html', not \(text)")
        }
        return "\(name.rawName): \(value)"
    }
}

/// A key or URL on the command line.
enum EntryName {
    case key(String)
    case url(String)

    /// Reads a text.
    /// - Throws: `ValidationError` if it is neither.
    init(_ text: String) throws {
        let isURL = ["http://", "https://"].contains { text.lowercased().hasPrefix($0) }
        guard !text.hasPrefix("/"), text.contains(":"), !text.isEmpty,
            isURL || text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw ValidationError(
                "\(PrintedText.escaped(text)) is neither a key nor a URL: expected one such as GET:/api/posts/ or "
                    + "http://127.0.0.1:8000/api/posts/"
            )
        }
        self = isURL ? .url(text) : .key(text)
    }
}

/// The text about an entry.
struct EntryReport {
    private let entry: EntryAnswer

    init(_ entry: EntryAnswer) { self.entry = entry }

    /// The lines of the text.
    var lines: [String] {
        var lines = [PrintedText.escaped(entry.key)]
        if entry.key != entry.target, !entry.key.hasSuffix(":" + entry.target) {
            lines.append(Self.line("target", PrintedText.escaped(entry.target)))
        }
        if let requests = entry.requests {
            lines.append(Self.line("requests", "\(NumberText.grouped(requests)) since the start"))
        }
        lines.append(Self.line("decision", Self.text(entry.decision)))
        for (number, variant) in entry.variants.enumerated() {
            lines += ["", "Variant \(number + 1) of \(entry.variants.count)"] + Self.lines(variant)
        }
        return lines
    }

    private static func line(_ name: String, _ text: String) -> String {
        "  " + name + String(repeating: " ", count: max(1, 11 - name.count)) + text
    }

    private static func text(_ decision: EntryDecision) -> String {
        PrintedText.escaped("\(decision.result) (\(decision.reason)): \(decision.sentence)")
    }

    private static func lines(_ variant: EntryVariant) -> [String] {
        let source = variant.lifetimeSource == "none" ? "no lifetime" : "lifetime from \(variant.lifetimeSource)"
        let freshness =
            variant.ttl < 0
            ? "no, for \(EntryText.duration(Int(clamping: variant.ttl.magnitude)))"
            : "for \(EntryText.duration(variant.ttl)) more"
        var lines = [
            line("status", "\(variant.status)"),
            line("decision", text(variant.decision)),
            line("size", "\(NumberText.memory(variant.size)), the body \(NumberText.memory(variant.bodySize))"),
            line("age", "\(EntryText.duration(variant.age)), generated \(time(variant.generatedAt))"),
            line("fresh", "\(freshness), until \(time(variant.freshUntil)) (\(PrintedText.escaped(source)))"),
        ]
        // A time that is not after the one before it adds nothing.
        let stale = [
            ("while it is refreshed", variant.staleWhileRevalidateUntil),
            ("if the origin fails", variant.staleIfErrorUntil),
            ("if the origin cannot be reached", variant.staleIfUnreachableUntil),
        ].filter { $0.1 > variant.freshUntil }
        if !stale.isEmpty {
            lines.append(line("stale", stale.map { "\($0.0) until \(time($0.1))" }.joined(separator: "; ")))
        }
        lines.append(line("stored", "until \(time(variant.storedUntil))"))
        if !variant.vary.isEmpty {
            let selecting = variant.selectingFields.map(\.text)
            let shown = selecting.isEmpty ? "" : " (\(selecting.joined(separator: "; ")))"
            lines.append(line("vary", PrintedText.escaped(variant.vary.joined(separator: ", ") + shown)))
        }
        if !variant.tags.isEmpty {
            lines.append(line("tags", PrintedText.escaped(variant.tags.joined(separator: " "))))
        }
        lines.append("  fields")
        lines += variant.fields.map { "    " + PrintedText.escaped($0.text) }
        return lines
    }

    /// Returns a time of the API, `2026-12-01T09:00:00.000Z`, with the seconds alone.
    private static func time(_ text: String) -> String {
        let (day, time) = (text.prefix(10), text.dropFirst(11).prefix(8))
        return text.count >= 20 && text.hasSuffix("Z") ? "\(day) \(time) UTC" : PrintedText.escaped(text)
    }
}
