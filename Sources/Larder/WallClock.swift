public import HTTPCaching

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The clock by which the engine reads the time and waits.
///
/// Ages and lifetimes are in wall-clock time, because `Date`, `Expires` and Redis use it. Nothing else reads the wall
/// clock, so that tests can inject a clock that they advance.
public struct WallClock: Sendable {
    private let read: @Sendable () -> Timestamp
    private let pause: @Sendable (Duration) async throws -> Void

    /// Creates a clock from two functions.
    /// - Parameters:
    ///   - now: Returns the current time.
    ///   - sleep: Waits for a duration; throws `CancellationError` when the waiting task is cancelled.
    public init(
        now: @escaping @Sendable () -> Timestamp,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.read = now
        self.pause = sleep
    }

    /// The system clock.
    public static let system = WallClock(
        now: {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return Timestamp(nanosecondsSinceEpoch: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
        },
        sleep: { try await Task.sleep(for: $0) }
    )

    /// The current time.
    public var now: Timestamp { read() }

    /// Waits for a duration, or throws `CancellationError`.
    public func sleep(for duration: Duration) async throws { try await pause(duration) }
}
