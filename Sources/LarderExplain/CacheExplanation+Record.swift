import HTTPCaching
import HTTPTypes
import Larder

extension CacheExplanation {
    /// The explanation as plain values for programs. Names and tokens are stable; sentences may change.
    public struct Record: Encodable, Hashable, Sendable {
        /// True if the response is stored.
        public var stored: Bool
        /// The result in one line.
        public var summary: String
        /// The key of the response.
        public var key: String?
        /// The status code of the response.
        public var status: Int
        /// The reasons why the response is not stored; empty if it is stored.
        public var blockers: [StorageBlockerRecord]
        /// The lifetimes of the response; nil if it is not stored.
        public var lifetime: LifetimeRecord?
        /// The notes, in the order of their topics.
        public var notes: [NoteRecord]
        /// The rows of the time line; empty if the response is not stored.
        public var timeLine: [RowRecord]
    }

    /// A ``StorageBlocker`` as plain values.
    public struct StorageBlockerRecord: Encodable, Hashable, Sendable {
        /// The token of the reason.
        public var reason: String
        /// The reason, in a sentence.
        public var sentence: String
        /// The change that would remove the reason, in a sentence.
        public var remedy: String
    }

    /// The lifetimes, as ages in seconds.
    public struct LifetimeRecord: Encodable, Hashable, Sendable {
        /// The source of the freshness lifetime: `s-maxage`, `max-age`, `expires`, `heuristic`, `rules` or `none`.
        public var source: String
        /// The field that the directives come from.
        public var field: String
        /// The age on arrival, in seconds.
        public var ageOnArrival: Double
        /// The age before which the response is fresh, in seconds.
        public var freshUntil: Double
        /// The age before which the response may be served stale while it is refreshed, in seconds.
        public var staleWhileRevalidateUntil: Double
        /// The age before which the response may be served stale if the origin fails, in seconds.
        public var staleIfErrorUntil: Double
        /// The age before which the response may be served stale if the origin cannot be reached, in seconds.
        public var staleIfUnreachableUntil: Double
        /// The age before which the response stays stored, in seconds.
        public var storedUntil: Double
        /// True if the response must not be served stale.
        public var mustRevalidate: Bool
        /// True if the response must be validated at every use.
        public var alwaysRevalidate: Bool
        /// True if the response does not change while it is fresh.
        public var immutable: Bool
    }

    /// A ``Note`` as plain values.
    public struct NoteRecord: Encodable, Hashable, Sendable {
        /// The topic of the note.
        public var topic: String
        /// The text of the note.
        public var text: String
    }

    /// A ``TimeLine/Row`` as plain values.
    public struct RowRecord: Encodable, Hashable, Sendable {
        /// The age at which the row begins, in seconds.
        public var fromAge: Double
        /// The age at which the row ends, exclusive, in seconds; nil if it does not end.
        public var toAge: Double?
        /// The uses that end with the row: `fresh`, `stale-while-revalidate`, `stale-if-error`, `stale-if-unreachable`,
        /// `stored`.
        public var ends: [String]
        /// The answers, in the order of the requests.
        public var answers: [AnswerRecord]
    }

    /// A ``TimeLine/Answer`` as plain values.
    public struct AnswerRecord: Encodable, Hashable, Sendable {
        /// The name of the request.
        public var request: String
        /// The outcome of the request.
        public var outcome: String
        /// The reason for the outcome, or nil if it has none.
        public var reason: String?
        /// The outcome if the origin cannot be reached.
        public var unreachable: String
        /// The outcome if the origin answers with a 503.
        public var failing: String
    }

    /// The explanation as plain values.
    public var record: Record {
        var record = Record(
            stored: false,
            summary: headline,
            key: key?.description,
            status: exchange.response.status.code,
            blockers: [],
            lifetime: nil,
            notes: notes.map { NoteRecord(topic: $0.topic.rawValue.lowercased(), text: $0.text) },
            timeLine: timeLine?.records ?? []
        )
        switch conclusion {
        case .stored(let lifetimes):
            record.stored = true
            record.lifetime = lifetimeRecord(lifetimes)
        case .notStored(let blockers):
            record.blockers = blockers.map {
                StorageBlockerRecord(reason: $0.token, sentence: $0.sentence, remedy: $0.remedy)
            }
        }
        return record
    }

    private func lifetimeRecord(_ lifetimes: Lifetimes) -> LifetimeRecord {
        func age(_ moment: Timestamp) -> Double { moment.duration(since: lifetimes.generatedAt).seconds }
        return LifetimeRecord(
            source: lifetimes.source.token,
            field: exchange.directives(policy.rules).target?.rawName ?? "Cache-Control",
            ageOnArrival: age(exchange.respondedAt),
            freshUntil: age(lifetimes.freshUntil),
            staleWhileRevalidateUntil: age(lifetimes.staleWhileRevalidateUntil),
            staleIfErrorUntil: age(lifetimes.staleIfErrorUntil),
            staleIfUnreachableUntil: age(lifetimes.staleIfUnreachableUntil),
            storedUntil: age(lifetimes.storedUntil),
            mustRevalidate: lifetimes.mustRevalidate,
            alwaysRevalidate: lifetimes.alwaysRevalidate,
            immutable: lifetimes.isImmutable
        )
    }
}

extension TimeLine {
    fileprivate var records: [CacheExplanation.RowRecord] {
        rows.map { row in
            CacheExplanation.RowRecord(
                fromAge: row.from.duration(since: generatedAt).seconds,
                toAge: row.until?.duration(since: generatedAt).seconds,
                ends: row.ends.map(\.rawValue),
                answers: zip(questions, row.answers).map { question, answer in
                    CacheExplanation.AnswerRecord(
                        request: question.name,
                        outcome: answer.normally.token,
                        reason: answer.normally.reason,
                        unreachable: answer.unreachable.token,
                        failing: answer.failing.token
                    )
                }
            )
        }
    }
}
