import NIOCore

/// The lowest rate at which a client must send its requests and read its responses.
///
/// Only the time in which bytes are pending on the client's side counts. A client from which nothing is expected is
/// never slow.
struct ClientRate: Hashable, Sendable {
    /// The rate in bytes per second.
    let rate: Int
    /// The time over which the rate is measured.
    let time: TimeAmount

    /// Creates a rate; nil if the rate or the time is not positive.
    init?(_ rate: Int, over time: TimeAmount = .seconds(10)) {
        guard rate > 0, time > .zero else { return nil }
        (self.rate, self.time) = (rate, time)
    }
}

/// The time that a client has left before it counts as slow. Time in which bytes are pending is subtracted, and bytes
/// that move add time.
struct RateAllowance {
    private let rate: ClientRate
    private var left: TimeAmount
    /// The number of all bytes that had moved at the last check.
    private var moved: Int

    /// Creates an allowance with all of the time.
    init(_ rate: ClientRate, moved: Int) {
        self.rate = rate
        self.moved = moved
        left = rate.time
    }

    /// Subtracts the time since the last check.
    /// - Parameters:
    ///   - isPending: True if the gateway waits for the client.
    ///   - moved: The number of all bytes that have moved.
    /// - Returns: True if the client is slow.
    mutating func isUsedUp(after time: TimeAmount, isPending: Bool, moved: Int) -> Bool {
        let bytes = min(moved - self.moved, 1 << 30)
        self.moved = moved
        let earned = TimeAmount.nanoseconds(Int64(Double(bytes) / Double(rate.rate) * 1e9))
        left = min(rate.time, left + earned - (isPending ? time : .zero))
        return left <= .zero
    }
}

/// A timer that checks at intervals whether a client is slow, as long as bytes are pending.
final class RateTimer {
    /// The result of a check.
    enum CheckResult {
        /// Nothing is pending: the timer stops until it is started again.
        case nothingPending
        /// Something is pending, but the gateway waits for something else: the time does not count.
        case held(moved: Int)
        /// Bytes are pending on the client's side.
        case pending(moved: Int)
    }

    private let rate: ClientRate?
    private var task: Scheduled<Void>?

    init(_ rate: ClientRate?) { self.rate = rate }

    /// True if the timer is running.
    var isRunning: Bool { task != nil }

    /// Stops the timer.
    func cancel() {
        task?.cancel()
        task = nil
    }

    /// Starts the timer, unless it is running.
    /// - Parameters:
    ///   - moved: The number of all bytes that have moved so far.
    ///   - check: Returns what is pending.
    ///   - onSlow: Called once if the client is slow.
    func start(
        on loop: any EventLoop,
        moved: Int,
        _ check: @escaping () -> CheckResult,
        onSlow: @escaping () -> Void
    ) {
        guard let rate, task == nil else { return }
        schedule(on: loop, RateAllowance(rate, moved: moved), rate, check, onSlow)
    }

    private func schedule(
        on loop: any EventLoop,
        _ allowance: RateAllowance,
        _ rate: ClientRate,
        _ check: @escaping () -> CheckResult,
        _ onSlow: @escaping () -> Void
    ) {
        let since = loop.now
        task = loop.assumeIsolated().scheduleTask(in: .nanoseconds(rate.time.nanoseconds / 10)) {
            self.task = nil
            var allowance = allowance
            let time = loop.now - since
            let isSlow: Bool
            switch check() {
            case .nothingPending: return
            case .held(let moved): isSlow = allowance.isUsedUp(after: time, isPending: false, moved: moved)
            case .pending(let moved): isSlow = allowance.isUsedUp(after: time, isPending: true, moved: moved)
            }
            if isSlow { onSlow() } else { self.schedule(on: loop, allowance, rate, check, onSlow) }
        }
    }
}

/// A channel handler next to the socket that closes a connection whose client does not read its responses.
final class SlowReaderHandler: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let timer: RateTimer
    /// The number of all bytes that were written.
    private var written = 0
    /// The number of bytes that the socket had not taken after the last flush.
    private(set) var unsentBytes = 0
    private let buffered: (ChannelHandlerContext) -> Int

    /// Creates a handler.
    /// - Parameter buffered: Returns the number of bytes that were written and that the socket has not taken.
    init(_ rate: ClientRate, buffered: @escaping (ChannelHandlerContext) -> Int = bufferedBytes) {
        timer = RateTimer(rate)
        self.buffered = buffered
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        written += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        unsentBytes = buffered(context)
        guard unsentBytes > 0, !timer.isRunning else { return }
        timer.start(on: context.eventLoop, moved: written - unsentBytes) {
            let left = self.buffered(context)
            return left > 0 ? .pending(moved: self.written - left) : .nothingPending
        } onSlow: {
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer.cancel() }
}

/// Returns the number of bytes that were written to a connection and that its socket has not taken.
func bufferedBytes(_ context: ChannelHandlerContext) -> Int { context.channel.bufferedBytes }

extension Channel {
    /// The number of bytes that were written and that the socket has not taken. Must be read on the event loop.
    var bufferedBytes: Int { (try? syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 }
}
