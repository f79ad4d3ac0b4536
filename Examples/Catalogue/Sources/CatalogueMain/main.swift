import Catalogue
import Foundation
import Hummingbird
import Larder
import Logging

/// Ends the program with a message.
func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("catalogue: \(message)\n".utf8))
    exit(EXIT_FAILURE)
}

let environment = Environment()
var options = CatalogueOptions()
options.host = environment.get("HOST") ?? options.host
options.port = environment.get("PORT", as: Int.self) ?? options.port
options.database = environment.get("CATALOGUE_DATABASE") ?? "catalogue.sqlite"
options.allowedOrigin = environment.get("CATALOGUE_ORIGIN") ?? options.allowedOrigin
options.redisURL = environment.get("REDIS_URL")
if let text = environment.get("CATALOGUE_ADMIN_TOKEN") {
    guard let token = BearerToken(text) else {
        fail("CATALOGUE_ADMIN_TOKEN is not a token: it needs at least 16 letters or digits")
    }
    options.adminToken = token
}
var logger = Logger(label: "catalogue")
logger.logLevel = environment.get("LOG_LEVEL").flatMap { Logger.Level(rawValue: $0) } ?? .info

do {
    try await buildApplication(options, logger: logger).runService()
} catch {
    fail("\(error)")
}
