extension GatewaySettings {
    /// The format of the lines of the access log.
    public enum AccessLogFormat: String, Hashable, Sendable, CaseIterable {
        /// The Combined Log Format, followed by the chosen fields as `name=value`; by none unless fields are chosen.
        case combined
        /// One JSON object with the chosen fields, in their order; with all unless fields are chosen.
        case json
        /// The chosen fields as `name=value`, in their order; all unless fields are chosen.
        case fields
    }

    /// A field of the access log. Its raw value is its name in settings, in JSON, and before a `=`.
    public enum AccessLogField: String, Hashable, Sendable, CaseIterable {
        /// The time at which the response ended, in the format of ISO 8601 with milliseconds.
        case time
        /// The ID of the request.
        case requestID = "request_id"
        /// The client's address, also behind trusted proxies.
        case client
        /// The method.
        case method
        /// The host that the client named.
        case host
        /// The path and the query.
        case target
        /// The version of HTTP.
        case version
        /// The route: its host and path in the file, or `default`.
        case route
        /// The status; 499 if the client left before there was a response.
        case status
        /// The number of bytes of the response's body.
        case bytes
        /// The way in which the request was answered: `hit`, `stale`, `miss`, `collapsed`, `bypass`, `write`, `error`
        /// or `none`.
        case result
        /// The reason for the result, in one word.
        case reason
        /// Further information about the reason.
        case detail
        /// The value of `Age` in the response, in seconds.
        case age = "age_s"
        /// The time from the head of the request to that of the response, in milliseconds.
        case timeToFirstByte = "first_byte_ms"
        /// The time from the head of the request to the end of the response, in milliseconds.
        case duration = "duration_ms"
        /// The origin that was asked for the response.
        case origin
        /// The time until the origin sent the head of its response, in milliseconds.
        case originTime = "origin_ms"
        /// The ID of the trace, from `traceparent`.
        case traceID = "trace_id"
        /// The value of `Referer`.
        case referer
        /// The value of `User-Agent`.
        case userAgent = "user_agent"
    }
}
