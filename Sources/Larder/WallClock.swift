public import HTTPCaching

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The one seam through which time enters the engine: the wall clock, and waiting.
///
/// Ages and lifetimes are wall-clock time, because `Date`, `Expires` and Redis are. Tests inject a clock they move by
/// hand; nothing else in the library reads a clock.
public struct WallClock: Sendable {
    private let read: @Sendable () -> Timestamp
    private let pause: @Sendable (Duration) async throws -> Void

    /// A clock made of two functions.
    /// - Parameters:
    ///   - now: reads the time.
    ///   - sleep: waits for a duration; throws `CancellationError` when the waiting task is cancelled.
    public init(
        now: @escaping @Sendable () -> Timestamp,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.read = now
        self.pause = sleep
    }

    /// The clock of this machine.
    public static let system = WallClock(
        now: {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return Timestamp(nanosecondsSinceEpoch: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
        },
        sleep: { try await Task.sleep(for: $0) }
    )

    /// The time now.
    public var now: Timestamp { read() }

    /// Waits for a duration, or throws `CancellationError`.
    public func sleep(for duration: Duration) async throws { try await pause(duration) }
}
