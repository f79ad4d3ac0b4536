import Larder
import OpenMetrics

/// The body of `GET v1/top`: the keys, routes, tags or origins with the most requests, misses, bytes or time.
struct TopReport: Encodable, Sendable {
    /// The kind of what is listed.
    enum Kind: String, Encodable, Sendable, CaseIterable {
        case keys, routes, tags, origins
    }

    /// The order of the list.
    enum Order: String, Encodable, Sendable, CaseIterable {
        case requests, misses, bytes
        case originTime = "origin-time"
    }

    /// A row of the list. What is not counted for its kind is nil.
    struct Row: Encodable, Sendable {
        let name: String
        var requests: Int?
        var misses: Int?
        var bytes: Int?
        /// The time in seconds that origins took.
        var originTime: Double?

        fileprivate func value(_ order: Order) -> Double {
            switch order {
            case .requests: Double(requests ?? 0)
            case .misses: Double(misses ?? 0)
            case .bytes: Double(bytes ?? 0)
            case .originTime: originTime ?? 0
            }
        }
    }

    let of: Kind
    let by: Order
    let rows: [Row]

    /// The orders in which a kind can be listed.
    static func orders(of kind: Kind) -> [Order] {
        switch kind {
        case .keys: Order.allCases
        case .routes: [.requests, .misses]
        case .tags: [.misses, .bytes, .originTime]
        case .origins: [.requests, .originTime]
        }
    }

    /// Creates the list; nil if this kind cannot be listed in this order.
    init?(of kind: Kind, by order: Order, limit: Int, in cache: ResponseCache) {
        guard Self.orders(of: kind).contains(order) else { return nil }
        self.of = kind
        by = order
        switch (kind, TopFetches.Order(order)) {
        case (.keys, nil):
            rows = cache.statistics.snapshot(topKeys: limit).topKeys.map {
                Row(name: $0.key.description, requests: $0.count)
            }
        case (.keys, let order?): rows = cache.topFetches.topKeys(by: order, limit).map(Row.init)
        case (.tags, let order?): rows = cache.topFetches.topTags(by: order, limit).map(Row.init)
        case (.tags, nil): rows = []
        case (.routes, _): rows = Self.first(Self.routes(in: cache.statistics.metrics), by: order, limit)
        case (.origins, _): rows = Self.first(Self.origins(in: cache.statistics.metrics), by: order, limit)
        }
    }

    private static func first(_ rows: [Row], by order: Order, _ limit: Int) -> [Row] {
        let sorted = rows.sorted {
            let (first, second) = ($0.value(order), $1.value(order))
            return first == second ? $0.name < $1.name : first > second
        }
        return Array(sorted.prefix(limit))
    }

    private static func routes(in metrics: MetricsRegistry) -> [Row] {
        var rows: [String: Row] = [:]
        for series in metrics.samples("larder_requests") {
            guard let name = series.dimensions["route"], let result = series.dimensions["result"] else { continue }
            let count = Int(series.value ?? 0)
            var row = rows[name] ?? Row(name: name, requests: 0, misses: 0)
            row.requests = (row.requests ?? 0) + count
            let isMiss = [RequestResult.miss, .collapsed, .error].contains { $0.rawValue == result }
            if isMiss { row.misses = (row.misses ?? 0) + count }
            rows[name] = row
        }
        return rows.values.filter { $0.requests != 0 }
    }

    private static func origins(in metrics: MetricsRegistry) -> [Row] {
        metrics.samples("larder_origin_time_seconds").map { series in
            Row(
                name: series.dimensions["origin"] ?? "",
                requests: series.histogram?.count,
                originTime: series.histogram?.sum
            )
        }
    }
}

extension TopReport.Row {
    fileprivate init(_ total: TopFetches.Total) {
        self.init(
            name: total.name,
            misses: total.misses,
            bytes: total.bytes,
            originTime: Double(total.nanoseconds) / 1e9
        )
    }
}

extension TopFetches.Order {
    fileprivate init?(_ order: TopReport.Order) {
        switch order {
        case .requests: return nil
        case .misses: self = .misses
        case .bytes: self = .bytes
        case .originTime: self = .originTime
        }
    }
}
