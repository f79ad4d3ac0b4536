import NIOCore

/// A timer that closes a connection, or a stream, whose client sends nothing for a while although the gateway waits for
/// it.
final class IdleTimer {
    /// The action when the client has sent nothing for the whole time.
    enum Action {
        /// The client waits for the gateway: the timer stops until it is started again.
        case stop
        /// The connection or stream is closed.
        case close
        /// The same, unless a request has arrived that was not read yet.
        case closeUnlessUnread
    }

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
    /// - Parameter action: Returns the action that is due.
    func start(on context: ChannelHandlerContext, _ action: @escaping () -> Action) {
        touch()
        guard task == nil else { return }
        schedule(in: timeout, context, action)
    }

    private func schedule(in time: TimeAmount, _ context: ChannelHandlerContext, _ action: @escaping () -> Action) {
        task = context.eventLoop.assumeIsolated().scheduleTask(in: time) {
            self.task = nil
            let due = action()
            guard due != .stop else { return }
            let left = self.lastActive + self.timeout - .now()
            if left > .zero {
                self.schedule(in: left, context, action)
            } else if due == .closeUnlessUnread, context.channel.hasUnreadInput {
                self.schedule(in: HTTPOptions.graceTime, context, action)
            } else {
                context.close(promise: nil)
            }
        }
    }
}
