/// The schemas of the numbers of the cache.
extension AdminAPI {
    static var statisticsSchemas: [String: APISchema] {
        [
            "Statistics": statisticsReport, "StatisticsPoint": point, "Times": timesOfKind, "OriginTimes": originTimes,
            "Top": top, "TopRow": topRow,
        ]
    }

    private static var counts: APISchema { .map(.integer()) }
    private static var time: APISchema { .string(.init(format: "date-time")) }

    private static var statisticsReport: APISchema {
        .object(
            [
                .required("name", .string(), "The name of the cache in Cache-Status"), .required("version", .string()),
                .required("time", time), .required("uptime", .number(), "The seconds since the cache was created"),
            ] + window + state + [
                .optional("points", .array(.named("StatisticsPoint"), count: APISchema.unlimited), "The oldest first")
            ]
        )
    }

    private static var window: [APISchema.Member] {
        [
            .required("window", .integer(), "The length of the window that was asked for, in seconds"),
            .required("seconds", .number(), "The length of the window, which is shorter after a start"),
            .required("requests", counts, "The requests in the window, by result"),
            .required("requests_per_second", .number()),
            .optional(
                "hit_ratio",
                .number(0...1),
                "The part of the requests that were answered from the store, of those that looked for a stored "
                    + "response; left out if there were none"
            ),
            .required("stored", .integer()), .required("not_stored", .integer()),
            .required("evictions", .integer()), .required("invalidations", .integer()),
            .required(
                "times",
                .object([
                    .optional("hit", .named("Times")), .optional("miss", .named("Times")),
                    .optional("origin", .named("Times")),
                ]),
                "The times to the first byte, and those of origins, in the window"
            ),
        ]
    }

    private static var state: [APISchema.Member] {
        [
            .required(
                "reasons",
                .object([
                    .required("bypasses", counts), .required("not_stored", counts), .required("stale", counts),
                ]),
                "The reasons since the start"
            ),
            .required(
                "store",
                .object([
                    .required("entries", .integer(), "The keys under which a response is stored"),
                    .optional("used_bytes", .integer()), .optional("limit_bytes", .integer()),
                    .required("available", .boolean()), .optional("evictions", .integer()),
                    .optional("expirations", .integer()),
                ])
            ),
            .required(
                "in_progress",
                .object([
                    .required("fetches", .integer()), .required("waiting", .integer()),
                    .optional("connections", .integer()), .optional("requests", .integer()),
                    .required("bodies_bytes", .integer()),
                ])
            ),
            .optional(
                "redis",
                .object([
                    .required("available", .boolean()), .required("pending_invalidations", .integer()),
                    .optional("round_trip", .named("Times")),
                ])
            ),
            .optional("origins", .array(.named("OriginTimes"), count: APISchema.unlimited)),
            .optional(
                "process",
                .object([.required("resident_bytes", .integer()), .required("cpu_seconds", .number())])
            ),
        ]
    }

    private static var timesOfKind: APISchema {
        .object(
            [.required("count", .integer())]
                + ["mean", "p50", "p90", "p99"].map { .required($0, .number(), "Seconds") }
        )
    }

    private static var originTimes: APISchema {
        .object([
            .required("origin", .string()), .required("available", .boolean()), .required("requests", .integer()),
            .optional("mean", .number(), "Seconds"), .optional("p99", .number(), "Seconds"),
        ])
    }

    private static var point: APISchema {
        .object([
            .required("time", time, "The end of the point's part of the window"), .required("seconds", .number()),
            .required("requests", counts), .optional("hit_ratio", .number(0...1)),
            .optional("hit_p99", .number()), .optional("miss_p99", .number()), .optional("origin_p99", .number()),
            .required("entries", .integer()), .optional("used_bytes", .integer()),
        ])
    }

    private static var top: APISchema {
        .object([
            .required("of", .choice(TopReport.Kind.allCases.map(\.rawValue))),
            .required("by", .choice(TopReport.Order.allCases.map(\.rawValue))),
            .required("rows", .array(.named("TopRow"), count: APISchema.unlimited)),
        ])
    }

    private static var topRow: APISchema {
        .object([
            .required("name", .string()), .optional("requests", .integer()), .optional("misses", .integer()),
            .optional("bytes", .integer(), "The bytes that origins sent"),
            .optional("origin_time", .number(), "The seconds that origins took"),
        ])
    }
}
