/// A violation of RESP3 or of the limits by a server.
///
/// After a violation it is unknown where the next reply begins, so the connection cannot be used any further.
package enum RESPViolation: Error, Hashable, Sendable, CustomStringConvertible {
    /// A line begins with a byte that does not name a type.
    case unknownType(UInt8)
    /// A streamed string or aggregate. Redis has never sent one, and its length would not be known in advance.
    case streamed
    /// A line does not have the form that its type requires.
    case malformed(Line)
    /// A bulk string is not followed by CRLF.
    case unterminatedBulk
    /// A push is inside of a reply.
    case nestedPush
    /// A push does not begin with its kind.
    case namelessPush
    case lineTooLong
    case bulkTooLong
    case tooManyElements
    case tooDeep
    case messageTooLarge

    /// The kinds of lines that can be malformed.
    package enum Line: String, Hashable, Sendable {
        case ending, length, integer, double, boolean, null, bigNumber, verbatim
    }

    package var description: String {
        switch self {
        case .unknownType(let byte): "a line begins with byte \(byte), which is not a type"
        case .streamed: "streamed types are not supported"
        case .malformed(let line): "malformed \(line.rawValue)"
        case .unterminatedBulk: "a bulk string is not followed by CRLF"
        case .nestedPush: "a push is inside of a reply"
        case .namelessPush: "a push does not begin with its kind"
        case .lineTooLong: "a line is longer than the limit"
        case .bulkTooLong: "a bulk string is longer than the limit"
        case .tooManyElements: "a reply has more elements than the limit"
        case .tooDeep: "a reply nests deeper than the limit"
        case .messageTooLarge: "a reply or push is larger than the limit"
        }
    }
}
