import Foundation

/// The source of what `larder top` shows.
struct TopSource: Sendable {
    let client: AdminClient

    /// Returns the rows, and the statistics of the last minute.
    /// - Parameters:
    ///   - order: The order; nil for the first one that is counted.
    ///   - limit: The largest number of rows.
    ///   - isFlexible: True if another order takes the place of one that is not counted.
    func answers(
        of kind: TopKind,
        by order: TopOrder?,
        _ limit: Int,
        isFlexible: Bool = false
    ) async throws -> TopScreen.Answers {
        let statistics = try await client.get("v1/statistics", [(name: "window", value: "60")], as: Statistics.self)
        do {
            let top = try await rows(of: kind, by: order, limit).value
            return TopScreen.Answers(statistics: statistics.value, top: top)
        } catch let refusal as Failure where isFlexible && refusal.code == EX_USAGE {
            let top = try await rows(of: kind, by: nil, limit).value
            return TopScreen.Answers(statistics: statistics.value, top: top, note: refusal.description)
        }
    }

    /// Returns the rows.
    /// - Parameter order: The order; nil for the first one that is counted.
    func rows(of kind: TopKind, by order: TopOrder?, _ limit: Int) async throws -> AdminContent<TopAnswer> {
        var refusal: Failure?
        for order in order.map({ [$0] }) ?? TopOrder.allCases {
            let query = [
                (name: "of", value: kind.rawValue), (name: "by", value: order.rawValue),
                (name: "limit", value: "\(limit)"),
            ]
            do { return try await client.get("v1/top", query) } catch let failure as Failure
                where failure.code == EX_USAGE
            {
                // Not every count is there for every kind.
                refusal = refusal ?? failure
            }
        }
        throw refusal ?? Failure("the API does not count \(kind.rawValue)", code: 1)
    }
}
