import Larder
import Logging
import NIOConcurrencyHelpers

extension Gateway {
    /// Applies a configuration that was reloaded: its routes, its certificate, and the settings that can change while
    /// the gateway runs (``GatewaySetting/isReloadable``). Requests under way end with the configuration with which
    /// they began, and connections retain the certificate with which they were opened.
    ///
    /// Files are read again even if their names have not changed. A file that cannot be used is logged as an error, and
    /// its previous content remains in use. Settings that need a restart are named in a warning.
    public func reload(_ configuration: GatewayConfiguration) {
        let begin = ContinuousClock.now
        let running = active.withLockedValue { $0.settings }
        var (wanted, failed) = (configuration.settings, [GatewayError]())
        do throws(GatewayError) { try wanted.readToken() } catch {
            failed.append(error)
            (wanted.adminToken, wanted.adminTokenFile) = (running.adminToken, running.adminTokenFile)
        }
        var settings = running
        var (taken, late): ([GatewaySetting], [GatewaySetting]) = ([], [])
        for change in wanted.changes(from: running) {
            // TLS cannot be turned on or off while the listener runs.
            let isSwitch: Bool =
                switch change {
                case .certificate, .privateKey: (wanted.certificate == nil) != (certificate == nil)
                default: false
                }
            if change.isReloadable, !isSwitch { taken.append(change) } else { late.append(change) }
        }
        for setting in taken { settings.take(setting, from: wanted) }
        if wanted.adminTokenFile != nil { taken.nameTokenFile() }
        failed += reloadFiles(&settings, running, &taken)
        applyLimits(of: settings)
        let next = ActiveConfiguration(settings, configuration.routes, cache, client, drainState)
        active.withLockedValue { $0 = next }
        watch.setOrigins(configuration.routes.origins)
        metrics.reloaded(isComplete: failed.isEmpty, in: .now - begin, at: cache.now)
        logger.info(
            "Reloaded the configuration",
            metadata: [
                "routes": "\(configuration.routes.routes.count - 1) and the default",
                "changed": "\(taken.isEmpty ? "no settings" : Self.list(taken))",
            ]
        )
        for error in failed {
            logger.error("A file cannot be used: its previous content stays in use", metadata: ["error": "\(error)"])
        }
        if !late.isEmpty {
            logger.warning("Settings that changed need a restart", metadata: ["settings": "\(Self.list(late))"])
        }
        warnOfBodies(configuration.routes)
    }

    /// Counts a configuration that was refused, and was not applied.
    public func noteRefusedConfiguration() { metrics.refusedReload() }

    /// Reads the files of settings again.
    /// - Parameters:
    ///   - settings: The new settings; those that cannot be used get their previous values.
    ///   - taken: The settings that changed; those whose files changed are added.
    /// - Returns: The faults of the files that cannot be used.
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
            // Settings that do not concern the file are applied nevertheless.
            _ = client.reload(UpstreamClient.Options(settings, trusting: client.options.trustRoots))
        }
        log.change(to: AccessLogLayout(settings))
        if taken.contains(.accessLog) {
            let path = AccessLog.path(settings.accessLog)
            do { try log.open(path) } catch {
                failed.append(.accessLog(path ?? "-", error))
                settings.accessLog = running.accessLog
                taken.removeAll { $0 == .accessLog }
            }
        }
        return failed
    }

    /// Changes the limits of connections, memory and temporary files, and the name.
    private func applyLimits(of settings: GatewaySettings) {
        listener.setLimits(Listener.Limits(settings))
        addressLimit.setLimit(settings.connectionsPerAddress)
        cache.inFlight.setLimit(settings.bodiesInFlight)
        client.spools.setLimits(SpoolSpace.Limits(settings))
        cache.rename(settings.name)
    }

    private func warnOfBodies(_ routes: RouteTable) {
        guard CacheEntry.limit(forBodiesOf: routes.bodyLimit) > entryLimit else { return }
        logger.warning(
            "Larger bodies are stored only after a restart, since the store was created for a smaller limit",
            metadata: [
                "body-limit": "\(routes.bodyLimit)",
                "stored-up-to": "\(CacheEntry.bodyLimit(forEntriesUpTo: entryLimit))",
            ]
        )
    }

    private static func list(_ settings: [GatewaySetting]) -> String {
        settings.map(\.rawValue).joined(separator: ", ")
    }
}

extension [GatewaySetting] {
    /// Names the file of the token in place of the token that was read from it.
    fileprivate mutating func nameTokenFile() {
        guard let index = firstIndex(of: .adminToken) else { return }
        if contains(.adminTokenFile) { remove(at: index) } else { self[index] = .adminTokenFile }
    }
}
