import Larder
import NIOCore
import ServiceLifecycle

/// A service that reports signs of life to the service manager, at half of the time that the manager waits for one.
///
/// A sign is sent only when every event loop has run a task since the last one: requests are read and answered on event
/// loops, and this service itself runs on the threads that all tasks share. If one of them hangs, no sign is sent, and
/// the manager restarts the process.
struct Watchdog: Service, CustomStringConvertible {
    let description = "LarderCLI.Watchdog"
    private let manager: ServiceManager
    private let interval: Duration
    private let group: any EventLoopGroup

    /// Creates a service; nil if the service manager does not expect signs of life.
    init?(_ manager: ServiceManager, watching group: any EventLoopGroup) {
        guard let timeout = manager.watchdogTimeout else { return nil }
        (self.manager, self.interval, self.group) = (manager, timeout / 2, group)
    }

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            while (try? await WallClock.system.sleep(for: interval)) != nil {
                for loop in group.makeIterator() { try await loop.submit {}.get() }
                manager.reportAlive()
            }
        }
    }
}
