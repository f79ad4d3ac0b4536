import HTTPTypes
import Hummingbird
import HummingbirdCore
import Larder
import LarderHummingbird
import NIOHTTP1

extension GatewayResponder {
    /// Answers a request of the admin API that fills the cache, by the route's policy. To the origin it comes from an
    /// unknown client.
    /// - Parameter client: The admin request: if its client leaves, the request ends.
    func warm(
        _ request: HTTPRequest,
        for client: ClientRequest,
        _ active: ActiveConfiguration
    ) async throws -> Response {
        let scheme = request.scheme ?? "http"
        let sender = Sender(request, peer: nil, scheme: scheme, trusting: TrustedProxies())
        switch normalized(request, .http1_1, from: sender) {
        case .failure(let error): return .failure(error, by: name)
        case .success(let head):
            // The admin address is not the one that hosts are served on.
            let port =
                client.connection.isAdministrative
                ? active.settings.listen.port : client.connection.channel.localAddress?.port
            switch destination(ofRouted: head, scheme: scheme, listeningOn: port, active) {
            case .administration, .purge: return Administration.noSuchRoute
            case .gateway(let response): return response
            case .refused(let error): return .failure(error, by: name)
            case .cache(let head, let policy, let route):
                do {
                    let upstream = upstream(
                        head,
                        nil,
                        route,
                        from: sender,
                        for: client,
                        active,
                        id: requests.ids.next(),
                        timing: OriginTiming()
                    )
                    return try await cache.respond(to: head, under: policy, from: upstream).response
                } catch let error as DisconnectedError {
                    return .failure(UpstreamError(error.underlying), status: .gatewayTimeout, by: name)
                } catch {
                    return .failure(UpstreamError(error), by: name)
                }
            }
        }
    }
}
