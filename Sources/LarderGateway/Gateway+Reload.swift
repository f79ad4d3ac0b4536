import Larder
import Logging
import NIOConcurrencyHelpers

extension Gateway {
    /// Takes a configuration over that was loaded again: its routes, its certificate, and the settings that can change
    /// while the gateway runs (``GatewaySetting/isReloadable``). Requests under way end as they began, and connections
    /// keep the certificate that they were opened with.
    ///
    /// Files are read again although their names have not changed. One that cannot be used is logged as an error, and
    /// what was read before stays. Settings that need a restart are named in a warning.
    public func reload(_ configuration: GatewayConfiguration) {
        let running = active.withLockedValue { $0.settings }
        let changes = configuration.settings.changes(from: running)
        var settings = running
        var (taken, late): ([GatewaySetting], [GatewaySetting]) = ([], [])
        for change in changes {
            // A listener without TLS does not begin to speak it, nor the other way round; nor is a log begun or ended.
            let isSwitch: Bool =
                switch change {
                case .certificate, .privateKey: (configuration.settings.certificate == nil) != (certificate == nil)
                case .accessLog: (configuration.settings.accessLog == .off) != (log == nil)
                default: false
                }
            if change.isReloadable, !isSwitch { taken.append(change) } else { late.append(change) }
        }
        for setting in taken { settings.take(setting, from: configuration.settings) }
        let failed = reloadFiles(&settings, running, &taken)
        let next = ActiveConfiguration(settings, configuration.routes, cache, client, drainState)
        active.withLockedValue { $0 = next }
        watch.keep(configuration.routes.origins)
        logger.info(
            "Reloaded the configuration",
            metadata: [
                "routes": "\(configuration.routes.routes.count - 1) and the default",
                "changed": "\(taken.isEmpty ? "no settings" : Self.list(taken))",
            ]
        )
        for error in failed {
            logger.error("A file cannot be used, and what was read before stays", metadata: ["error": "\(error)"])
        }
        if !late.isEmpty {
            logger.warning("Settings that changed need a restart", metadata: ["settings": "\(Self.list(late))"])
        }
        warnOfBodies(configuration.routes)
    }

    /// Reads the files of settings again.
    /// - Parameters:
    ///   - settings: the settings to be; what cannot be used becomes what it was before.
    ///   - taken: the settings that changed; those whose files changed are added.
    /// - Returns: what cannot be used.
    private func reloadFiles(
        _ settings: inout GatewaySettings,
        _ running: GatewaySettings,
        _ taken: inout [GatewaySetting]
    ) -> [GatewayError] {
        var failed: [GatewayError] = []
        if let certificate, let files = settings.certificate {
            do throws(GatewayError) {
                if try certificate.reload(files), !taken.contains(.certificate) { taken.append(.certificate) }
            } catch {
                failed.append(error)
                settings.certificate = running.certificate
                taken.removeAll { $0 == .certificate || $0 == .privateKey }
            }
        }
        do throws(GatewayError) {
            if client.reload(try UpstreamClient.Options(settings)), settings.originAuthorities != nil,
                !taken.contains(where: { UpstreamClient.Options.settings.contains($0) })
            {
                taken.append(.originAuthorities)
            }
        } catch {
            failed.append(error)
            settings.originAuthorities = running.originAuthorities
            taken.removeAll { $0 == .originAuthorities }
            // Settings that have nothing to do with the file are taken over all the same.
            _ = client.reload(UpstreamClient.Options(settings, trusting: client.options.trustRoots))
        }
        if taken.contains(.accessLog), let path = AccessLog.path(settings.accessLog) {
            do { try log?.open(path) } catch {
                failed.append(GatewayError(.accessLog, "\(error)"))
                settings.accessLog = running.accessLog
                taken.removeAll { $0 == .accessLog }
            }
        }
        return failed
    }

    private func warnOfBodies(_ routes: RouteTable) {
        guard CacheEntry.limit(forBodiesOf: routes.bodyLimit) > entryLimit else { return }
        logger.warning(
            "Bodies above what the store was made for are stored after a restart only",
            metadata: [
                "body-limit": "\(routes.bodyLimit)",
                "stored": "\(CacheEntry.bodyLimit(forEntriesUpTo: entryLimit))",
            ]
        )
    }

    private static func list(_ settings: [GatewaySetting]) -> String {
        settings.map(\.rawValue).joined(separator: ", ")
    }
}
