import Foundation

/// The numbers of requests and of those that went as wanted, counted by several threads.
final class Tally: @unchecked Sendable {
    private let lock = NSLock()
    private var asked = 0
    private var good = 0
    private var ended = false
    private var failure: (any Error)?

    func add(_ isGood: Bool) {
        lock.withLock {
            asked += 1
            if isGood { good += 1 }
        }
    }

    func fail(_ error: any Error) { lock.withLock { (failure, ended) = (error, true) } }

    /// Tells the other threads that no more requests are needed.
    func end() { lock.withLock { ended = true } }

    var isOver: Bool { lock.withLock { ended } }

    /// Returns the counts; throws if a thread failed.
    func finish() throws -> (asked: Int, good: Int) {
        try lock.withLock {
            if let failure { throw failure }
            return (asked, good)
        }
    }
}
