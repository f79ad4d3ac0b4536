import Larder
import NIOCore
import RedisClient

extension RESPLimits {
    /// Raises the limits so that a reply can hold all variants of a key, each of the largest size.
    mutating func makeRoom(for options: RedisStore.Options) {
        // The cost of an entry in memory is more than the bytes of its value in a reply.
        let entry = options.entryLimit.bytes
        let room = options.variantBytes.addingReportingOverflow(entry)
        // A variant has two names and a place in the order beside its value.
        let names = 512 * options.variantCount
        let reply = room.overflow ? Int.max / 4 : min(room.partialValue, Int.max / 8) + names
        bulkLength = max(bulkLength, entry)
        replyBytes = max(replyBytes, reply)
        pipelineBytes = max(pipelineBytes, reply)
        bytesInFlight = max(bytesInFlight, reply)
    }
}

extension RedisStore.Options {
    /// The bounds of the timeout of reads.
    var timeouts: AdaptiveTimeout.Bounds {
        AdaptiveTimeout.Bounds(
            base: TimeAmount(max(.nanoseconds(1), timeout)),
            shortest: TimeAmount(max(.nanoseconds(1), timeoutBounds.lowerBound)),
            longest: TimeAmount(max(.nanoseconds(1), timeoutBounds.upperBound))
        )
    }

    /// The largest number of variants stored under one key: a reply has to hold them.
    var variantCount: Int { min(max(1, variantLimit), 8_192) }

    /// The most bytes that the variants of one key take.
    var variantBytes: Int {
        let count = min(variantCount, Self.variantRoom)
        let (bytes, overflow) = entryLimit.bytes.multipliedReportingOverflow(by: count)
        return overflow ? Int.max / 4 : bytes
    }
}
