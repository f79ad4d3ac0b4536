import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Ports of 127.0.0.1 for programs that a test starts.
public enum FreePort {
    /// The ports that were given to a program by this process.
    private static let taken = NIOLockedValueBox<Set<Int>>([])

    /// Returns a port that is not in use, and that stays free until its program listens and while the program is down.
    /// It lies below the ports that the system assigns to clients and to listeners on port 0, which would take it
    /// sooner or later.
    public static func take() async throws -> Int {
        for _ in 0..<100 {
            let port = Int.random(in: 10_000..<32_000)
            guard taken.withLockedValue({ $0.insert(port).inserted }) else { continue }
            let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            guard let channel = try? await bootstrap.bind(host: "127.0.0.1", port: port).get() else { continue }
            try await channel.close()
            return port
        }
        throw Unusable(description: "there is no free port")
    }
}
