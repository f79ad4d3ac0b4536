import HTTPTypes
import Hummingbird
import Larder
import NIOCore
import ServiceLifecycle

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The operations on the numbers of the cache.
extension AdminAPI {
    /// The operations, which follow the others in the document.
    var statistics: [APIOperation<Context>] { [getStatistics, getTop, getEvents] }

    private static var window: APIOperation<Context>.Parameter {
        .init("window", .integer(5...3_600, default: 300), "The length of the window in seconds")
    }

    private var getStatistics: APIOperation<Context> {
        APIOperation(
            .get,
            "/v1/statistics",
            id: "getStatistics",
            "Return what the cache did within a window of time, and its state",
            description: "Numbers are those of one process. The window is shorter after a start. The history goes back "
                + "for an hour, in steps of five seconds.",
            parameters: [
                Self.window,
                .init(
                    "points",
                    .integer(0...120, default: 0),
                    "The number of points of curves, which divide the window"
                ),
            ],
            answers: [.json(200, "The numbers", .named("Statistics"))]
        ) { api, call throws(APIProblem) in
            let points = call.query["points"]?.integer
            let report = await StatisticsReport(of: api.cache, window: Self.window(of: call), points: points)
            return Self.answer(Self.json(report))
        }
    }

    private var getTop: APIOperation<Context> {
        APIOperation(
            .get,
            "/v1/top",
            id: "getTop",
            "List the keys, routes, tags or origins with the most requests, misses, bytes or time",
            description: "Routes are listed by requests and misses, tags by misses, bytes and origin-time, origins by "
                + "requests and origin-time, keys by all of them. Numbers are those of this process since it began. Only "
                + "what is certain is counted if there are more than 1,024 keys or tags.",
            parameters: [
                .init("of", .choice(TopReport.Kind.allCases.map(\.rawValue), default: "keys"), "What is listed"),
                .init("by", .choice(TopReport.Order.allCases.map(\.rawValue), default: "requests"), "The order"),
                .init("limit", .integer(1...100, default: 20), "The largest number of rows"),
            ],
            answers: [.json(200, "The rows, the first in the order first", .named("Top"))]
        ) { api, call throws(APIProblem) in
            let kind = call.query["of"]?.text.flatMap { TopReport.Kind(rawValue: $0) } ?? .keys
            let order = call.query["by"]?.text.flatMap { TopReport.Order(rawValue: $0) } ?? .requests
            let limit = call.query["limit"]?.integer ?? 20
            guard let report = TopReport(of: kind, by: order, limit: limit, in: api.cache) else {
                let orders = APISchema.list(TopReport.orders(of: kind).map(\.rawValue))
                throw APIProblem("\(kind.rawValue) are listed by \(orders), not by \(order.rawValue)")
            }
            return Self.answer(Self.json(report))
        }
    }

    private var getEvents: APIOperation<Context> {
        APIOperation(
            .get,
            "/v1/events",
            id: "getEvents",
            "Stream the statistics, every two seconds",
            description:
                "Server-sent events named statistics, whose data is what v1/statistics returns without points. "
                + "The stream ends when the server is to stop.",
            parameters: [Self.window],
            answers: [.init(200, "The events", .string(), as: "text/event-stream")]
        ) { api, call throws(APIProblem) in
            let (window, isStopping) = (Self.window(of: call), api.site.isStopping)
            let body = ResponseBody { [cache = api.cache] writer in
                while !isStopping(), !Task.isShuttingDownGracefully {
                    let report = await StatisticsReport(of: cache, window: window, points: nil)
                    var event = ByteBuffer(string: "event: statistics\ndata: ")
                    event.writeBytes(Self.json(report))
                    event.writeString("\n\n")
                    try await writer.write(event)
                    try await Task.sleep(for: .seconds(2))
                }
                try await writer.finish(nil)
            }
            let fields: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-store"]
            return AdminAnswer(Response(status: .ok, headers: fields, body: body))
        }
    }

    private static func window(of call: APICall<Context>) -> Int { call.query["window"]?.integer ?? 300 }

    private static func json(_ report: some Encodable) -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(report) else {
            preconditionFailure("Numbers and strings must be encodable as JSON")
        }
        return data
    }

    private static func answer(_ json: Data) -> AdminAnswer {
        let fields: HTTPFields = [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"]
        var answer = AdminAnswer(
            Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: json)))
        )
        answer.isRoutine = true
        return answer
    }
}
