import Hummingbird
import Larder
import LarderHummingbird
import LarderRules

/// What requests are judged by until the configuration is loaded again. A reference, so that a request takes all of it
/// by one read.
final class ActiveConfiguration: Sendable {
    let settings: GatewaySettings
    let routes: RouteTable
    let administration: Administration

    init(
        _ settings: GatewaySettings,
        _ routes: RouteTable,
        _ cache: Cache,
        _ client: UpstreamClient,
        _ drainState: DrainState
    ) {
        self.settings = settings
        self.routes = routes
        self.administration = Administration(
            of: cache,
            access: .standard(token: settings.adminToken, host: settings.listen.host),
            at: settings.adminPrefix,
            routes: routes,
            origins: { await client.probe(routes.origins, path: settings.healthPath) },
            isReady: { !drainState.isDraining }
        )
    }
}

extension UpstreamClient {
    /// Whether the origins answer, all asked at once.
    fileprivate func probe(_ origins: [OriginAddress], path: String) async -> [OriginHealth] {
        await withTaskGroup(of: OriginHealth.self) { group in
            for origin in origins { group.addTask { await self.probe(origin, path: path) } }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.origin < $1.origin }
        }
    }
}
