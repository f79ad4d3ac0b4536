import HTTPCaching
import Larder
import OpenMetrics

/// The body of `GET v1/statistics`: what a cache did within a window of time, and its state.
struct StatisticsReport: Encodable, Sendable {
    /// The times of one kind, in seconds.
    struct Times: Encodable, Sendable {
        let count: Int
        let mean: Double
        let p50: Double
        let p90: Double
        let p99: Double

        /// Creates the times of a histogram; nil if nothing is recorded.
        init?(_ histogram: HistogramSnapshot?) {
            guard let histogram, histogram.count > 0, let p50 = histogram.quantile(0.5),
                let p90 = histogram.quantile(0.9), let p99 = histogram.quantile(0.99)
            else { return nil }
            count = histogram.count
            mean = histogram.sum / Double(histogram.count)
            (self.p50, self.p90, self.p99) = (p50, p90, p99)
        }
    }

    struct AllTimes: Encodable, Sendable {
        let hit: Times?
        let miss: Times?
        let origin: Times?
    }

    struct Reasons: Encodable, Sendable {
        let bypasses: [String: Int]
        let notStored: [String: Int]
        let stale: [String: Int]
    }

    struct StoreState: Encodable, Sendable {
        let entries: Int
        let usedBytes: Int?
        let limitBytes: Int?
        let available: Bool
        let evictions: Int?
        let expirations: Int?
    }

    struct Progress: Encodable, Sendable {
        let fetches: Int
        let waiting: Int
        let connections: Int?
        let requests: Int?
        let bodiesBytes: Int
    }

    struct RedisState: Encodable, Sendable {
        let available: Bool
        let pendingInvalidations: Int
        let roundTrip: Times?
    }

    struct OriginTimes: Encodable, Sendable {
        let origin: String
        let available: Bool
        let requests: Int
        let mean: Double?
        let p99: Double?
    }

    struct ProcessState: Encodable, Sendable {
        let residentBytes: Int
        let cpuSeconds: Double
    }

    struct Point: Encodable, Sendable {
        let time: String
        let seconds: Double
        let requests: [String: Int]
        let hitRatio: Double?
        let hitP99: Double?
        let missP99: Double?
        let originP99: Double?
        let entries: Int
        let usedBytes: Int?

        init(_ window: StatisticsHistory.Window) {
            time = window.end.iso8601
            seconds = window.seconds
            requests = window.requestsByName
            hitRatio = window.hitRatio
            hitP99 = window.hitTimes?.quantile(0.99)
            missP99 = window.missTimes?.quantile(0.99)
            originP99 = window.originTimes?.quantile(0.99)
            entries = window.entries
            usedBytes = window.usedBytes
        }
    }

    let name: String
    let version: String
    let time: String
    let uptime: Double
    let window: Int
    let seconds: Double
    let requests: [String: Int]
    let requestsPerSecond: Double
    let hitRatio: Double?
    let stored: Int
    let notStored: Int
    let evictions: Int
    let invalidations: Int
    let times: AllTimes
    let reasons: Reasons
    let store: StoreState
    let inProgress: Progress
    let redis: RedisState?
    let origins: [OriginTimes]?
    let process: ProcessState?
    let points: [Point]?
}

extension StatisticsReport {
    /// Creates the report of a cache.
    /// - Parameters:
    ///   - window: The length of the window in seconds.
    ///   - points: The number of points of the curves, which divide the window; nil for none.
    init(of cache: ResponseCache, window: Int, points: Int?) async {
        let sample = await cache.sample()
        let metrics = cache.statistics.metrics
        let counts = cache.history.window(.seconds(window), until: sample)
        func gauge(_ label: String) -> Int? {
            metrics.samples(label).isEmpty ? nil : Int(metrics.total(label))
        }
        func reasons(_ label: String) -> [String: Int] {
            metrics.samples(label).reduce(into: [:]) { counts, series in
                counts[series.dimensions["reason"] ?? "", default: 0] += Int(series.value ?? 0)
            }
        }
        name = cache.name
        version = LarderVersion.current
        time = sample.time.iso8601
        uptime = cache.uptime
        self.window = window
        seconds = counts.seconds
        requests = counts.requestsByName
        let all = counts.requests.values.reduce(0, +)
        requestsPerSecond = counts.seconds > 0 ? Double(all) / counts.seconds : 0
        hitRatio = counts.hitRatio
        stored = counts.stored
        notStored = counts.notStored
        evictions = counts.evictions
        invalidations = counts.invalidations
        times = AllTimes(hit: Times(counts.hitTimes), miss: Times(counts.missTimes), origin: Times(counts.originTimes))
        self.reasons = Reasons(
            bypasses: reasons("larder_bypasses"),
            notStored: reasons("larder_not_stored"),
            stale: reasons("larder_stale_responses")
        )
        let usage = cache.storeUsage
        store = StoreState(
            entries: sample.entries,
            usedBytes: usage?.used.bytes,
            limitBytes: usage?.limit.bytes,
            available: cache.isStoreAvailable,
            evictions: usage?.evictions,
            expirations: usage?.expirations
        )
        inProgress = Progress(
            fetches: cache.flightCount,
            waiting: cache.waiterCount,
            connections: gauge("larder_client_connections"),
            requests: gauge("larder_requests_in_progress"),
            bodiesBytes: cache.inFlight.used
        )
        redis = gauge("larder_redis_available").map { available in
            RedisState(
                available: available == 1,
                pendingInvalidations: gauge("larder_redis_pending_invalidations") ?? 0,
                roundTrip: Times(metrics.histogram("larder_redis_round_trip_seconds"))
            )
        }
        let states = metrics.samples("larder_origin_available")
        origins =
            states.isEmpty
            ? nil : states.map { OriginTimes($0, metrics) }.sorted { $0.origin < $1.origin }
        process = gauge("process_resident_memory_bytes").map {
            ProcessState(residentBytes: $0, cpuSeconds: metrics.total("process_cpu_seconds"))
        }
        self.points = points.map { count in
            guard count > 0 else { return [] }
            let length = max(StatisticsHistory.interval, .seconds(window) / count)
            let count = min(count, max(1, Int(.seconds(window) / length)))
            return cache.history.windows(of: length, count: count).map(Point.init)
        }
    }
}

extension StatisticsReport.OriginTimes {
    fileprivate init(_ state: MetricSample, _ metrics: MetricsRegistry) {
        origin = state.dimensions["origin"] ?? ""
        available = state.value == 1
        let times = metrics.histogram("larder_origin_time_seconds", [("origin", origin)])
        let all = StatisticsReport.Times(times)
        requests = all?.count ?? 0
        mean = all?.mean
        p99 = all?.p99
    }
}

extension StatisticsHistory.Window {
    fileprivate var requestsByName: [String: Int] {
        Dictionary(uniqueKeysWithValues: requests.map { ($0.key.rawValue, $0.value) })
    }
}
