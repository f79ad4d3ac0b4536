import HTTPCaching
import HTTPTypes
import Larder

extension CacheExplanation {
    /// The explanation as plain values, for machines. Names and tokens stay; sentences may change.
    public struct Record: Encodable, Hashable, Sendable {
        /// Whether the response is stored.
        public var stored: Bool
        /// The verdict in a line.
        public var verdict: String
        /// The key of the response.
        public var key: String?
        /// The status code of the response.
        public var status: Int
        /// What is in the way; empty where the response is stored.
        public var obstacles: [StorageBlockerRecord]
        /// How long the response is good for what; nil where it is not stored.
        public var lifetime: LifetimeRecord?
        /// The notes, in the order of their topics.
        public var notes: [NoteRecord]
        /// The rows of the time line; empty where the response is not stored.
        public var timeLine: [RowRecord]
    }

    /// An ``StorageBlocker``.
    public struct StorageBlockerRecord: Encodable, Hashable, Sendable {
        /// The token of the reason.
        public var reason: String
        /// The reason in a sentence.
        public var sentence: String
        /// What would have to be different.
        public var remedy: String
    }

    /// The lifetimes, as ages in seconds.
    public struct LifetimeRecord: Encodable, Hashable, Sendable {
        /// Where the freshness lifetime comes from: `s-maxage`, `max-age`, `expires`, `heuristic`, `rules` or `none`.
        public var source: String
        /// The field that the directives come from.
        public var field: String
        /// The age on arrival.
        public var ageOnArrival: Double
        /// Fresh before this age.
        public var freshUntil: Double
        /// May be served stale while it is refreshed, before this age.
        public var staleWhileRevalidateUntil: Double
        /// May be served stale where the origin fails, before this age.
        public var staleIfErrorUntil: Double
        /// May be served stale where the origin cannot be reached, before this age.
        public var staleIfUnreachableUntil: Double
        /// Kept before this age.
        public var keepUntil: Double
        /// Whether it must not be served stale.
        public var mustRevalidate: Bool
        /// Whether it must be validated at every use.
        public var alwaysRevalidate: Bool
        /// Whether it will not change while it is fresh.
        public var immutable: Bool
    }

    /// A ``Note``.
    public struct NoteRecord: Encodable, Hashable, Sendable {
        /// What it is about.
        public var topic: String
        /// The sentence.
        public var text: String
    }

    /// A ``TimeLine/Row``.
    public struct RowRecord: Encodable, Hashable, Sendable {
        /// The age at which it begins.
        public var fromAge: Double
        /// The age at which it ends, itself not included; nil: never.
        public var toAge: Double?
        /// What ends with it: `fresh`, `stale-while-revalidate`, `stale-if-error`, `stale-if-unreachable`, `keep`.
        public var ends: [String]
        /// The answers.
        public var answers: [AnswerRecord]
    }

    /// A ``TimeLine/Answer``.
    public struct AnswerRecord: Encodable, Hashable, Sendable {
        /// What is asked.
        public var request: String
        /// What it gets.
        public var outcome: String
        /// Why, where there is a reason.
        public var reason: String?
        /// What it gets where the origin cannot be reached.
        public var unreachable: String
        /// What it gets where the origin answers with a 503.
        public var failing: String
    }

    /// The explanation as plain values.
    public var record: Record {
        var record = Record(
            stored: false,
            verdict: headline,
            key: key?.description,
            status: exchange.response.status.code,
            obstacles: [],
            lifetime: nil,
            notes: notes.map { NoteRecord(topic: $0.topic.rawValue.lowercased(), text: $0.text) },
            timeLine: timeLine?.records ?? []
        )
        switch verdict {
        case .stored(let lifetimes):
            record.stored = true
            record.lifetime = lifetimeRecord(lifetimes)
        case .notStored(let obstacles):
            record.obstacles = obstacles.map {
                StorageBlockerRecord(reason: $0.token, sentence: $0.sentence, remedy: $0.remedy)
            }
        }
        return record
    }

    private func lifetimeRecord(_ lifetimes: Lifetimes) -> LifetimeRecord {
        func age(_ moment: Timestamp) -> Double { moment.duration(since: lifetimes.born).seconds }
        return LifetimeRecord(
            source: lifetimes.source.token,
            field: exchange.directives(policy.rules).target?.rawName ?? "Cache-Control",
            ageOnArrival: age(exchange.respondedAt),
            freshUntil: age(lifetimes.freshUntil),
            staleWhileRevalidateUntil: age(lifetimes.staleWhileRevalidateUntil),
            staleIfErrorUntil: age(lifetimes.staleIfErrorUntil),
            staleIfUnreachableUntil: age(lifetimes.staleIfUnreachableUntil),
            keepUntil: age(lifetimes.keepUntil),
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
                fromAge: row.from.duration(since: born).seconds,
                toAge: row.until?.duration(since: born).seconds,
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
