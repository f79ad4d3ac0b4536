/// The schemas of the document.
extension AdminAPI {
    /// The largest number of selectors of one kind, and of URLs to request.
    static var listLimit: Int { APILimits.listLimit }

    /// A host, which is a name or an address, and a port of at most 65535, as a part of a pattern.
    private static var host: String {
        let name = "[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
        let address = "\\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\\]"
        let fiveDigits = "[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
        return "(\(name)|\(address))(:([1-9][0-9]{0,3}|\(fiveDigits)))?"
    }

    /// A path, in the gateway also on one host.
    static func path(_ form: AdminKeyForm) -> APISchema {
        switch form {
        case .path: return .string(.init(length: 1...8_192, pattern: "^/", "a path such as /api/posts"))
        case .url:
            let pattern = "^/([^/]|$)|^//\(host)/"
            let meaning = "a path such as /api/posts, or //shop.example/api/posts on one host"
            return .string(.init(length: 1...8_192, pattern: pattern, meaning))
        }
    }

    /// A path with all below it, in the gateway also a whole host.
    static func prefix(_ form: AdminKeyForm) -> APISchema {
        switch form {
        case .path: return path(.path)
        case .url:
            let pattern = "^/([^/]|$)|^//\(host)/?$"
            let meaning = "a path such as /api, or //shop.example for a whole host"
            return .string(.init(length: 1...8_192, pattern: pattern, meaning))
        }
    }

    static var key: APISchema {
        .string(.init(length: 1...8_192, pattern: "^[!-~]+$", "a key such as GET:/api/posts/, in visible ASCII"))
    }

    static var url: APISchema {
        let pattern = "^[Hh][Tt][Tt][Pp][Ss]?://\(host)([/?][!\"$-~]*)?$"
        return .string(.init(length: 1...8_192, pattern: pattern, "a URL such as http://shop.example/api/posts?page=2"))
    }

    static var tag: APISchema { .string(.init(length: 1...1_024)) }

    /// A path with its query, as a request has it.
    static var target: APISchema {
        .string(
            .init(
                length: 1...8_192,
                pattern: "^/[!\"$-~]*$",
                "a path with or without a query, such as /api/posts?page=2"
            )
        )
    }

    /// A field of a request.
    static var field: APISchema {
        let pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ -~]*$"
        return .string(.init(length: 1...1_024, pattern: pattern, "a field such as Accept-Language: de"))
    }

    /// The fields of a request. In a URL they have to fit into the head of a request.
    static var fields: APISchema { .array(field, count: 0...16) }

    private static var texts: APISchema { .array(.string(), count: APISchema.unlimited) }
    private static var time: APISchema { .string(.init(format: "date-time")) }

    /// The schemas that the document names.
    static func schemas(_ form: AdminKeyForm) -> [String: APISchema] {
        [
            "Problem": problem, "EntryPage": entryPage, "EntrySummary": entrySummary, "Entry": entry,
            "Variant": variant, "Field": storedField, "Decision": decision, "PurgeRequest": purgeRequest(form),
            "PurgeAnswer": purgeAnswer, "WarmRequest": warmRequest(form), "WarmAnswer": warmAnswer,
        ].merging(statisticsSchemas) { first, _ in first }
    }

    private static var problem: APISchema {
        .object([
            .required("title", .string(), "The reason phrase of the status"), .required("status", .integer()),
            .required("detail", .string(), "What is wrong, and what was expected"),
            .optional("purge", .named("PurgeAnswer"), "The answer of a purge whose invalidation is pending"),
        ])
    }

    private static var entryPage: APISchema {
        .object([
            .required("entries", .array(.named("EntrySummary"), count: APISchema.unlimited)),
            .optional("cursor", .string(), "The position of the next page; left out if there is none"),
        ])
    }

    private static var identity: [APISchema.Member] {
        [
            .required("key", .string()),
            .required(
                "target",
                .string(),
                "The URL, or in an application the path with its query; the name of a value"
            ),
        ]
    }

    private static var requests: APISchema.Member {
        .optional(
            "requests",
            .integer(),
            "The requests for the key since this process began, hits and misses; left out if they are not counted, as "
                + "those of seldom requested keys are not"
        )
    }

    /// The age and the remaining freshness.
    private static var times: [APISchema.Member] {
        [
            .required("age", .integer(), "The age in seconds, as in the Age field"),
            .required("ttl", .integer(), "The seconds for which it is still fresh; negative if it is stale (RFC 9211)"),
        ]
    }

    private static var entrySummary: APISchema {
        .object(
            identity + [
                .required("variants", .integer(), "The number of responses under the key"),
                .required("size", .integer(), "The bytes of the fields and bodies of all variants"),
            ] + times + [
                .required("stored_for", .integer(), "The seconds until the last variant expires"),
                .required("tags", texts), requests,
            ]
        )
    }

    private static var entry: APISchema {
        .object(
            identity + [
                requests, .required("decision", .named("Decision"), "The decision about the request"),
                .required("variants", .array(.named("Variant"), count: APISchema.unlimited), "The newest first"),
            ]
        )
    }

    private static var storedField: APISchema {
        .object([
            .required("name", .string()), .optional("value", .string(), "Left out if the field is absent or hidden"),
            .optional("hidden", .boolean(), "True if the value may be a credential, and is not shown"),
        ])
    }

    private static var variant: APISchema {
        let fields = APISchema.array(.named("Field"), count: APISchema.unlimited)
        let ends = ["fresh", "stale_while_revalidate", "stale_if_error", "stale_if_unreachable", "stored"]
        return .object(
            [
                .required("status", .integer()), .required("fields", fields),
                .required("size", .integer(), "The bytes of the fields and the body"),
                .required("body_size", .integer()),
                .required("vary", texts, "The request fields that it was selected by; * for everything"),
                .required("selecting_fields", fields, "The values that its request had in these fields"),
                .required("tags", texts),
            ] + times + [
                .required("lifetime_source", .choice(StoredVariant.sources), "The source of its freshness"),
                .required("generated_at", time, "The time at which its age was 0"),
            ] + ends.map { .required($0 + "_until", time) } + [
                .required(
                    "read_version",
                    .integer(),
                    "The version of the invalidation log before the origin was asked"
                ),
                .required(
                    "decision",
                    .named("Decision"),
                    "The decision about the request, if this were the only variant"
                ),
            ]
        )
    }

    private static var decision: APISchema {
        .object([
            .required("result", .choice(["hit", "stale", "miss", "bypass"])),
            .required("reason", .string(), "The word of Cache-Status, such as uri-miss"),
            .required("sentence", .string()),
        ])
    }

    private static func purgeRequest(_ form: AdminKeyForm) -> APISchema {
        let kinds = PurgeSelector.Kind.offered(form)
        return .object(
            kinds.map { .optional($0.rawValue, $0.schema(form: form, in: Self.self), $0.meaning) } + [
                .optional(
                    "mode",
                    .choice(PurgeMode.allCases.map(\.rawValue), default: PurgeMode.hard.rawValue),
                    "hard: what matches is invalidated, also in fetches under way. soft: what is stored and matches is "
                        + "stale from now on"
                ),
                .optional("dry_run", .boolean(default: false), "True to count only"),
                .optional(
                    "warm",
                    .boolean(default: false),
                    "True to request again what was purged by key, URL or path"
                ),
                .optional(
                    "count",
                    .boolean(default: true),
                    "False to invalidate without counting before, which takes long if very many entries are stored"
                ),
            ],
            oneOf: kinds.map(\.rawValue)
        )
    }

    private static var purgeAnswer: APISchema {
        .object([
            .required("result", .choice(PurgeAnswer.Result.allCases.map(\.rawValue))),
            .required("mode", .choice(PurgeMode.allCases.map(\.rawValue))), .required("dry_run", .boolean()),
            .optional("matched", .integer(), "The number of stored entries that matched; left out if not counted"),
            .optional("complete", .boolean(), "False if counting ended early, so that the numbers are lower bounds"),
            .required(
                "selectors",
                .array(
                    .object([
                        .required("selector", .choice(PurgeSelector.Kind.allCases.map(\.rawValue))),
                        .required("values", texts), .optional("matched", .integer()),
                    ]),
                    count: APISchema.unlimited
                )
            ),
            .optional("warm", .named("WarmAnswer")),
        ])
    }

    private static func warmRequest(_ form: AdminKeyForm) -> APISchema {
        let targets: APISchema.Member =
            switch form {
            case .path: .required("paths", .array(target, count: 0...listLimit), "The paths, each with its query")
            case .url: .required("urls", .array(url, count: 0...listLimit), "The URLs")
            }
        return .object([
            targets,
            .optional("concurrency", .integer(1...32, default: 4), "The largest number of requests at the same time"),
            .optional("rate", .number(1...1_000), "The largest number of requests in a second; none by default"),
            .optional("fields", fields, "The fields of the requests, such as Accept-Encoding: gzip; no credentials"),
        ])
    }

    private static var warmAnswer: APISchema {
        .object([
            .required("stored", .integer(), "The number of requests after which a response is stored"),
            .optional("left_out", .integer(), "The number of further targets of a purge, which were not requested"),
            .required("failed", .integer(), "The number of requests that were not answered, or with a 5xx"),
            .required(
                "results",
                .array(
                    .object([
                        .required("target", .string()), .optional("status", .integer()),
                        .required("result", .choice(["hit", "stale", "miss", "bypass", "failed"])),
                        .required("stored", .boolean()),
                        .optional("reason", .string(), "The word of Cache-Status, or why the request failed"),
                        .optional("cache_status", .string(), "The Cache-Status of this cache"),
                    ]),
                    count: APISchema.unlimited
                )
            ),
        ])
    }
}

/// The limits of the admin API that do not depend on the context of an application.
enum APILimits {
    /// The largest number of selectors of one kind, and of targets to request.
    static let listLimit = 1_000
}
