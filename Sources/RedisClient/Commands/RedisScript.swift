import Crypto

/// A Lua script with the digest that Redis knows it by.
package struct RedisScript: Hashable, Sendable {
    package let source: String

    /// The SHA-1 of the source in lower-case hexadecimal. Redis uses it as a name, not for security.
    package let digest: String

    package init(_ source: String) {
        self.source = source
        self.digest = Insecure.SHA1.hash(data: Array(source.utf8)).hexadecimal
    }
}

extension Sequence<UInt8> {
    /// The bytes in lower-case hexadecimal, two digits each.
    package var hexadecimal: String {
        var text = ""
        for byte in self {
            if byte < 16 { text += "0" }
            text += String(byte, radix: 16)
        }
        return text
    }
}
