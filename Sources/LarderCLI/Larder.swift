import ArgumentParser
import Foundation
import Larder
import LarderGateway

/// The program `larder`.
@main
struct LarderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "larder",
        abstract: "A response cache in front of any API.",
        discussion: """
            `larder serve` answers the requests for an API from a cache, and forwards the others. `larder check`, \
            `larder explain` and `larder simulate` say what it would do. The other commands ask a gateway that runs, \
            or an application that has a cache, by its admin API.

            ENVIRONMENT
              LARDER_ADMIN_URL    The address of the admin API.
              LARDER_ADMIN_TOKEN  The token that serve expects and the others send.
              LARDER_...          The options of serve, such as LARDER_MEMORY_LIMIT.
            """,
        version: "larder \(LarderVersion.current)",
        subcommands: [Manual.self],
        groupedSubcommands: [
            CommandGroup(name: "Gateway", subcommands: [Serve.self, Check.self, Explain.self, Simulate.self]),
            CommandGroup(
                name: "Operation",
                subcommands: [Stats.self, Top.self, ListEntries.self, Inspect.self, Purge.self, Warm.self, Health.self]
            ),
        ]
    )

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure {
            failure.lines.forEach(printError)
            Foundation.exit(failure.code)
        } catch {
            exit(withError: error)
        }
    }
}

/// An error that ends the program, with a message for the user and an exit code of `sysexits.h`.
struct Failure: Error, CustomStringConvertible {
    let description: String
    /// The lines that the program prints: each names a location, or the program, as a compiler's messages do.
    let lines: [String]
    let code: Int32

    /// Creates a failure that does not concern a location in a configuration.
    init(_ description: String, code: Int32) {
        self.description = description
        self.lines = ["larder: error: \(description)"]
        self.code = code
    }

    /// Creates the failure of a configuration with diagnostics.
    init(_ diagnostics: [Diagnostic]) {
        description = diagnostics.map(\.description).joined(separator: "\n")
        lines = diagnostics.map(\.printed)
        code = EX_CONFIG
    }
}

extension Diagnostic {
    /// The line that the program prints. A diagnostic without a location names the program.
    var printed: String { location == .nowhere ? "larder: \(self)" : "\(self)" }
}

/// Prints a line on standard error.
func printError(_ line: String) { StandardError.write("\(line)\n") }
