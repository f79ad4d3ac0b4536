import Foundation
import LarderSimulation

/// The requests for a list of URLs, in batches that the admin API works off one after the other.
struct WarmRun {
    /// The bounds of the work that the API does at a time.
    struct Limits {
        /// The largest number of requests at a time.
        var concurrency = 4
        /// The largest number of requests per second; nil for any.
        var rate: Double?
        /// The fields of the requests; nil for none.
        var fields: [String]?

        /// The number of URLs of a batch: so few that progress shows, and so many that few of them wait for the last
        /// one of a batch.
        var batchSize: Int {
            let size = concurrency * 8
            return rate.map { min(size, max(1, Int($0 * 5))) } ?? size
        }
    }

    /// The number of bytes of a batch. The API takes 1 MiB.
    private static let batchLength = 524_288

    let client: AdminClient
    let limits: Limits
    /// The form of the targets.
    let form: TargetForm
    /// The URLs or paths, in the order in which they are requested.
    let urls: [String]

    /// Requests the URLs.
    /// - Parameter onBatch: Called with the URLs of each batch and their results.
    /// - Throws: ``Failure``, `CancellationError`, or the error of `onBatch`.
    func run(onBatch: ([String], [WarmResult]) throws -> Void) async throws {
        let clock = ContinuousClock()
        var rest = urls[...]
        while !rest.isEmpty {
            try Task.checkCancellation()
            let started = clock.now
            let batch = nextBatch(&rest)
            try onBatch(batch, try await results(of: batch))
            guard let rate = limits.rate, !rest.isEmpty else { continue }
            // The API spreads the requests of a batch; the first one of the next batch waits for its turn, too.
            try await clock.sleep(until: started.advanced(by: .seconds(Double(batch.count) / rate)))
        }
    }

    private func nextBatch(_ rest: inout ArraySlice<String>) -> [String] {
        var (batch, length) = ([String](), 0)
        while let url = rest.first, batch.count < limits.batchSize,
            batch.isEmpty || length + url.utf8.count <= Self.batchLength
        {
            batch.append(url)
            length += url.utf8.count
            rest.removeFirst()
        }
        return batch
    }

    private func results(of batch: [String]) async throws -> [WarmResult] {
        let request = WarmRequest(
            urls: form == .urls ? batch : nil,
            paths: form == .paths ? batch : nil,
            concurrency: limits.concurrency,
            rate: limits.rate,
            fields: limits.fields
        )
        let answer = try await client.post("v1/warm", request)
        if answer.status == 400, let problem = answer.problem {
            // One URL that the API does not take is no reason to leave out the others.
            guard batch.count > 1 else {
                return [WarmResult(target: batch[0], result: "failed", stored: false, reason: problem.detail)]
            }
            var results: [WarmResult] = []
            for url in batch {
                if let rate = limits.rate, !results.isEmpty { try await Task.sleep(for: .seconds(1 / rate)) }
                results += try await self.results(of: [url])
            }
            return results
        }
        guard answer.status == 200 else { throw client.failure(of: answer) }
        let results = try client.content(of: answer, as: WarmAnswer.self).value.results
        guard results.count == batch.count else {
            throw Failure(
                "the API answers with \(results.count) results for \(batch.count) URLs",
                code: EX_UNAVAILABLE
            )
        }
        return results
    }
}
