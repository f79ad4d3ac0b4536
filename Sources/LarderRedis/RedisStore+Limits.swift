import Larder
import NIOCore
import RedisClient

extension RESPLimits {
    /// Lets a reply hold all variants of a key, each as large as it may be.
    mutating func makeRoom(for options: RedisStore.Options) {
        // What an entry costs in memory is more than its value takes on the wire.
        let entry = options.entryLimit.bytes
        let room = options.variantBytes.addingReportingOverflow(entry)
        // Beside its value a variant has two names and its place in the order.
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

    /// The number of variants stored under one key: a reply has to hold them.
    var variantCount: Int { min(max(1, variantLimit), 8_192) }

    /// The bytes that the variants of one key take at most.
    var variantBytes: Int {
        let count = min(variantCount, Self.variantRoom)
        let (bytes, overflow) = entryLimit.bytes.multipliedReportingOverflow(by: count)
        return overflow ? Int.max / 4 : bytes
    }
}
