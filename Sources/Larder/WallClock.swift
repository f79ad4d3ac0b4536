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
    private let pauseUntil: (@Sendable (Timestamp) async throws -> Void)?

    /// Creates a clock from functions.
    /// - Parameters:
    ///   - now: Returns the current time.
    ///   - sleep: Waits for a duration; throws `CancellationError` when the waiting task is cancelled.
    ///   - sleepUntil: Waits until a time, and not at all if it has come, for a clock whose time may jump between the
    ///     other two. Nil waits for the difference.
    public init(
        now: @escaping @Sendable () -> Timestamp,
        sleep: @escaping @Sendable (Duration) async throws -> Void,
        sleepUntil: (@Sendable (Timestamp) async throws -> Void)? = nil
    ) {
        self.read = now
        self.pause = sleep
        self.pauseUntil = sleepUntil
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

    /// Waits until a time, and not at all if it has come; throws `CancellationError` when the task is cancelled.
    public func sleep(until time: Timestamp) async throws {
        if let pauseUntil { return try await pauseUntil(time) }
        let left = time.duration(since: now)
        if left > .zero { try await pause(left) }
    }
}
