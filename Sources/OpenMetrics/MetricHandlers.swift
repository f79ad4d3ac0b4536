import CoreMetrics

/// A counter of the registry, and the same counter of another backend.
final class CounterOfRegistry: CounterHandler {
    let number: Number?
    let next: (any CounterHandler)?

    init(_ number: Number?, _ next: (any CounterHandler)?) { (self.number, self.next) = (number, next) }

    func increment(by amount: Int64) {
        number?.add(amount)
        next?.increment(by: amount)
    }

    /// Does nothing: a counter of OpenMetrics starts again at zero only with its process.
    func reset() { next?.reset() }
}

/// A counter of fractions of the registry, and the same counter of another backend.
final class FractionCounterOfRegistry: FloatingPointCounterHandler {
    let number: Number?
    let next: (any FloatingPointCounterHandler)?

    init(_ number: Number?, _ next: (any FloatingPointCounterHandler)?) { (self.number, self.next) = (number, next) }

    func increment(by amount: Double) {
        if amount.isFinite, amount > 0 { number?.add(amount) }
        next?.increment(by: amount)
    }

    func reset() { next?.reset() }
}

/// A meter of the registry, and the same meter of another backend.
final class MeterOfRegistry: MeterHandler {
    let number: Number?
    let next: (any MeterHandler)?

    init(_ number: Number?, _ next: (any MeterHandler)?) { (self.number, self.next) = (number, next) }

    func set(_ value: Int64) {
        number?.set(Double(value))
        next?.set(value)
    }

    func set(_ value: Double) {
        number?.set(value)
        next?.set(value)
    }

    func increment(by amount: Double) {
        number?.add(amount)
        next?.increment(by: amount)
    }

    func decrement(by amount: Double) {
        number?.add(-amount)
        next?.decrement(by: amount)
    }
}

/// A gauge of the registry, and the same gauge of another backend.
final class GaugeOfRegistry: RecorderHandler {
    let number: Number?
    let next: (any RecorderHandler)?

    init(_ number: Number?, _ next: (any RecorderHandler)?) { (self.number, self.next) = (number, next) }

    func record(_ value: Int64) {
        number?.set(Double(value))
        next?.record(value)
    }

    func record(_ value: Double) {
        number?.set(value)
        next?.record(value)
    }
}

/// A histogram of numbers of the registry, and the same recorder of another backend.
final class HistogramOfRegistry: RecorderHandler {
    let histogram: Histogram?
    let next: (any RecorderHandler)?

    init(_ histogram: Histogram?, _ next: (any RecorderHandler)?) { (self.histogram, self.next) = (histogram, next) }

    func record(_ value: Int64) {
        histogram?.record(value)
        next?.record(value)
    }

    func record(_ value: Double) {
        histogram?.record(value)
        next?.record(value)
    }
}

/// A histogram of times of the registry, and the same timer of another backend.
final class TimerOfRegistry: TimerHandler {
    let histogram: Histogram?
    let next: (any TimerHandler)?

    init(_ histogram: Histogram?, _ next: (any TimerHandler)?) { (self.histogram, self.next) = (histogram, next) }

    func recordNanoseconds(_ duration: Int64) {
        histogram?.record(duration)
        next?.recordNanoseconds(duration)
    }
}
