package import HTTPCaching
import NIOConcurrencyHelpers
package import OpenMetrics
import ServiceLifecycle

/// The counts of a cache over the last hour: a sample every five seconds.
package final class StatisticsHistory: Sendable {
    /// The counts since the cache was created, at one moment.
    package struct Sample: Sendable {
        package var time: Timestamp
        /// The number of requests by result.
        package var requests: [RequestResult: Int] = [:]
        package var stored = 0
        package var notStored = 0
        package var evictions = 0
        package var invalidations = 0
        /// The number of keys that are stored at this moment.
        package var entries = 0
        /// The memory of the store that is used at this moment; nil if it is elsewhere.
        package var usedBytes: Int?
        /// The times to the first byte of hits and of misses.
        package var hitTimes: HistogramSnapshot?
        package var missTimes: HistogramSnapshot?
        /// The times in which origins responded; nil if they are not measured.
        package var originTimes: HistogramSnapshot?
    }

    /// What happened between two samples.
    package struct Window: Sendable {
        package let begin: Timestamp
        package let end: Timestamp
        package let requests: [RequestResult: Int]
        package let stored: Int
        package let notStored: Int
        package let evictions: Int
        package let invalidations: Int
        package let entries: Int
        package let usedBytes: Int?
        package let hitTimes: HistogramSnapshot?
        package let missTimes: HistogramSnapshot?
        package let originTimes: HistogramSnapshot?

        /// The part of the requests that were answered from the store, among those that looked for a stored response;
        /// nil if there were none.
        package var hitRatio: Double? {
            func count(_ results: RequestResult...) -> Int { results.reduce(0) { $0 + (requests[$1] ?? 0) } }
            let all = count(.hit, .stale, .miss, .collapsed, .error)
            return all == 0 ? nil : Double(count(.hit, .stale)) / Double(all)
        }

        /// The length of the window in seconds.
        package var seconds: Double { Double(end.nanosecondsSinceEpoch - begin.nanosecondsSinceEpoch) / 1e9 }

        fileprivate init(from old: Sample, to new: Sample) {
            func growth(_ count: (Sample) -> Int) -> Int { max(0, count(new) - count(old)) }
            func growth(_ times: (Sample) -> HistogramSnapshot?) -> HistogramSnapshot? {
                guard let old = times(old) else { return times(new) }
                return times(new)?.since(old)
            }
            begin = old.time
            end = new.time
            var requests: [RequestResult: Int] = [:]
            for result in RequestResult.counted { requests[result] = growth { $0.requests[result] ?? 0 } }
            self.requests = requests
            stored = growth { $0.stored }
            notStored = growth { $0.notStored }
            evictions = growth { $0.evictions }
            invalidations = growth { $0.invalidations }
            entries = new.entries
            usedBytes = new.usedBytes
            hitTimes = growth { $0.hitTimes }
            missTimes = growth { $0.missTimes }
            originTimes = growth { $0.originTimes }
        }
    }

    /// The time between two samples.
    package static let interval = Duration.seconds(5)
    /// The number of samples that are held: those of one hour, and the first one.
    static let limit = 721

    private let samples = NIOLockedValueBox<[Sample]>([])

    func add(_ sample: Sample) {
        samples.withLockedValue { samples in
            // Two clients that ask at the same time do not double the samples.
            if let last = samples.last, sample.time == last.time { return }
            // The clock was set back: what was before cannot be compared.
            if let last = samples.last, sample.time < last.time { samples.removeAll() }
            samples.append(sample)
            if samples.count > Self.limit { samples.removeFirst(samples.count - Self.limit) }
        }
    }

    /// Returns what happened in the last seconds, until a moment for which a new sample is given. The window is shorter
    /// if the samples do not go back as far.
    package func window(_ length: Duration, until now: Sample) -> Window {
        let begin = now.time.advanced(by: .zero - length)
        let old = samples.withLockedValue { samples in
            samples.last { $0.time <= begin } ?? samples.first { $0.time < now.time }
        }
        return Window(from: old ?? Sample(time: now.time), to: now)
    }

    /// Returns the windows of this length that lie within the last hour, the oldest first.
    package func windows(of length: Duration, count: Int) -> [Window] {
        let samples = samples.withLockedValue { $0 }
        guard let last = samples.last else { return [] }
        var windows: [Window] = []
        var end = last
        while windows.count < count, end.time > samples[0].time {
            let begin = end.time.advanced(by: .zero - length)
            // A sample is late by as much as the process was busy.
            let old = samples.last { $0.time <= begin.advanced(by: .milliseconds(500)) } ?? samples[0]
            guard old.time < end.time else { break }
            windows.append(Window(from: old, to: end))
            end = old
        }
        return windows.reversed()
    }
}

extension ResponseCache {
    /// Returns the counts of the cache at this moment, and records the gauges.
    package func sample() async -> StatisticsHistory.Sample {
        await statistics.metrics.collect()
        return sampleOfCounts()
    }

    /// Returns the counts of the cache at this moment, without recording the gauges.
    func sampleOfCounts() -> StatisticsHistory.Sample {
        let metrics = statistics.metrics
        var sample = StatisticsHistory.Sample(time: clock.now)
        for result in RequestResult.counted {
            sample.requests[result] = Int(metrics.total("larder_requests", [("result", result.rawValue)]))
        }
        sample.stored = Int(metrics.total("larder_stored"))
        sample.notStored = Int(metrics.total("larder_not_stored"))
        sample.evictions = store.usage?.evictions ?? 0
        sample.invalidations = Int(metrics.total("larder_invalidations"))
        sample.entries = Int(metrics.value("larder_store_entries", [("cache", gauges.name)]) ?? 0)
        sample.usedBytes = store.usage?.used.bytes
        sample.hitTimes = metrics.histogram("larder_time_to_first_byte_seconds", [("result", "hit")])
        sample.missTimes = metrics.histogram("larder_time_to_first_byte_seconds", [("result", "miss")])
        sample.originTimes = metrics.totalHistogram("larder_origin_time_seconds")
        return sample
    }
}

/// A service that adds a sample to the history of a cache every five seconds.
struct StatisticsSampling: Service {
    let cache: ResponseCache

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while true {
                // Without a question to Redis: nobody waits for the answer.
                await self.cache.gauges.record(self.cache, asksStore: false)
                self.cache.history.add(self.cache.sampleOfCounts())
                // By the real clock: a test that moves its own does not have to reckon with this.
                do { try await Task.sleep(for: StatisticsHistory.interval) } catch { return }
            }
        }
    }
}
