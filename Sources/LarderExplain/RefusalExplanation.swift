/// The explanation of a request that a gateway refuses, so that no response is looked up or fetched.
public struct RefusalExplanation: Hashable, Sendable {
    /// The status of the response that the client gets.
    public let status: Int
    /// The token of the reason, for programs.
    public let reason: String
    /// The result in one line.
    public let headline: String
    /// The reason in a sentence.
    public let sentence: String
    /// The change that would remove the reason, in a sentence.
    public let remedy: String

    /// Creates an explanation.
    public init(status: Int, reason: String, headline: String, sentence: String, remedy: String) {
        self.status = status
        self.reason = reason
        // The host of a request may contain characters that affect a terminal.
        self.headline = printable(headline)
        self.sentence = sentence
        self.remedy = remedy
    }

    /// The explanation as lines of text.
    public var lines: [String] {
        [headline, "", CacheExplanation.Topic.why.rawValue]
            + [sentence, "Remedy: \(remedy)"].flatMap(CacheExplanation.wrapped)
    }

    /// The explanation as plain values for programs.
    public var record: CacheExplanation.Record {
        CacheExplanation.Record(
            stored: false,
            summary: headline,
            key: nil,
            status: status,
            blockers: [CacheExplanation.StorageBlockerRecord(reason: reason, sentence: sentence, remedy: remedy)],
            lifetime: nil,
            notes: [],
            timeLine: []
        )
    }
}
