import Larder
import NIOConcurrencyHelpers
import NIOCore
import Synchronization
import Tracing

/// The record of a request whose response is not written yet.
///
/// It is completed once, whatever happens: when the last byte of the response is given to the socket, when the response
/// breaks off, or at the latest when nothing refers to it any more, since its connection was lost.
final class OpenRecord: Sendable {
    private struct State {
        var record: RequestRecord
        var isCompleted = false
    }

    /// The times of the origin, if it is asked.
    let origin = OriginTiming()
    /// The span of the request, which ends with the record; nil without a tracer.
    let span: (any Span)?
    private let state: NIOLockedValueBox<State>
    private let bytes = Atomic<Int>(0)
    private let log: RequestLog

    init(_ record: RequestRecord, for log: RequestLog, in span: (any Span)? = nil) {
        self.span = span
        self.state = NIOLockedValueBox(State(record: record))
        self.log = log
    }

    deinit { complete() }

    /// Changes the record, unless it is completed.
    func change(_ body: (inout RequestRecord) -> Void) {
        state.withLockedValue { if !$0.isCompleted { body(&$0.record) } }
    }

    /// Notes that the head of the response is written.
    func begin() {
        let now = NIODeadline.now()
        change { $0.beganAt = now }
    }

    /// Counts a part of the body that is written.
    func add(_ part: ByteBuffer) { bytes.wrappingAdd(part.readableBytes, ordering: .relaxed) }

    /// Completes the record of a request whose client left before there was a response.
    func completeForClientThatLeft() {
        change { record in
            record.status = RequestRecord.clientLeft
            (record.result, record.reason, record.detail) = (.none, "client-left", nil)
        }
        complete()
    }

    /// Completes the record, and hands it over.
    func complete() {
        let now = NIODeadline.now()
        let record = state.withLockedValue { state -> RequestRecord? in
            guard !state.isCompleted else { return nil }
            state.isCompleted = true
            state.record.endedAt = now
            state.record.bytes = bytes.load(ordering: .relaxed)
            if let route = state.record.route, state.record.waitedForOrigin {
                state.record.origin = origin.use(of: route.origin)
            }
            return state.record
        }
        guard let record else { return }
        span?.end(record)
        log.record(record)
    }
}

extension Span {
    /// Ends the span of a request, with what the record says.
    fileprivate func end(_ record: RequestRecord) {
        note(record.result)
        attributes["http.response.status_code"] = record.status
        attributes["http.request.method"] = record.method
        attributes["url.path"] = record.target.map { String($0.prefix { $0 != "?" }) }
        attributes["http.route"] = record.route?.name
        attributes["larder.reason"] = record.reason
        attributes["larder.request_id"] = record.id
        if record.status >= 500 { setStatus(SpanStatus(code: .error)) }
        end()
    }
}

extension RequestRecord {
    /// True unless the response came from the store, perhaps with a refresh in the background, or from another
    /// request's fetch.
    fileprivate var waitedForOrigin: Bool {
        switch result {
        case .hit, .collapsed: false
        case .stale: reason != nil
        case .miss, .bypass, .write, .error, .none: true
        }
    }
}

/// The times at which an origin was asked for one request, and has sent the head of its response.
final class OriginTiming: Sendable {
    private let times = NIOLockedValueBox<(askedAt: NIODeadline?, answeredAt: NIODeadline?)>((nil, nil))

    /// Notes that the request is sent, which is what counts if it is sent more than once.
    func begin() {
        let now = NIODeadline.now()
        times.withLockedValue { $0.askedAt = $0.askedAt ?? now }
    }

    /// Notes that the head of the response is received.
    func end() {
        let now = NIODeadline.now()
        times.withLockedValue { $0.answeredAt = now }
    }

    /// Returns how the origin was used; nil if it was not asked.
    func use(of address: OriginAddress) -> RequestRecord.OriginUse? {
        let (askedAt, answeredAt) = times.withLockedValue { $0 }
        return askedAt.map { asked in .init(address: address, time: answeredAt.map { $0 - asked }) }
    }
}
