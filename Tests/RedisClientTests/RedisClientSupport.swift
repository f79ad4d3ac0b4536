import NIOConcurrencyHelpers
import NIOCore
import RedisClient
import TestHelpers

extension ByteBuffer {
    /// A copy of the bytes in newly allocated memory, as a socket would deliver them.
    var copied: ByteBuffer {
        ByteBuffer(bytes: readableBytesView)
    }
}

extension RESPValue {
    static func text(_ text: String) -> RESPValue {
        .bulk(ByteBuffer(string: text))
    }
}

/// Encoding of values in the format that a server sends.
extension ByteBuffer {
    mutating func writeRESP(_ value: RESPValue) {
        switch value {
        case .null: writeString("_\r\n")
        case .boolean(let boolean): writeString(boolean ? "#t\r\n" : "#f\r\n")
        case .integer(let number): writeString(":\(number)\r\n")
        case .double(let number): writeString(",\(number)\r\n")
        case .bigNumber(let digits): writeString("(\(digits)\r\n")
        case .status(let text): writeString("+\(text)\r\n")
        case .error(let error): writeString("-\(error.message)\r\n")
        case .bulk(let bytes):
            writeString("$\(bytes.readableBytes)\r\n")
            writeImmutableBuffer(bytes)
            writeString("\r\n")
        case .array(let values):
            writeString("*\(values.count)\r\n")
            for value in values { writeRESP(value) }
        case .set(let values):
            writeString("~\(values.count)\r\n")
            for value in values { writeRESP(value) }
        case .map(let pairs):
            writeString("%\(pairs.count)\r\n")
            for pair in pairs {
                writeRESP(pair.key)
                writeRESP(pair.value)
            }
        }
    }
}

/// Returns a random value of any type, with aggregates no deeper than `depth`.
func anyValue(depth: Int, using generator: inout SeededGenerator) -> RESPValue {
    func values(_ factor: Int = 1) -> [RESPValue] {
        (0..<Int.random(in: 0...4, using: &generator) * factor).map { _ in
            anyValue(depth: depth - 1, using: &generator)
        }
    }
    func word() -> String {
        String(
            (0..<Int.random(in: 0...12, using: &generator)).map { _ in "abc xyz:$*".randomElement(using: &generator)! }
        )
    }
    switch Int.random(in: 0..<(depth > 0 ? 11 : 8), using: &generator) {
    case 0: return .null
    case 1: return .boolean(.random(using: &generator))
    case 2: return .integer(.random(in: .min ... .max, using: &generator))
    case 3: return .double(.random(in: -1e9...1e9, using: &generator))
    case 4: return .bigNumber("-9223372036854775809")
    case 5: return .status(word())
    case 6: return .error(RedisReplyError("ERR \(word())"))
    case 7: return .bulk(ByteBuffer(bytes: (0..<Int.random(in: 0...40, using: &generator)).map { UInt8($0) }))
    case 8: return .array(values())
    case 9: return .set(values())
    default:
        let values = values(2)
        return .map(stride(from: 0, to: values.count, by: 2).map { .init(values[$0], values[$0 + 1]) })
    }
}

/// A list to which threads add elements for a test to inspect.
final class Inbox<Element: Sendable>: Sendable {
    private let contents = NIOLockedValueBox<[Element]>([])

    func add(_ element: Element) {
        contents.withLockedValue { $0.append(element) }
    }

    var all: [Element] {
        contents.withLockedValue { $0 }
    }
}
