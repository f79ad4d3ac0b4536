import Crypto
import HTTPCaching

/// The form of a text that is over its limit: its beginning, then `#sha256=` and the SHA-256 of the whole as 64
/// hexadecimal digits.
///
/// Two texts with the same beginning have different forms, and a text has the same form in every process. If a text
/// cannot contain a `#` followed by `sha256=`, like a key that is made from a request, the form cannot be forged
/// either.
package enum ShortenedText {
    private static let mark = "#sha256="
    /// The number of bytes that the mark and the digest take.
    private static let tailLength = mark.utf8.count + 2 * SHA256.byteCount

    /// Returns a text of at most `limit` bytes: the text itself if it is short enough.
    ///
    /// The beginning ends on a boundary of a Unicode scalar.
    /// - Parameter limit: The largest number of bytes; more than the digest takes.
    package static func of(_ text: String, limit: Int) -> String {
        text.utf8.count <= limit ? text : shortened(text, to: limit)
    }

    /// Returns the shortened form of a text, even if the text is short.
    static func shortened(_ text: String, to limit: Int) -> String {
        let (head, digest) = parts(of: text, limit: limit)
        return head + digest
    }

    /// Returns the beginning and the digest, with its mark, of a shortened form; nil if the text is not a shortened
    /// form.
    static func parts(in text: String) -> (head: String, digest: String)? {
        let bytes = text.utf8
        guard bytes.count >= tailLength else { return nil }
        let start = bytes.index(bytes.endIndex, offsetBy: -tailLength)
        let digest = bytes[start...]
        guard digest.starts(with: mark.utf8),
            digest.dropFirst(mark.utf8.count).allSatisfy({ Hexadecimal.value($0) != nil && $0 == ASCII.lowercased($0) })
        else { return nil }
        return (String(text[..<start]), String(text[start...]))
    }

    /// Returns the beginning and the digest, with its mark, of the shortened form of a text.
    static func parts(of text: String, limit: Int) -> (head: String, digest: String) {
        precondition(limit > tailLength, "A limit leaves no room for the digest")
        let digest = Hexadecimal.text(SHA256.hash(data: Array(text.utf8)))
        let bytes = text.utf8
        var end =
            bytes.index(bytes.startIndex, offsetBy: limit - tailLength, limitedBy: bytes.endIndex) ?? bytes.endIndex
        while end > bytes.startIndex, end < bytes.endIndex, bytes[end] & 0xC0 == 0x80 { bytes.formIndex(before: &end) }
        return (String(text[..<end]), mark + digest)
    }
}
