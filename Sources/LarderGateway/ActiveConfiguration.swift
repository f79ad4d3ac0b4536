import Hummingbird
import Larder
import LarderHummingbird

/// The configuration by which requests are handled until it is reloaded. It is a class, so that a request takes all of
/// it with one read.
final class ActiveConfiguration: Sendable {
    let settings: GatewaySettings
    let routes: RouteTable
    /// The gateway's own routes on the address for all clients.
    let administration: Administration
    /// The gateway's own routes on the admin address; nil if there is none.
    let adminListener: Administration?
    /// The clients that may use the admin routes, on whichever address these are.
    let adminAccess: AdminAccess
    /// The hits that were answered lately under this configuration.
    let hits = HitTable()

    init(
        _ settings: GatewaySettings,
        _ routes: RouteTable,
        _ cache: ResponseCache,
        _ client: UpstreamClient,
        _ drainState: DrainState
    ) {
        self.settings = settings
        self.routes = routes
        routes.count(in: cache.statistics)
        func administration(_ access: AdminAccess, isForHealthAlone: Bool = false) -> Administration {
            Administration(
                of: cache,
                access: access,
                at: settings.adminPrefix,
                isForHealthAlone: isForHealthAlone,
                routes: routes,
                origins: { await client.probe(routes.origins, path: settings.healthPath) },
                isReady: { !drainState.isDraining }
            )
        }
        let access = AdminAccess.standard(
            token: settings.adminToken,
            trustsLoopback: settings.adminAccess == .loopback && settings.listen.isLoopback,
            host: settings.listen.host
        )
        self.administration = administration(access, isForHealthAlone: settings.adminListen != nil)
        guard let address = settings.adminListen else {
            self.adminListener = nil
            self.adminAccess = access
            return
        }
        // Without a token, clients of this machine may use the admin address if other machines cannot connect to it:
        // it is for the admin routes alone, so proxies do not forward requests to it.
        let own = settings.adminToken.map(AdminAccess.token) ?? (address.isLoopback ? .loopback : .closed)
        self.adminListener = administration(own)
        self.adminAccess = own
    }

    /// Returns the gateway's own routes for a connection.
    func administration(for connection: ClientConnection) -> Administration {
        connection.isAdministrative ? adminListener ?? administration : administration
    }
}

extension UpstreamClient {
    /// Returns the health of the origins, which are probed concurrently.
    fileprivate func probe(_ origins: [OriginAddress], path: String) async -> [OriginHealth] {
        await withTaskGroup(of: OriginHealth.self) { group in
            for origin in origins { group.addTask { await self.probe(origin, path: path) } }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.origin < $1.origin }
        }
    }
}
