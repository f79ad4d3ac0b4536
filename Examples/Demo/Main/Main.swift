import Configuration
import Foundation
import Hummingbird
import Larder
import LarderDemo
import Logging
import NIOCore

/// The program that serves the example API, configured by the environment.
@main
struct Main {
    static func main() async {
        if let argument = CommandLine.arguments.dropFirst().first {
            fail(
                "unexpected argument \(argument): the program takes none, and is configured by the environment "
                    + "variables \(DemoConfiguration.variables)",
                code: EX_USAGE
            )
        }
        do {
            let configuration = try DemoConfiguration(reading: ConfigReader(provider: EnvironmentVariablesProvider()))
            try await serve(configuration)
        } catch let error as ConfigurationError {
            fail("\(error)", code: EX_CONFIG)
        } catch {
            fail("\(error)", code: EXIT_FAILURE)
        }
    }

    private static func serve(_ configuration: DemoConfiguration) async throws {
        var logger = Logger(label: "larder-demo")
        logger.logLevel = configuration.logLevel
        let cache = ResponseCache(store: try makeStore(configuration, logger: logger), logger: logger)
        for warning in DemoConfiguration.warnings(ProcessInfo.processInfo.environment) { logger.warning("\(warning)") }
        if let advice = configuration.adviceOnAccess { logger.notice("\(advice)") }
        let application = buildApplication(configuration, cache: cache, logger: logger)
        let address = "\(configuration.host):\(configuration.port)"
        do {
            try await application.runService()
        } catch let error as IOError {
            fail("cannot listen on \(address): \(String(cString: strerror(error.errnoCode)))", code: EX_UNAVAILABLE)
        } catch is SocketAddressError.UnknownHost {
            fail("cannot listen on \(address): the host name cannot be resolved", code: EX_UNAVAILABLE)
        }
    }

    private static func fail(_ message: String, code: Int32) -> Never {
        FileHandle.standardError.write(Data("larder-demo: \(message)\n".utf8))
        exit(code)
    }
}
