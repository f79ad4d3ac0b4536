#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Requests on a fixed schedule, which a slow server does not delay: the time for which a request waits for a free
/// connection counts.
final class Pace {
    private var group: ConnectionGroup

    init(of count: Int, port: Int) throws { group = try ConnectionGroup(of: count, port: port) }

    /// Sends requests at a rate, and waits for all answers.
    /// - Parameter rate: The requests in a second, at equal distances.
    /// - Returns: The time from the moment at which each request was due to its complete answer, in seconds, sorted.
    func ask(_ path: String, size: Int, rate: Double, for seconds: Double) throws -> [Double] {
        let request = Connection.request(path)
        let length = Array("content-length: \(size)\r\n".utf8)
        let total = max(1, Int(rate * seconds))
        let members = group.members
        var polled = group.polled
        var idle = Array(members.indices)
        var due = Array(repeating: 0.0, count: members.count)
        var (sent, latencies) = (0, [Double]())
        latencies.reserveCapacity(total)
        let start = ContinuousClock.now
        while latencies.count < total {
            let now = Self.seconds(since: start)
            while sent < total, Double(sent) / rate <= now, let member = idle.popLast() {
                due[member] = Double(sent) / rate
                try members[member].write(request)
                sent += 1
            }
            // The next request is due in microseconds, so this does not sleep while a connection is idle.
            let isWaiting = sent == total || idle.isEmpty
            guard poll(&polled, nfds_t(polled.count), isWaiting ? 5_000 : 0) > 0 else {
                guard !isWaiting else { throw BenchmarkError(description: "\(path) is not answered for five seconds") }
                continue
            }
            for place in polled.indices where polled[place].revents != 0 {
                guard try group.read(place, size: size, length: length) else { continue }
                latencies.append(Self.seconds(since: start) - due[place])
                idle.append(place)
            }
        }
        return latencies.sorted()
    }

    private static func seconds(since start: ContinuousClock.Instant) -> Double {
        (ContinuousClock.now - start) / .seconds(1)
    }
}
