/// A page of the list of entries.
struct EntryPage<Entry: Decodable>: Decodable {
    let entries: [Entry]
    /// Where the next page begins; nil on the last one.
    let cursor: String?
}

/// An entry of the list.
struct EntrySummary: Decodable {
    let key: String
    let target: String
    let variants: Int
    let size: Int
    let age: Int
    let ttl: Int
    let storedFor: Int
    let tags: [String]
    let requests: Int?
}

/// An entry with its variants.
struct EntryAnswer: Decodable {
    let key: String
    let target: String
    let requests: Int?
    let decision: EntryDecision
    let variants: [EntryVariant]
}

/// What the cache does with a request.
struct EntryDecision: Decodable {
    let result: String
    let reason: String
    let sentence: String
}

/// A stored response.
struct EntryVariant: Decodable {
    let status: Int
    let fields: [EntryField]
    let size: Int
    let bodySize: Int
    let vary: [String]
    let selectingFields: [EntryField]
    let tags: [String]
    let age: Int
    let ttl: Int
    let lifetimeSource: String
    let generatedAt: String
    let freshUntil: String
    let staleWhileRevalidateUntil: String
    let staleIfErrorUntil: String
    let staleIfUnreachableUntil: String
    let storedUntil: String
    let decision: EntryDecision
}

/// A field of a stored response or of the request that it was stored for.
struct EntryField: Decodable {
    let name: String
    /// The value; nil if it is hidden, or the request did not have the field.
    let value: String?
    /// True if the value may be a credential, and is not shown.
    let hidden: Bool?

    /// The field as it is printed.
    var text: String { "\(name): \(value ?? (hidden == true ? "(hidden)" : "(absent)"))" }
}

/// The document of the API, as far as it says what the API offers.
struct AdminDocument: Decodable {
    struct Components: Decodable {
        let schemas: [String: Schema]
    }

    struct Schema: Decodable {
        let properties: [String: Property]?
    }

    struct Property: Decodable {}

    let paths: [String: Property]
    let components: Components
}

/// What is purged.
struct PurgeRequest: Encodable {
    var keys: [String]?
    var urls: [String]?
    var paths: [String]?
    var prefixes: [String]?
    var tags: [String]?
    var allTags: [[String]]?
    var everything: Bool?
    var mode: String?
    var dryRun: Bool?
    var warm: Bool?

    enum CodingKeys: String, CodingKey {
        case keys, urls, paths, prefixes, tags, everything, mode, warm
        case allTags = "all_tags"
        case dryRun = "dry_run"
    }
}

/// The result of an invalidation.
struct PurgeAnswer: Decodable {
    struct Selector: Decodable {
        let selector: String
        let values: [String]
        let matched: Int?
    }

    let result: String
    let mode: String
    let dryRun: Bool
    let matched: Int?
    let complete: Bool?
    let selectors: [Selector]
    let warm: WarmAnswer?
}

/// What is requested through the cache: URLs of a gateway, or paths of an application.
struct WarmRequest: Encodable {
    var urls: [String]?
    var paths: [String]?
    let concurrency: Int
    let rate: Double?
    /// Fields of the requests, `Name: value`; nil for none.
    let fields: [String]?
}

/// The results of requests through the cache.
struct WarmAnswer: Decodable {
    let results: [WarmResult]
}

/// The result of one request through the cache.
struct WarmResult: Codable {
    let target: String
    var status: Int?
    let result: String
    let stored: Bool
    var reason: String?
    var cacheStatus: String?
}
