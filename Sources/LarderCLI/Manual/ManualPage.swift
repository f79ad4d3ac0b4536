import ArgumentParser

/// A manual page, in the macros of man(7).
struct ManualPage {
    /// The day of the last change of the texts, which a page has to state.
    private static let day = "2026-12-01"
    /// The number of options above which the synopsis does not name them.
    private static let synopsisLimit = 16

    /// The name of the file, such as `larder-purge.1`.
    let name: String
    let text: String

    /// The pages of the program and of its commands.
    static func all() throws -> [ManualPage] {
        let program = try CommandDescription.program()
        let commands = (program.subcommands ?? []).filter { $0.shouldDisplay && $0.commandName != "help" }
        let version = LarderCommand.configuration.version
        return [ManualPage(of: program, commands, version)]
            + commands.map { ManualPage(of: $0, in: program, commands, version) }
    }

    // MARK: - Pages

    /// Creates the page of the program.
    private init(of program: CommandDescription, _ commands: [CommandDescription], _ version: String) {
        var page = Roff(title: program.commandName, day: Self.day, version: version)
        page.section("NAME", ["\(program.commandName) \\- \(Roff.phrase(program.abstract ?? ""))"])
        page.section("SYNOPSIS", [Roff.bold(program.commandName) + " " + Roff.italic("command") + " [\\fIoptions\\fR]"])
        page.discussion(program.discussion ?? "")
        page.section("COMMANDS", [])
        for command in commands {
            page.item(Roff.bold("\(program.commandName) \(command.commandName)"), command.abstract ?? "")
        }
        Self.addOptions(of: program, to: &page)
        page.seeAlso(commands.map { "\(program.commandName)-\($0.commandName)" })
        (name, text) = ("\(program.commandName).1", page.text)
    }

    /// Creates the page of a command.
    private init(
        of command: CommandDescription,
        in program: CommandDescription,
        _ commands: [CommandDescription],
        _ version: String
    ) {
        let title = "\(program.commandName)-\(command.commandName)"
        var page = Roff(title: title, day: Self.day, version: version)
        page.section("NAME", ["\(Roff.escaped(title)) \\- \(Roff.phrase(command.abstract ?? ""))"])
        page.section(
            "SYNOPSIS",
            [Roff.bold("\(program.commandName) \(command.commandName)")] + Self.synopsis(command.arguments ?? [])
        )
        page.discussion(command.discussion ?? "", beforeExamples: { Self.addOptions(of: command, to: &$0) })
        let others = commands.map(\.commandName).filter { $0 != command.commandName }
        page.seeAlso([program.commandName] + others.map { "\(program.commandName)-\($0)" })
        (name, text) = ("\(title).1", page.text)
    }

    private static func synopsis(_ arguments: [CommandDescription.Argument]) -> [String] {
        let shown = arguments.filter { $0.shouldDisplay && $0.preferredName?.name != "help" }
        let options = shown.filter { $0.kind != "positional" }
        let positional = shown.filter { $0.kind == "positional" }.map { argument in
            let value = Roff.italic(argument.valueName ?? "value") + (argument.isRepeating ? " ..." : "")
            return argument.isOptional ? "[\(value)]" : value
        }
        guard options.count <= synopsisLimit else { return ["[\\fIoptions\\fR]"] + positional }
        return options.map { argument in
            let value = argument.kind == "option" ? " " + Roff.italic(argument.valueName ?? "value") : ""
            let option = Roff.bold(argument.preferredName?.text ?? "") + value
            return "[\(option)]" + (argument.isRepeating ? " ..." : "")
        } + positional
    }

    private static func addOptions(of command: CommandDescription, to page: inout Roff) {
        let shown = (command.arguments ?? []).filter(\.shouldDisplay)
        guard !shown.isEmpty else { return }
        page.section("OPTIONS", [])
        for argument in shown {
            let value = argument.valueName.map(Roff.italic) ?? ""
            var names = (argument.names ?? []).sorted { $0.kind > $1.kind }.map { Roff.bold($0.text) }
            if argument.kind == "option", !names.isEmpty { names[names.count - 1] += " " + value }
            var text = argument.abstract ?? ""
            if let values = argument.allValues, !values.isEmpty {
                text += " Values: \(values.joined(separator: ", "))."
            }
            if let standard = argument.defaultValue, argument.kind == "option" { text += " Default: \(standard)." }
            page.item(argument.kind == "positional" ? value : names.joined(separator: ", "), text)
        }
        guard shown.contains(where: { $0.preferredName?.name == "token-file" }) else { return }
        page.section("ENVIRONMENT", [])
        page.item(Roff.bold("LARDER_ADMIN_URL"), "The address of the admin API, unless --url gives it.")
        page.item(Roff.bold("LARDER_ADMIN_TOKEN"), "The token of the admin API, unless --token-file gives it.")
    }
}

/// A text in the macros of man(7).
struct Roff {
    private(set) var text: String

    init(title: String, day: String, version: String) {
        let heading = Roff.escaped(title.uppercased())
        text = ".\\\" Written by `larder manual`. Change the texts of the commands, and run `make manual`.\n"
        text += ".TH \(heading) 1 \(day) \"\(Roff.escaped(version))\" \"Larder\"\n"
    }

    // MARK: - Parts

    mutating func section(_ title: String, _ lines: [String]) {
        text += ".SH \(title)\n" + lines.map { $0 + "\n" }.joined()
    }

    /// Adds a term with its explanation.
    mutating func item(_ term: String, _ explanation: String) {
        text += ".TP\n\(term)\n" + Roff.lines(explanation)
    }

    mutating func seeAlso(_ pages: [String]) {
        let pages = pages.sorted().map { Roff.bold($0) + "(1)" }
        section("SEE ALSO", pages.enumerated().map { $1 + ($0 < pages.count - 1 ? "," : "") })
    }

    /// Adds the discussion of a command: paragraphs, indented lines as they are, and lines in capitals as sections.
    /// - Parameter beforeExamples: Adds what stands between the description and the examples.
    mutating func discussion(_ discussion: String, beforeExamples: (inout Roff) -> Void = { _ in }) {
        var isDescription = true
        if !discussion.isEmpty { section("DESCRIPTION", []) }
        var isFirst = true
        for part in discussion.split(separator: "\n\n") {
            var lines = part.split(separator: "\n").map(String.init)[...]
            if let title = lines.first, title == title.uppercased(), title.first?.isLetter == true {
                if isDescription { beforeExamples(&self) }
                (isDescription, isFirst) = (false, true)
                section(title, [])
                lines = lines.dropFirst()
            }
            if lines.allSatisfy({ $0.hasPrefix("  ") && $0.dropFirst(2).first?.isNumber == true }), !lines.isEmpty {
                for line in lines {
                    let code = line.drop { $0 == " " }.prefix { $0 != " " }
                    item(String(code), String(line.drop { $0 == " " }.dropFirst(code.count).drop { $0 == " " }))
                }
            } else if lines.allSatisfy({ $0.hasPrefix("  ") }) {
                guard !lines.isEmpty else { continue }
                text += (isFirst ? "" : ".PP\n") + ".nf\n"
                for line in lines { text += Roff.literal(String(line.dropFirst(2))) + "\n" }
                text += ".fi\n"
            } else {
                text += (isFirst ? "" : ".PP\n") + lines.map { Roff.lines($0) }.joined()
            }
            isFirst = false
        }
        if isDescription { beforeExamples(&self) }
    }

    // MARK: - Texts

    static func bold(_ text: String) -> String { "\\fB\(escaped(text))\\fR" }

    static func italic(_ text: String) -> String { "\\fI\(escaped(text))\\fR" }

    /// Returns a sentence without its full stop and its capital.
    static func phrase(_ text: String) -> String {
        let text = text.hasSuffix(".") ? String(text.dropLast()) : text
        return escaped(text.prefix(1).lowercased() + text.dropFirst())
    }

    /// Returns a text as lines of at most 100 characters, which the formatter fills.
    private static func lines(_ text: String) -> String {
        var (lines, line) = ([String](), "")
        for word in text.split(whereSeparator: \.isWhitespace) {
            if !line.isEmpty, line.count + word.count >= 100 {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        if !line.isEmpty { lines.append(line) }
        return lines.map { literal($0) + "\n" }.joined()
    }

    /// Returns a line that is no macro.
    private static func literal(_ line: String) -> String {
        (line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" : "") + escaped(line)
    }

    /// Returns a text whose characters stand for themselves.
    static func escaped(_ text: String) -> String {
        var output = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": output += "\\e"
            case "-": output += "\\-"
            case "'": output += "\\(aq"
            case "`": output += "\\(ga"
            case "~": output += "\\(ti"
            case "^": output += "\\(ha"
            case "\"": output += "\\(dq"
            case _ where scalar.isASCII: output.unicodeScalars.append(scalar)
            default:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                output += "\\[u\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits)]"
            }
        }
        return output
    }
}
