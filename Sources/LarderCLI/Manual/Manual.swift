import ArgumentParser
import Foundation
import SystemErrors

/// The command `larder manual`, which writes the manual pages. It is for the people who package the program.
struct Manual: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the manual pages of the program and of its commands.",
        shouldDisplay: false
    )

    @Argument(help: "The folder of the pages.", completion: .directory)
    var folder: String

    func run() throws {
        for page in try ManualPage.all() {
            let file = URL(fileURLWithPath: folder).appending(path: page.name)
            do { try Data(page.text.utf8).write(to: file) } catch {
                throw Failure("\(file.path) cannot be written: \(ErrorText.describe(error))", code: EX_CANTCREAT)
            }
        }
    }
}

/// The description of a command that ArgumentParser makes of it.
struct CommandDescription: Decodable {
    struct Argument: Decodable {
        struct Name: Decodable {
            let kind: String
            let name: String

            /// The name as it is written on a command line.
            var text: String { (kind == "long" ? "--" : "-") + name }
        }

        let kind: String
        let shouldDisplay: Bool
        let isOptional: Bool
        let isRepeating: Bool
        let names: [Name]?
        let preferredName: Name?
        let valueName: String?
        let defaultValue: String?
        let allValues: [String]?
        let abstract: String?
    }

    let commandName: String
    let abstract: String?
    let discussion: String?
    let shouldDisplay: Bool
    let subcommands: [CommandDescription]?
    let arguments: [Argument]?

    /// The description of the program.
    static func program() throws -> CommandDescription {
        struct Dump: Decodable {
            let command: CommandDescription
        }
        return try JSONDecoder().decode(Dump.self, from: Data(LarderCommand._dumpHelp().utf8)).command
    }
}
