import Larder
import RedisClient

/// How look-ups compare what they found with the invalidation log.
///
/// The list is read before the tables, always: a version that leaves the list in between is in its table by then, and
/// would be missed the other way round (row L03 of `Model/log.py`).
extension RedisStore {
    /// Reads the log for any number of scopes, as far as these read versions need it. Something is valid if it is by
    /// every reading: each one has the floor as it stood when its scopes were read.
    /// - Returns: one reading at least; nil if Redis does not tell.
    func readings(of members: [String], since births: [LogVersion]) async -> [LogReading]? {
        guard let readings = await lists(of: members) else { return nil }
        return await whole(readings, for: births.map { ($0, members) })
    }

    /// Reads the list for any number of scopes, in one round trip.
    func lists(of members: [String]) async -> [LogReading]? {
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

    /// Adds to readings of the list what only the tables tell of some read versions.
    func whole(
        _ readings: [LogReading],
        for compared: [(readVersion: LogVersion, members: [String])]
    ) async -> [LogReading]? {
        var whole: [LogReading] = []
        for reading in readings {
            let unread = compared.filter { $0.readVersion.epoch == reading.readVersion.epoch }
                .reduce(into: Set<String>()) { $0.formUnion(reading.unread($1.readVersion, $1.members)) }
            if unread.isEmpty {
                whole.append(reading)
            } else {
                guard let reading = await delivery.reading(reading, adding: unread) else { return nil }
                whole.append(reading)
            }
        }
        return whole
    }
}
