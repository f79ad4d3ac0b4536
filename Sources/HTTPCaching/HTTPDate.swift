/// The date format of HTTP fields (RFC 9110 §5.6.7).
public enum HTTPDate {
    /// The moment `text` names, or nil where it is no valid HTTP-date.
    public static func parse(_ text: some StringProtocol, now: Timestamp) -> Timestamp? {
        nil
    }

    /// `timestamp` as an IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    public static func format(_ timestamp: Timestamp) -> String {
        ""
    }
}
