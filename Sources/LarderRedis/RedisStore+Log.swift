import Larder
import RedisClient

/// The comparison of what look-ups found with the invalidation log.
///
/// The list is always read before the tables: a version that leaves the list in between is in its table by then. In the
/// opposite order it would be missed (row L03 of `Model/log.py`).
extension RedisStore {
    /// Reads the log for any number of scopes, as far as these read versions need it. A response is valid if it is
    /// valid by every reading: each reading has the floor as it was when its scopes were read.
    /// - Returns: At least one reading; nil if the log cannot be read.
    func readLog(for members: [String], since readVersions: [LogVersion]) async -> [LogReading]? {
        guard let readings = await readLists(for: members) else { return nil }
        return await addTables(to: readings, for: readVersions.map { ($0, members) })
    }

    /// Reads the list for any number of scopes, in one round trip; returns nil if the log cannot be read.
    func readLists(for members: [String]) async -> [LogReading]? {
        let parts = LogReading.parts(members)
        let replies = await failsafe.ask(parts.map { LogReading.command(names.log, $0) })
        guard let replies, replies.count == parts.count else { return nil }
        var readings: [LogReading] = []
        for (place, part) in parts.enumerated() {
            guard let reading = await delivery.reading(replies[place...place], of: part) else { return nil }
            readings.append(reading)
        }
        return readings
    }

    /// Adds the tables' answers to readings of the list, as far as some read versions need them; returns nil if the log
    /// cannot be read.
    func addTables(
        to readings: [LogReading],
        for compared: [(readVersion: LogVersion, members: [String])]
    ) async -> [LogReading]? {
        var complete: [LogReading] = []
        for reading in readings {
            let unread = compared.filter { $0.readVersion.epoch == reading.readVersion.epoch }
                .reduce(into: Set<String>()) { $0.formUnion(reading.unread($1.readVersion, $1.members)) }
            if unread.isEmpty {
                complete.append(reading)
            } else {
                guard let reading = await delivery.reading(reading, adding: unread) else { return nil }
                complete.append(reading)
            }
        }
        return complete
    }
}
