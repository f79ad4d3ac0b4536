import HTTPCaching
public import Hummingbird

extension Request {
    /// Returns the language that the client prefers among those in which there are responses, by the lookup of RFC 4647
    /// §3.4. `Accept-Language: de-AT, en;q=0.5` is `"de"` among `"en"` and `"de"`.
    ///
    /// ```swift
    /// .varying(by: "language") { request, _ in request.preferredLanguage(among: "en", "de") }
    /// ```
    /// So a part of the key has few values, whatever clients send.
    /// - Parameters:
    ///   - standard: The language for clients that prefer none of them.
    ///   - others: The other languages.
    public func preferredLanguage(among standard: String, _ others: String...) -> String {
        AcceptLanguage(headers).best(among: [standard] + others) ?? standard
    }
}
