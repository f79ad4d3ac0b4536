import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// A middleware that turns every error into a JSON message. It runs outside of the cache, so that the cache sees the
/// error that the handler threw.
struct JSONErrors<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPError {
            var response = try answer(error.status, error.body, request, context)
            response.headers.append(contentsOf: error.headers)
            return response
        } catch let error as any HTTPResponseError {
            return try answer(error.status, nil, request, context)
        } catch {
            context.logger.error("A request failed", metadata: ["error": "\(error)"])
            return try answer(.internalServerError, nil, request, context)
        }
    }

    private func answer(
        _ status: HTTPResponse.Status,
        _ message: String?,
        _ request: Request,
        _ context: Context
    ) throws -> Response {
        let fallback =
            status == .notFound ? "No such route: \(request.method) \(request.uri.path)" : status.reasonPhrase
        var response = try Message(message: message ?? fallback).response(from: request, context: context)
        response.status = status
        return response
    }
}
