import HTTPCaching
import HTTPTypes
import Hummingbird
import Larder
import NIOConcurrencyHelpers
import NIOCore

/// The operation that fills the cache.
extension AdminAPI {
    var warm: APIOperation<Context> {
        APIOperation(
            .post,
            "/v1/warm",
            id: "warm",
            "Request targets through the cache",
            description:
                "Each target is requested by GET, without credentials, as a client would request it: a fresh stored "
                + "response is a hit, and the origin is asked otherwise. The requests count in the statistics.",
            content: .named("WarmRequest"),
            answers: [.json(200, "The result for each target", .named("WarmAnswer"))]
        ) { api, call throws(APIProblem) in
            guard let warm = api.site.warm else { throw APIProblem(.notFound, "There is no such route") }
            let targets = call.content[api.site.form == .path ? "paths" : "urls"]?.texts ?? []
            let options = try WarmOptions(call.content)
            return AdminAnswer(
                .json(.ok, await api.warm(targets, options, call.context, by: warm)),
                note: "targets:\(targets.count)"
            )
        }
    }

    /// Requests targets, a few at a time, and returns the results in the order of the targets.
    func warm(
        _ targets: [String],
        _ options: WarmOptions,
        _ context: Context,
        by responder: @escaping AdminSite<Context>.Responder
    ) async -> WarmAnswer {
        let pace = WarmPace(options.rate)
        var results = targets.map { WarmAnswer.Result(target: $0) }
        await withTaskGroup(of: (Int, WarmAnswer.Result).self) { group in
            var next = 0
            func start() async {
                guard next < targets.count, !Task.isCancelled, await pace.waitForTurn(next) else { return }
                let place = next
                next += 1
                group.addTask { (place, await self.warm(targets[place], options, context, by: responder)) }
            }
            for _ in 0..<options.concurrency { await start() }
            for await (place, result) in group {
                results[place] = result
                await start()
            }
        }
        return WarmAnswer(results)
    }

    private func warm(
        _ target: String,
        _ options: WarmOptions,
        _ context: Context,
        by responder: AdminSite<Context>.Responder
    ) async -> WarmAnswer.Result {
        var result = WarmAnswer.Result(target: target)
        do {
            let response = try await responder(request(for: target, options.fields), context)
            result.status = response.status.code
            let size = try await response.body.drain()
            // A response that breaks off is not stored.
            guard response.bodyLength == nil || response.bodyLength == size else { throw IncompleteResponse() }
            result.note(response.headers, cache: cache.name)
        } catch {
            result.result = "failed"
            result.reason = (error as? any HTTPResponseError).map { "\($0.status.code)" } ?? "\(type(of: error))"
            result.status = result.status ?? (error as? any HTTPResponseError)?.status.code
        }
        return result
    }
}

/// The error of a response that ends before its body does.
private struct IncompleteResponse: Error {}

/// The options of requests that fill the cache.
struct WarmOptions: Sendable {
    var concurrency = 4
    /// The largest number of requests in a second; nil for no limit.
    var rate: Double?
    var fields: HTTPFields = [:]

    /// Creates the default options.
    init() {}

    /// Creates the options of a request.
    /// - Throws: A problem if a field may hold credentials.
    init(_ content: JSONValue) throws(APIProblem) {
        concurrency = content["concurrency"]?.integer ?? 4
        rate = content["rate"]?.number
        let lines = content["fields"]?.texts ?? []
        for line in lines {
            let name = line.prefix { $0 != ":" }.lowercased()
            guard !Self.refused.contains(name) else {
                throw APIProblem(
                    "The field \(name) cannot be given: requests that fill the cache have no credentials, no "
                        + "content, and the host of their URL"
                )
            }
        }
        fields = try Self.fields(lines)
    }

    private static var refused: Set<String> {
        [
            "authorization", "connection", "content-length", "cookie", "expect", "host", "keep-alive",
            "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "x-api-key",
        ]
    }

    private static func fields(_ lines: [String]) throws(APIProblem) -> HTTPFields {
        try AdminAPI<BasicRequestContext>.requestFields(lines)
    }
}

/// The pace of requests that fill the cache.
private struct WarmPace: Sendable {
    private let began = ContinuousClock.now
    private let interval: Duration?

    init(_ rate: Double?) { interval = rate.map { .seconds(1 / $0) } }

    /// Waits until a request may be sent, the first one being number 0. Returns false if the task is cancelled.
    func waitForTurn(_ number: Int) async -> Bool {
        guard let interval else { return true }
        do { try await Task.sleep(until: began + interval * number, clock: .continuous) } catch { return false }
        return true
    }
}

/// The content of the answer to a request to fill the cache.
struct WarmAnswer: Encodable {
    /// The result for one target.
    struct Result: Encodable {
        let target: String
        var status: Int?
        var result = "failed"
        var stored = false
        var reason: String?
        var cacheStatus: String?

        enum CodingKeys: String, CodingKey {
            case target, status, result, stored, reason
            case cacheStatus = "cache_status"
        }

        init(target: String) { self.target = target }
    }

    let stored: Int
    let failed: Int
    let results: [Result]
    /// The number of targets beyond those that one answer has; nil for none.
    var leftOut: Int?

    enum CodingKeys: String, CodingKey {
        case stored, failed, results
        case leftOut = "left_out"
    }

    init(_ results: [Result]) {
        self.results = results
        stored = results.count { $0.stored }
        failed = results.count { $0.result == "failed" }
    }
}

extension WarmAnswer.Result {
    /// Notes what the cache says about a response.
    fileprivate mutating func note(_ fields: HTTPFields, cache: String) {
        guard let status = CacheStatus(of: cache, in: fields) else {
            let isError = (self.status ?? 0) >= 400
            (result, reason) = (isError ? "failed" : "bypass", "no cache has answered")
            return
        }
        cacheStatus = status.serialized()
        switch status.outcome {
        case .hit:
            let isStale = (status.ttl ?? 0) < 0
            (result, reason, stored) = (isStale ? "stale" : "hit", status.detail, true)
        case .forwarded(let forward, let answered, let isStored, _):
            let isBypass = forward == .bypass || forward == .method
            (result, reason) = (isBypass ? "bypass" : "miss", status.detail ?? forward.rawValue)
            // A response that the origin has confirmed is stored already.
            stored = isStored || !isBypass && answered == 304 && self.status != 304
        }
        if let code = self.status, code >= 500 { result = "failed" }
    }
}

extension ResponseBody {
    /// Reads the body to its end, and returns its size.
    fileprivate func drain() async throws -> Int {
        let count = NIOLockedValueBox(0)
        try await write(CountingWriter(count: count))
        return count.withLockedValue { $0 }
    }
}

/// A writer that drops what it is given, and counts it.
private struct CountingWriter: ResponseBodyWriter {
    let count: NIOLockedValueBox<Int>

    func write(_ buffer: ByteBuffer) async throws { count.withLockedValue { $0 += buffer.readableBytes } }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
