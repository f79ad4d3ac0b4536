import HTTPCaching
import HTTPTypes

/// A value of `traceparent` (W3C Trace Context): `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
///
/// The gateway only forwards traces. In that mode a valid value goes on unchanged. An invalid one is not forwarded, nor
/// is `tracestate` with it: "If either trace-id or parent-id is invalid, the tracing system does not add the trace
/// context to any outgoing requests." A value of a later version is forwarded whatever follows the version.
struct TraceParent: Hashable, Sendable {
    /// The ID of the trace, 32 hexadecimal digits; nil if the value is of a later version that has none at its place.
    let traceID: String?

    /// The length of the longest value of a later version that is forwarded, in bytes: 512.
    private static let lengthLimit = 512
    /// The length of a value of version 00.
    private static let length = 55

    /// Creates the value; nil if it is not valid.
    init?(_ text: String) {
        guard text.utf8.count <= Self.lengthLimit else { return nil }
        let bytes = Array(text.utf8)
        guard bytes.count > 2, bytes[2] == ASCII.hyphen, bytes[..<2].allSatisfy(Self.isDigit) else { return nil }
        switch text.prefix(2) {
        case "ff": return nil
        case "00":
            guard bytes.count == Self.length, Self.isComplete(bytes) else { return nil }
        default:
            guard bytes.count == Self.length || bytes.count > Self.length && bytes[Self.length] == ASCII.hyphen,
                Self.isComplete(bytes)
            else {
                traceID = nil
                return
            }
        }
        traceID = String(decoding: bytes[3..<35], as: UTF8.self)
    }

    /// Returns true if the first 55 bytes have a trace ID, a parent ID and flags at their places.
    private static func isComplete(_ bytes: [UInt8]) -> Bool {
        func isID(_ range: Range<Int>) -> Bool {
            bytes[range].allSatisfy(isDigit) && bytes[range].contains { $0 != ASCII.zero }
        }
        return isID(3..<35) && bytes[35] == ASCII.hyphen && isID(36..<52) && bytes[52] == ASCII.hyphen
            && bytes[53..<55].allSatisfy(isDigit)
    }

    /// Returns true for a hexadecimal digit in lower case.
    private static func isDigit(_ byte: UInt8) -> Bool {
        ASCII.isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    /// The fields of a trace.
    static let fields: [HTTPField.Name] = [.traceParent, .traceState]

    /// Removes the fields of a trace, unless there is one valid `traceparent`.
    static func removeInvalid(from fields: inout HTTPFields) {
        let values = fields[values: .traceParent]
        if values.count == 1, TraceParent(values[0]) != nil { return }
        for name in self.fields where fields.contains(name) { fields[name] = nil }
    }
}

extension HTTPField.Name {
    /// `traceparent` (W3C Trace Context §3.2).
    static let traceParent = constant("traceparent")
    /// `tracestate` (W3C Trace Context §3.3).
    static let traceState = constant("tracestate")
}
