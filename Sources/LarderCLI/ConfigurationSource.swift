import ArgumentParser
import Foundation
import LarderGateway
import SystemErrors

/// The source of a configuration.
struct ConfigurationSource: Sendable {
    /// The variable of the environment that gives the path of the file if the command line does not.
    static let variable = "LARDER_CONFIG"

    /// The path of the file; `-` for standard input; nil for none.
    var path: String?
    var options: [String: String] = [:]
    /// The listening sockets that a service manager passed to this process.
    var sockets = InheritedSockets.none

    /// Creates the source that the command line and the environment name.
    init(path: String?, options: [String: String] = [:], sockets: InheritedSockets = .none) {
        let variable = ProcessInfo.processInfo.environment[Self.variable] ?? ""
        self.path = path ?? (variable.isEmpty ? nil : variable)
        self.options = options
        self.sockets = sockets
    }

    /// Reads the configuration.
    /// - Throws: ``Failure``, with a line for each diagnostic.
    func read() throws -> GatewayConfiguration {
        try read(try path.map(Self.file))
    }

    /// Reads the configuration again.
    /// - Throws: ``Failure``, with a line for each diagnostic.
    func readAgain() throws -> GatewayConfiguration {
        guard path != "-" else {
            throw Failure(
                "standard input cannot be read twice: give the configuration as a file to reload it",
                code: EX_NOINPUT
            )
        }
        return try read()
    }

    /// Makes the configuration from the text of the file.
    /// - Throws: ``Failure``, with a line for each diagnostic.
    func read(_ file: GatewayConfiguration.File?) throws -> GatewayConfiguration {
        do throws(ConfigurationDiagnostics) {
            return try GatewayConfiguration(
                file: file,
                environment: ProcessInfo.processInfo.environment,
                options: options,
                sockets: sockets
            )
        } catch {
            throw Failure(error.diagnostics)
        }
    }

    /// Returns a file, or standard input if the path is `-`, as text.
    static func file(_ path: String) throws -> GatewayConfiguration.File {
        let isInput = path == "-"
        let label = isInput ? "standard input" : path
        do {
            let file = try isInput ? FileHandle.standardInput : FileHandle(forReadingFrom: URL(filePath: path))
            defer { if !isInput { try? file.close() } }
            // One byte more than the limit shows that the file is too large.
            let bytes = try file.readAll(upTo: GatewayConfiguration.File.lengthLimit + 1)
            let isWhole = bytes.count <= GatewayConfiguration.File.lengthLimit
            guard let text = isWhole ? String(validating: bytes, as: UTF8.self) : String(decoding: bytes, as: UTF8.self)
            else { throw Failure("\(label) cannot be read: it is not UTF-8; save it as UTF-8", code: EX_NOINPUT) }
            // Compilers name standard input in the same way.
            return GatewayConfiguration.File(name: isInput ? "<stdin>" : path, text: text)
        } catch let failure as Failure {
            throw failure
        } catch {
            let reason = (isInput ? nil : ErrorText.unreadableReason(of: path)) ?? "reading it failed"
            throw Failure("\(label) cannot be read: \(reason)", code: EX_NOINPUT)
        }
    }
}

extension ArgumentHelp {
    /// The help for `--config`.
    static let config = ArgumentHelp(
        "A configuration file, in YAML; - for standard input (the variable \(ConfigurationSource.variable)).",
        valueName: "file"
    )
}
