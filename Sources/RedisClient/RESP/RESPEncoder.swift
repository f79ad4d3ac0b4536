package import NIOCore

/// An encoder that writes commands as Redis reads them: arrays of bulk strings.
package enum RESPEncoder {
    package static func encode(_ commands: [RedisCommand], into buffer: inout ByteBuffer) {
        encode(commands.map(\.arguments), into: &buffer)
    }

    package static func encode(_ commands: [[RedisCommand.Argument]], into buffer: inout ByteBuffer) {
        let size = commands.joined().reduce(commands.count * Writer.headerSize) { sum, argument in
            switch argument {
            case .text(let text): sum + Writer.headerSize + text.utf8.count
            case .bytes(let bytes): sum + Writer.headerSize + bytes.readableBytes
            // A number is no longer than a header.
            case .integer: sum + 2 * Writer.headerSize
            }
        }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { memory in
            var writer = Writer(memory)
            for command in commands { writer.write(command) }
            return writer.count
        }
    }
}

/// A writer into memory that has room for everything that is written.
private struct Writer {
    private let memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    /// The most bytes that a type, a number of up to 20 characters and two line ends take.
    static let headerSize = 25

    init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    mutating func write(_ arguments: [RedisCommand.Argument]) {
        write(UInt8(ascii: "*"), arguments.count)
        for argument in arguments {
            switch argument {
            case .text(var text):
                text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
            case .bytes(let bytes):
                bytes.withUnsafeReadableBytes { write($0) }
            case .integer(let number):
                write(UInt8(ascii: "$"), number.characters)
                write(number)
            }
        }
    }

    private mutating func write(_ text: UnsafeRawBufferPointer) {
        write(UInt8(ascii: "$"), text.count)
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: text)
        count += text.count
        endLine()
    }

    private mutating func write(_ type: UInt8, _ length: Int) {
        write(type)
        write(Int64(length))
    }

    /// Writes a number in decimal digits, and a line end.
    private mutating func write(_ number: Int64) {
        if number < 0 { write(UInt8(ascii: "-")) }
        let end = count + number.magnitude.digits
        var (place, rest) = (end, number.magnitude)
        while place > count {
            place -= 1
            memory[place] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        count = end
        endLine()
    }

    private mutating func endLine() {
        write(UInt8(ascii: "\r"))
        write(UInt8(ascii: "\n"))
    }

    private mutating func write(_ byte: UInt8) {
        memory[count] = byte
        count += 1
    }
}

extension Int64 {
    /// The number of characters of the number in decimal digits, with its sign.
    fileprivate var characters: Int { magnitude.digits + (self < 0 ? 1 : 0) }
}

extension UInt64 {
    /// The number of decimal digits.
    fileprivate var digits: Int {
        var (count, rest) = (1, self)
        while rest >= 10 {
            count += 1
            rest /= 10
        }
        return count
    }
}
