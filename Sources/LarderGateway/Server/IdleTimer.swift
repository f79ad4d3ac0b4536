import NIOCore

/// A timer that closes a connection, or a stream, whose client sends nothing for a while although the gateway waits for
/// it.
final class IdleTimer {
    private let timeout: TimeAmount
    /// The time at which the client has sent something, or has received a response.
    private(set) var lastActive = NIODeadline.now()
    private var task: Scheduled<Void>?

    init(_ timeout: TimeAmount) { self.timeout = timeout }

    /// Notes that the client has sent something, or has received a response.
    func touch() { lastActive = .now() }

    /// Stops the timer.
    func cancel() {
        task?.cancel()
        task = nil
    }

    /// Starts the timer, unless it is running, and notes activity.
    /// - Parameter waits: Returns true if the client waits for the gateway; the timer then stops until it is started
    ///   again.
    func start(on context: ChannelHandlerContext, unless waits: @escaping () -> Bool) {
        touch()
        guard task == nil else { return }
        schedule(in: timeout, context, waits)
    }

    private func schedule(in time: TimeAmount, _ context: ChannelHandlerContext, _ waits: @escaping () -> Bool) {
        task = context.eventLoop.assumeIsolated().scheduleTask(in: time) {
            self.task = nil
            guard !waits() else { return }
            let left = self.lastActive + self.timeout - .now()
            if left <= .zero { context.close(promise: nil) } else { self.schedule(in: left, context, waits) }
        }
    }
}
