import HTTPTypes
import Hummingbird

extension Router {
    /// Answers with a 405 to the methods that the routes so far do not have; the router would answer with a 404.
    ///
    /// RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response containing a list of
    /// the target resource's currently supported methods."
    func refuseOtherMethods() {
        let query = HTTPRequest.Method("QUERY").map { [$0] } ?? []
        let methods: [HTTPRequest.Method] = [.get, .post, .put, .patch, .delete, .options, .trace] + query
        for (_, routes) in Dictionary(grouping: routes, by: \.path.description) {
            var allowed = Set(routes.map(\.method))
            if allowed.contains(.get) { allowed.insert(.head) }
            let list = allowed.map(\.rawValue).sorted().joined(separator: ", ")
            for method in methods where !allowed.contains(method) {
                on(routes[0].path, method: method) { request, _ -> Response in
                    throw HTTPError(
                        .methodNotAllowed,
                        headers: [.allow: list],
                        message: "\(request.uri.path) accepts only \(list)"
                    )
                }
            }
        }
    }
}
