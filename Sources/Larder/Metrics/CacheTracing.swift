import HTTPCaching
package import HTTPTypes
package import Tracing

/// The spans of a cache and its store (swift-distributed-tracing).
///
/// Without a tracer no span is made: a request costs one comparison for each.
package struct CacheTracing: Sendable {
    private let tracer: (any Tracer)?

    /// Creates the spans of a tracer.
    /// - Parameter tracer: The tracer; nil for the one that the application has bootstrapped, if it has.
    package init(_ tracer: (any Tracer)? = nil) {
        let tracer = tracer ?? InstrumentationSystem.tracer
        self.tracer = tracer is NoOpTracer ? nil : tracer
    }

    /// True if there is a tracer.
    package var isOn: Bool { tracer != nil }

    /// Runs an operation in a span.
    /// - Parameter body: The operation, which gets the span; nil without a tracer.
    package func span<Result>(
        _ name: String,
        ofKind kind: SpanKind = .internal,
        _ body: ((any Span)?) async throws -> Result
    ) async rethrows -> Result {
        guard let tracer else { return try await body(nil) }
        return try await Self.run(body, in: tracer.startSpan(name, ofKind: kind))
    }

    /// Starts the span of a request that was received with these fields: a child of the span that they name.
    /// - Returns: The span, which the caller ends; nil without a tracer.
    package func startSpan(_ name: String, receivedWith fields: HTTPFields) -> (any Span)? {
        guard let tracer else { return nil }
        var context = ServiceContext.topLevel
        tracer.extract(fields, into: &context, using: FieldsOfTrace())
        return tracer.startSpan(name, context: context, ofKind: .server)
    }

    /// Runs an operation, and ends its span. An error is recorded.
    private static func run<Result>(
        _ body: ((any Span)?) async throws -> Result,
        in span: any Span
    ) async rethrows -> Result {
        defer { span.end() }
        return try await ServiceContext.$current.withValue(span.context) {
            do { return try await body(span) } catch {
                span.recordError(error)
                span.setStatus(SpanStatus(code: .error))
                throw error
            }
        }
    }

    /// Adds a context, by default that of the present span, to the fields of a request that is sent.
    package func inject(_ context: ServiceContext? = .current, into fields: inout HTTPFields) {
        guard let tracer, let context else { return }
        tracer.inject(context, into: &fields, using: FieldsOfTrace())
    }

    /// Makes the span of a request that the memory of this process has answered.
    func noteHit() {
        guard let tracer else { return }
        let span = tracer.startSpan("larder.request", ofKind: .internal)
        span.note(.hit)
        span.end()
    }
}

/// The access of a tracer to the fields of a request.
private struct FieldsOfTrace: Extractor, Injector {
    func extract(key: String, from fields: HTTPFields) -> String? { HTTPField.Name(key).flatMap { fields[$0] } }

    func inject(_ value: String, forKey key: String, into fields: inout HTTPFields) {
        if let name = HTTPField.Name(key) { fields[name] = value }
    }
}

extension Span {
    /// Notes the status that the origin answered with.
    package func note(_ status: HTTPResponse.Status) { attributes["http.response.status_code"] = status.code }

    /// Notes how a request was answered.
    package func note(_ result: RequestResult) { attributes["larder.result"] = result.rawValue }

    /// Notes how a request was answered, and why.
    func note(_ status: CacheStatus) {
        note(RequestResult(status))
        if let reason = status.forwardReason { attributes["larder.reason"] = reason.rawValue }
        if let detail = status.detail { attributes["larder.detail"] = detail }
    }
}

extension ResponseCache {
    /// Answers a request in a span, with the result and the reason.
    func tracing<Response: OriginResponse>(_ answer: () async throws -> Response) async throws -> Response {
        try await tracing.span("larder.request") { span in
            let response = try await answer()
            // The status was added to the head just now. Responses of frameworks have no place for it as a value.
            if let span, let status = CacheStatus(of: serving.name, in: response.head.headerFields) {
                span.note(status)
            }
            return response
        }
    }

    /// Forwards a request that is not looked up to the origin, and counts it by its result.
    func forward<O: Origin>(
        to origin: O,
        as result: RequestResult,
        of route: RouteStatistics?
    ) async throws -> O.Response {
        do {
            let response = try await forward(to: origin)
            statistics.count(result, of: route)
            return response
        } catch {
            // The origin has not failed if the client has left.
            statistics.count(Task.isCancelled ? result : .error, of: route)
            throw error
        }
    }

    /// Forwards a request to the origin in a span.
    func forward<O: Origin>(to origin: O) async throws -> O.Response {
        try await tracing.span("larder.origin") { span in
            let response = try await origin.forward()
            span?.note(response.head.status)
            return response
        }
    }
}
