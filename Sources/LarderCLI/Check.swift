import ArgumentParser
import Foundation
import LarderGateway

/// `larder check`: what is wrong in a configuration file, and what it means.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what is wrong in a configuration file, by line, or what its routes do.",
        discussion: "Variables of the environment (LARDER_…) are read as `larder serve` reads them."
    )

    @Argument(help: "A configuration file, in YAML.")
    var file: String

    func run() async throws {
        let file = try ConfigurationSource.file(file)
        let check = GatewayCheck.run(
            text: file.text,
            name: file.name,
            environment: ProcessInfo.processInfo.environment
        )
        guard check.diagnostics.isEmpty else {
            throw Failure(check.diagnostics.map(\.description).joined(separator: "\n"), code: EX_CONFIG)
        }
        // The files that the text names, and the store's address, are not checked by reading it.
        let configuration = try ConfigurationSource(path: self.file).read()
        let unusable = GatewayFiles.check(configuration)
        guard unusable.isEmpty else {
            throw Failure(unusable.sorted().map(\.description).joined(separator: "\n"), code: EX_CONFIG)
        }
        try configuration.checkStore()
        for warning in check.warnings { FileHandle.standardError.write(Data("\(warning)\n".utf8)) }
        print(check.summary)
    }
}
