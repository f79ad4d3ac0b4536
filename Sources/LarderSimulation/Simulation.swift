/// A replay of a log through several stores at once.
package struct Simulation: Sendable {
    private let stores: [StoreOptions]

    /// Creates a simulation of these stores.
    package init(_ stores: [StoreOptions]) { self.stores = stores }

    /// Replays a log to its end.
    /// - Parameters:
    ///   - reader: The log, at its beginning. Afterwards it is at its end.
    ///   - onBatch: Called with the counts so far, after each batch was read.
    /// - Returns: The counts of each store.
    /// - Throws: The error of the reader.
    package func run(
        _ reader: inout LogReader,
        onBatch: (LogTotals) -> Void = { _ in }
    ) async throws -> [StoreCounts] {
        let stores = stores.map { $0.store() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            // A batch is read while the one before it is replayed.
            while let batch = try reader.next() {
                onBatch(reader.totals)
                try await group.waitForAll()
                for store in stores { group.addTask { await store.replay(batch) } }
            }
            try await group.waitForAll()
        }
        var counts: [StoreCounts] = []
        for store in stores { counts.append(await store.counts) }
        return counts
    }
}
