public import CoreMetrics
import NIOConcurrencyHelpers

/// A backend of swift-metrics that holds its metrics in memory, and writes them as OpenMetrics text.
///
/// Counters, gauges and meters become counters and gauges; timers, and recorders that aggregate, become histograms.
/// Names and labels are changed to what OpenMetrics allows: `http.requests` becomes `http_requests`. Series are never
/// removed unless they are destroyed, and their number is bounded.
///
/// ```swift
/// let metrics = MetricsRegistry()
/// MetricsSystem.bootstrap(metrics)
/// ```
public final class MetricsRegistry: MetricsFactory {
    private struct State {
        var families: [String: MetricFamily] = [:]
        var descriptions: [String: MetricDescription] = [:]
        var collectors: [@Sendable () async -> Void] = []
        var seriesCount = 0
        var refused = 0
    }

    /// The largest number of series, 10,000 by default.
    public let seriesLimit: Int
    private let next: (any MetricsFactory)?
    private let state = NIOLockedValueBox(State())

    /// Creates a registry without metrics.
    /// - Parameters:
    ///   - next: Another backend that gets the same metrics; nil for none.
    ///   - seriesLimit: The largest number of series. Further series are not held here; `next` gets them nevertheless.
    public init(forwardingTo next: (any MetricsFactory)? = nil, seriesLimit: Int = 10_000) {
        self.next = next is NOOPMetricsHandler ? nil : next
        self.seriesLimit = seriesLimit
    }

    /// Sets the help text of metrics, and the bounds of their histograms. Has no effect on metrics that exist already.
    /// - Parameter descriptions: The descriptions of the metrics, by their labels.
    public func describe(_ descriptions: [MetricDescription]) {
        state.withLockedValue { state in
            for description in descriptions { state.descriptions[description.label] = description }
        }
    }

    /// Adds a function that records gauges whose values are not recorded when they change.
    /// - Parameter collector: A function that is called by ``collect()``.
    public func addCollector(_ collector: @escaping @Sendable () async -> Void) {
        state.withLockedValue { $0.collectors.append(collector) }
    }

    /// Records the gauges of all collectors.
    public func collect() async {
        for collector in state.withLockedValue({ $0.collectors }) { await collector() }
    }

    /// Returns the metrics as text, ordered by name.
    /// - Parameter format: The format of the text.
    public func text(_ format: MetricsTextFormat = .openMetrics) -> String {
        let (families, refused) = state.withLockedValue { ($0.families, $0.refused) }
        var writer = MetricsTextWriter(format: format)
        for family in families.values.sorted(by: { $0.name < $1.name }) { writer.write(family) }
        if refused > 0 { writer.writeRefusedSeries(refused) }
        return writer.finish()
    }

    /// Returns the value of a counter or gauge; nil if there is no such series, or if it is a histogram.
    /// - Parameters:
    ///   - label: The label of the metric.
    ///   - dimensions: The dimensions of the series, in any order.
    public func value(_ label: String, _ dimensions: [(String, String)] = []) -> Double? {
        switch series(label, dimensions) {
        case .number(let number): number.value
        case .histogram, nil: nil
        }
    }

    /// Returns the counts of a histogram; nil if there is no such series.
    /// - Parameters:
    ///   - label: The label of the metric.
    ///   - dimensions: The dimensions of the series, in any order.
    public func histogram(_ label: String, _ dimensions: [(String, String)] = []) -> HistogramSnapshot? {
        switch series(label, dimensions) {
        case .histogram(let histogram): histogram.snapshot
        case .number, nil: nil
        }
    }

    /// Returns the sum of the counters or gauges with these dimensions, and any others; 0 if there are none.
    /// - Parameters:
    ///   - label: The label of the metric.
    ///   - dimensions: The dimensions that the series have, among others.
    public func total(_ label: String, _ dimensions: [(String, String)] = []) -> Double {
        samples(label, dimensions).reduce(0) { $0 + ($1.value ?? 0) }
    }

    /// Returns the sum of the histograms with these dimensions, and any others; nil if there are none.
    /// - Parameters:
    ///   - label: The label of the metric.
    ///   - dimensions: The dimensions that the series have, among others.
    public func totalHistogram(_ label: String, _ dimensions: [(String, String)] = []) -> HistogramSnapshot? {
        samples(label, dimensions).compactMap(\.histogram).reduce(nil) { $0?.adding($1) ?? $1 }
    }

    /// Returns the series with these dimensions, and any others, in no particular order.
    /// - Parameters:
    ///   - label: The label of the metric.
    ///   - dimensions: The dimensions that the series have, among others.
    public func samples(_ label: String, _ dimensions: [(String, String)] = []) -> [MetricSample] {
        let families = state.withLockedValue { state in state.families.values.filter { $0.label == label } }
        return families.flatMap { family in
            family.series.values.filter { series in dimensions.allSatisfy { series.dimensions[$0.0] == $0.1 } }
                .map(MetricSample.init)
        }
    }

    private func series(_ label: String, _ dimensions: [(String, String)]) -> MetricSeries? {
        let labels = MetricName.labels(dimensions)
        return state.withLockedValue { state in
            state.families.values.first { $0.label == label }.flatMap { $0.series[labels]?.values }
        }
    }

    /// Returns the series of a metric, which is created if there is none; nil if there are too many, or if the metric
    /// has another kind.
    private func series(
        _ label: String,
        _ dimensions: [(String, String)],
        _ kind: MetricKind
    ) -> MetricSeries? {
        let labels = MetricName.labels(dimensions)
        return state.withLockedValue { state in
            let description = state.descriptions[label]
            let name = MetricName.family(label, kind)
            var family = state.families[name] ?? MetricFamily(name: name, label: label, kind, description)
            if let series = family.series[labels] { return family.kind == kind ? series.values : nil }
            guard family.kind == kind, state.seriesCount < seriesLimit else {
                state.refused += 1
                return nil
            }
            let series: MetricSeries =
                kind.isHistogram
                ? .histogram(Histogram(bounds: family.bounds, scale: family.scale)) : .number(Number())
            let names = Dictionary(dimensions) { first, _ in first }
            family.series[labels] = LabelledSeries(dimensions: names, values: series)
            state.families[name] = family
            state.seriesCount += 1
            return series
        }
    }

    /// Removes a series that is not updated any more.
    private func remove(_ isRemoved: (MetricSeries) -> Bool) {
        state.withLockedValue { state in
            for (name, var family) in state.families {
                guard let labels = family.series.first(where: { isRemoved($0.value.values) })?.key else { continue }
                family.series[labels] = nil
                state.families[name] = family.series.isEmpty ? nil : family
                state.seriesCount -= 1
                return
            }
        }
    }

    private func remove(_ number: Number?) {
        guard let number else { return }
        remove { if case .number(let other) = $0 { other === number } else { false } }
    }

    private func remove(_ histogram: Histogram?) {
        guard let histogram else { return }
        remove { if case .histogram(let other) = $0 { other === histogram } else { false } }
    }
}

// MARK: - Handlers

extension MetricsRegistry {
    /// Returns the handler of a counter.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        CounterOfRegistry(
            number(label, dimensions, .counter),
            next?.makeCounter(label: label, dimensions: dimensions)
        )
    }

    /// Returns the handler of a counter of fractions.
    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        FractionCounterOfRegistry(
            number(label, dimensions, .counter),
            next?.makeFloatingPointCounter(label: label, dimensions: dimensions)
        )
    }

    /// Returns the handler of a meter.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        MeterOfRegistry(number(label, dimensions, .gauge), next?.makeMeter(label: label, dimensions: dimensions))
    }

    /// Returns the handler of a recorder: a histogram if it aggregates, otherwise a gauge.
    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        let next = next?.makeRecorder(label: label, dimensions: dimensions, aggregate: aggregate)
        guard aggregate else { return GaugeOfRegistry(number(label, dimensions, .gauge), next) }
        return HistogramOfRegistry(histogram(label, dimensions, .histogram), next)
    }

    /// Returns the handler of a timer: a histogram of seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        TimerOfRegistry(
            histogram(label, dimensions, .timer),
            next?.makeTimer(label: label, dimensions: dimensions)
        )
    }

    /// Removes a counter.
    public func destroyCounter(_ handler: any CounterHandler) {
        guard let handler = handler as? CounterOfRegistry else { return }
        remove(handler.number)
        if let other = handler.next { next?.destroyCounter(other) }
    }

    /// Removes a counter of fractions.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {
        guard let handler = handler as? FractionCounterOfRegistry else { return }
        remove(handler.number)
        if let other = handler.next { next?.destroyFloatingPointCounter(other) }
    }

    /// Removes a meter.
    public func destroyMeter(_ handler: any MeterHandler) {
        guard let handler = handler as? MeterOfRegistry else { return }
        remove(handler.number)
        if let other = handler.next { next?.destroyMeter(other) }
    }

    /// Removes a recorder.
    public func destroyRecorder(_ handler: any RecorderHandler) {
        if let handler = handler as? GaugeOfRegistry {
            remove(handler.number)
            if let other = handler.next { next?.destroyRecorder(other) }
        } else if let handler = handler as? HistogramOfRegistry {
            remove(handler.histogram)
            if let other = handler.next { next?.destroyRecorder(other) }
        }
    }

    /// Removes a timer.
    public func destroyTimer(_ handler: any TimerHandler) {
        guard let handler = handler as? TimerOfRegistry else { return }
        remove(handler.histogram)
        if let other = handler.next { next?.destroyTimer(other) }
    }

    private func number(_ label: String, _ dimensions: [(String, String)], _ kind: MetricKind) -> Number? {
        guard case .number(let number) = series(label, dimensions, kind) else { return nil }
        return number
    }

    private func histogram(_ label: String, _ dimensions: [(String, String)], _ kind: MetricKind) -> Histogram? {
        guard case .histogram(let histogram) = series(label, dimensions, kind) else { return nil }
        return histogram
    }
}
