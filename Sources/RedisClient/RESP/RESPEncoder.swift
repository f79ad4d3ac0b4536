package import NIOCore

/// An encoder that writes commands as Redis reads them: arrays of bulk strings.
package enum RESPEncoder {
    package static func encode(_ commands: [RedisCommand], into buffer: inout ByteBuffer) {
        for command in commands {
            encode(command.arguments, into: &buffer)
        }
    }

    package static func encode(_ arguments: [RedisCommand.Argument], into buffer: inout ByteBuffer) {
        buffer.writeHeader("*", length: arguments.count)
        for argument in arguments {
            switch argument {
            case .text(let text):
                buffer.writeHeader("$", length: text.utf8.count)
                buffer.writeString(text)
            case .bytes(let bytes):
                buffer.writeHeader("$", length: bytes.readableBytes)
                buffer.writeImmutableBuffer(bytes)
            case .integer(let number):
                // The string has at most 20 characters: it may need heap memory, but rarely does.
                let digits = String(number)
                buffer.writeHeader("$", length: digits.utf8.count)
                buffer.writeString(digits)
            }
            buffer.writeStaticString("\r\n")
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func writeHeader(_ type: StaticString, length: Int) {
        writeStaticString(type)
        writeString(String(length))
        writeStaticString("\r\n")
    }
}
