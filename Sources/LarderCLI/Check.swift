import ArgumentParser
import Foundation
import LarderGateway

/// The command `larder check`, which prints the diagnostics of a configuration file, or a summary of its routes.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a configuration file: print its errors by line, or a summary of its routes.",
        discussion: "Environment variables (LARDER_…) are read, as by `larder serve`."
    )

    @Argument(help: "A configuration file, in YAML; - for standard input.")
    var file: String

    func run() async throws {
        let file = try ConfigurationSource.file(file)
        let check = GatewayCheck.run(
            text: file.text,
            name: file.name,
            environment: ProcessInfo.processInfo.environment
        )
        guard check.diagnostics.isEmpty else { throw Failure(check.diagnostics) }
        // The check of the text covers neither the files it names nor the address of the store.
        let configuration = try ConfigurationSource(path: self.file).read(file)
        let unusable = GatewayFiles.check(configuration)
        guard unusable.isEmpty else { throw Failure(unusable.sorted()) }
        try configuration.checkStore()
        for warning in check.warnings { printError(warning.printed) }
        print(check.summary)
    }
}
