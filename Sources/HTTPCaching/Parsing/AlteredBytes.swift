package import HTTPTypes

/// A check for bytes that a library has altered.
///
/// NIO's decoders convert field values to text: bytes that are not UTF-8 become U+FFFD, so that two different values
/// can arrive as one. Such a value does not distinguish requests, and must not be stored.
package enum AlteredBytes {
    /// Returns true if a text holds U+FFFD.
    package static func occur(in text: String) -> Bool {
        occur(inBytes: text.utf8)
    }

    static func occur(inBytes bytes: some Sequence<UInt8>) -> Bool {
        // U+FFFD in UTF-8: EF BF BD.
        var found = 0
        for byte in bytes {
            switch (found, byte) {
            case (_, 0xEF): found = 1
            case (1, 0xBF): found = 2
            case (2, 0xBD): return true
            default: found = 0
            }
        }
        return false
    }

    /// Returns true if a field's value holds U+FFFD.
    package static func occur(in field: HTTPField) -> Bool {
        field.withUnsafeBytesOfValue { occur(inBytes: $0) }
    }

    /// Returns true if the head of a response holds U+FFFD anywhere.
    package static func occur(in response: HTTPResponse) -> Bool {
        occur(in: response.status.reasonPhrase) || response.headerFields.contains { occur(in: $0) }
    }

    /// Returns true if a request has U+FFFD in the value of a field that `vary` names.
    package static func occur(in request: HTTPFields, nominatedBy vary: VaryRule) -> Bool {
        guard case .fields(let names) = vary else { return false }
        return request.contains { field in names.contains(field.name) && occur(in: field) }
    }
}
