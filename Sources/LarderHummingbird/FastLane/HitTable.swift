package import NIOHTTP1
import Synchronization

/// The responses that were answered lately, by the signature of their requests: a table of a fixed size.
///
/// A target has a row with a few places, by its hash. A further response takes the place of the oldest in its row.
///
/// The table is bounded by its places: with the default of 2,048, of at most 8 KiB for a response
/// (``RepeatableResponse``) and some 8 KiB for a signature (``HeadSignature``), it takes at most 32 MiB. It does not
/// hold stored responses: copies of small bodies are part of the 8 KiB, and larger bodies are found in the store again.
/// A hit on a response that the store does not hold as an object, and so does not charge, is not remembered.
package final class HitTable: Sendable {
    private struct Row {
        var places: [(signature: HeadSignature, response: RepeatableResponse)] = []
        var next = 0
    }

    private final class LockedRow: Sendable {
        let row = Mutex(Row())
    }

    private let rows: [LockedRow]
    /// The number of responses in one row.
    private static var width: Int { 4 }

    /// Creates a table.
    /// - Parameter size: The number of responses, rounded up to a power of two; 2,048 by default.
    package init(size: Int = 2_048) {
        var count = 1
        while count * Self.width < size { count *= 2 }
        rows = (0..<count).map { _ in LockedRow() }
    }

    /// Returns the response that was remembered for a head; nil if there is none.
    package func find(_ head: HTTPRequestHead) -> RepeatableResponse? {
        row(of: head).row.withLock { row in
            // Without a copy of the signature.
            for place in row.places.indices where row.places[place].signature.matches(head) {
                return row.places[place].response
            }
            return nil
        }
    }

    /// Forgets a response for a head, but not another one that has taken its place.
    package func forget(_ response: RepeatableResponse, for head: HTTPRequestHead) {
        row(of: head).row.withLock { row in
            row.places.removeAll { $0.response === response }
        }
    }

    /// Remembers a response in place of another for the same signature.
    package func remember(_ response: RepeatableResponse, as signature: HeadSignature, for head: HTTPRequestHead) {
        row(of: head).row.withLock { row in
            if let place = row.places.firstIndex(where: { $0.signature.matches(head) }) {
                row.places[place] = (signature, response)
            } else if row.places.count < Self.width {
                row.places.append((signature, response))
            } else {
                row.places[row.next] = (signature, response)
                row.next = (row.next + 1) % Self.width
            }
        }
    }

    /// The number of responses that are remembered; for tests.
    package var count: Int { rows.reduce(0) { count, row in count + row.row.withLock { $0.places.count } } }

    private func row(of head: HTTPRequestHead) -> LockedRow {
        rows[Int(UInt(bitPattern: head.uri.hashValue) & UInt(rows.count - 1))]
    }
}
