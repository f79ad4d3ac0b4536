import HTTPTypes
package import Hummingbird
package import Larder
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The server that an admin API is a part of, as far as the API depends on it.
package struct AdminSite<Context: RequestContext>: Sendable {
    /// A function that answers a request through the cache, by the policy of its route.
    package typealias Responder = @Sendable (HTTPRequest, Context) async throws -> Response

    /// The form of the cache's keys.
    let form: AdminKeyForm
    /// Returns the policy of the route of a request.
    let policy: @Sendable (HTTPRequest) -> SharedPolicy
    /// The function that answers requests which fill the cache; nil if the API offers none.
    let warm: Responder?
    /// Returns true if the server is about to stop, so that streams of events have to end.
    let isStopping: @Sendable () -> Bool

    package init(
        form: AdminKeyForm,
        policy: @escaping @Sendable (HTTPRequest) -> SharedPolicy,
        warm: Responder?,
        isStopping: @escaping @Sendable () -> Bool = { false }
    ) {
        self.form = form
        self.policy = policy
        self.warm = warm
        self.isStopping = isStopping
    }
}

/// The admin API of a cache, version 1: its operations, and the routes that are made from them.
package struct AdminAPI<Context: RequestContext>: Sendable {
    let cache: ResponseCache
    let access: AdminAccess
    let audit: AdminAudit
    let site: AdminSite<Context>

    package init(of cache: ResponseCache, access: AdminAccess, audit: AdminAudit, site: AdminSite<Context>) {
        self.cache = cache
        self.access = access
        self.audit = audit
        self.site = site
    }

    /// The size of the largest content of a request in bytes: 1 MiB.
    private static var contentLimit: Int { 1_048_576 }

    /// The operations, in the order of the page.
    package var operations: [APIOperation<Context>] {
        [listEntries, getEntry, purge] + (site.warm == nil ? [] : [warm]) + statistics + [document, page]
    }

    // MARK: - Routes

    /// Adds the routes of all operations below a path.
    package func addRoutes(to router: some RouterMethods<Context>, at path: RouterPath) {
        for (route, operations) in Dictionary(grouping: operations, by: \.path) {
            addRoutes(to: router, at: path.appendingPath(RouterPath(route)), operations)
        }
    }

    private func addRoutes(
        to router: some RouterMethods<Context>,
        at path: RouterPath,
        _ operations: [APIOperation<Context>]
    ) {
        var allowed = operations.map(\.method) + [.options]
        if allowed.contains(.get) { allowed.append(.head) }
        let list = allowed.map(\.rawValue).sorted().joined(separator: ", ")
        for operation in operations {
            router.on(path, method: operation.method) { await respond(to: $0, $1, operation) }
            guard operation.method == .get else { continue }
            router.on(path, method: .head) { await respond(to: $0, $1, operation).createHeadResponse() }
        }
        router.on(path, method: .options) { _, _ in
            Response(status: .noContent, headers: [.allow: list])
        }
        for method in Self.methods where !allowed.contains(method) {
            router.on(path, method: method) { _, _ in
                // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
                var problem = APIProblem(.methodNotAllowed, "This route accepts \(list)")
                problem.headers = [.allow: list]
                return problem.response
            }
        }
    }

    /// The methods that are refused with 405 where no operation has them.
    private static var methods: [HTTPRequest.Method] {
        let query = HTTPRequest.Method("QUERY").map { [$0] } ?? []
        return [.get, .head, .post, .put, .patch, .delete, .trace, .connect] + query
    }

    /// Answers a request for an operation, and logs it with the client and the status, unless the operation is public.
    private func respond(to request: Request, _ context: Context, _ operation: APIOperation<Context>) async -> Response
    {
        guard !operation.isPublic else { return await answer(request, context, operation).response }
        let peer = (context as? any RemoteAddressRequestContext)?.remoteAddress
        var answered: AdminAnswer
        do throws(AdminRefusal) {
            try access.check(request, peer: peer)
            answered = await answer(request, context, operation)
        } catch {
            answered = AdminAnswer(APIProblem(error).response)
        }
        audit.log(
            request,
            client: AdminRoutes<Context>.client(of: context, at: peer),
            answered,
            to: context.logger
        )
        return answered.response
    }

    private func answer(_ request: Request, _ context: Context, _ operation: APIOperation<Context>) async -> AdminAnswer
    {
        do throws(APIProblem) {
            let call = APICall(
                request: request,
                context: context,
                query: operation.isPublic ? APIQuery() : try APIQuery(request, operation.parameters),
                content: try await content(of: request, operation)
            )
            return try await operation.action(self, call)
        } catch {
            return AdminAnswer(error.response)
        }
    }

    /// Returns the content of a request for an operation that has content.
    private func content(
        of request: Request,
        _ operation: APIOperation<Context>
    ) async throws(APIProblem) -> JSONValue {
        guard let schema = operation.content else { return .null }
        let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased().filter { !$0.isWhitespace }
        guard type == "application/json" else {
            throw APIProblem(.unsupportedMediaType, "This route needs JSON: send Content-Type: application/json")
        }
        let tooLarge = APIProblem(.contentTooLarge, "The content may have at most \(Self.contentLimit) bytes")
        let declared = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        guard declared <= Self.contentLimit else { throw tooLarge }
        let bytes: ByteBuffer
        do {
            bytes = try await request.body.collect(upTo: Self.contentLimit)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        } catch {
            throw APIProblem("The content is incomplete")
        }
        let value = try Self.json(bytes)
        if let fault = schema.fault(of: value, called: "the content", Self.schemas(site.form)) {
            throw APIProblem(fault)
        }
        return value
    }

    private static func json(_ bytes: ByteBuffer) throws(APIProblem) -> JSONValue {
        guard bytes.readableBytes > 0 else { throw APIProblem("The content is empty: a JSON object was expected") }
        do {
            return try JSONDecoder().decode(JSONValue.self, from: Data(bytes.readableBytesView))
        } catch let problem as APIProblem {
            throw problem
        } catch {
            throw APIProblem("The content is not JSON (RFC 8259)")
        }
    }
}

/// A request for an operation, read by the operation's table.
package struct APICall<Context: RequestContext>: Sendable {
    package let request: Request
    package let context: Context
    package let query: APIQuery
    /// The content; null if the operation has none.
    package let content: JSONValue
}
