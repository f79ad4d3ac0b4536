import Foundation
import Hummingbird
import LarderHummingbird

/// The context of a request, with the user who is signed in.
struct AppContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    var user: User?

    init(source: Source) { coreContext = .init(source: source) }

    /// The keys of JSON objects are sorted, so that a refresh that has changed nothing makes the same entity tag.
    var responseEncoder: JSONEncoder { .sortingKeys }
    var maxUploadSize: Int { 16 * 1024 }

    /// Returns the user.
    /// - Throws: 401 if nobody is signed in. A 4xx invalidates nothing.
    func requireUser() throws -> User {
        guard let user else { throw HTTPError(.unauthorized, message: "Sign in first: POST /api/session") }
        return user
    }
}
