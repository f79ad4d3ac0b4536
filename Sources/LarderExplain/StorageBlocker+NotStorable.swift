import HTTPCaching
import HTTPTypes
import Larder

extension StorageBlocker {
    /// Creates the blocker for a response that the rules do not store.
    init(_ reason: NotStorableReason, _ exchange: Exchange, _ rules: CachingRules) {
        let words = Self.words(for: reason, exchange, rules)
        self.init(reason: .notStored(.notStorable(reason)), sentence: words.sentence, remedy: words.remedy)
    }

    typealias Words = (sentence: String, remedy: String)

    private static func words(for reason: NotStorableReason, _ exchange: Exchange, _ rules: CachingRules) -> Words {
        switch reason {
        case .method, .requestNoStore, .authorization, .unacceptedCoding, .requestAlteredBytes:
            requestWords(reason, exchange, rules)
        case .status, .partial, .notUnderstood: statusWords(reason, exchange.response.status, rules)
        case .noStore, .private, .notPublic, .noCache: directiveWords(reason, exchange, rules)
        case .setCookie:
            (
                "The response sets a cookie, which all clients would get (RFC 9111 §7.3).",
                "Leave Set-Cookie out, or exclude it from storage by Cache-Control: private=\"set-cookie\"."
            )
        case .varyStar:
            (
                "Vary is \"*\", is not a list of field names, or has too many names: no other request would match "
                    + "(RFC 9111 §4.1).",
                "Name in Vary the request fields that the response depends on, such as Accept-Encoding."
            )
        case .alteredBytes:
            (
                "A field value of the response contains U+FFFD: bytes that were not UTF-8 have been replaced, and "
                    + "cannot be restored.",
                "Send the fields of the response in ASCII or UTF-8."
            )
        case .noFreshness: freshnessWords(exchange, rules)
        case .eventStream:
            (
                "The response is an event stream, which does not end (Content-Type: text/event-stream).",
                "None: an event stream is for the client that opened it."
            )
        }
    }

    private static func requestWords(_ reason: NotStorableReason, _ exchange: Exchange, _ rules: CachingRules) -> Words
    {
        switch reason {
        case .requestNoStore:
            (
                "The request says no-store, which forbids storing its response (RFC 9111 §5.2.1.5).",
                "The client must leave no-store out of Cache-Control; the origin cannot change this."
            )
        case .authorization:
            (
                "The request has credentials "
                    + "(\(rules.credentials(in: exchange.request.headerFields).map(\.rawName).listed)), and the response "
                    + "does not say that it may be shared (RFC 9111 §3.5).",
                "Send public, s-maxage or must-revalidate in Cache-Control, if all clients may have the response."
            )
        case .unacceptedCoding:
            (
                "The response has the content coding \(quoted(exchange.response.headerFields[.contentEncoding] ?? "")), "
                    + "which the request does not accept (RFC 9110 §12.5.3).",
                "Send the response without a coding to requests whose Accept-Encoding does not name it."
            )
        case .requestAlteredBytes:
            (
                "Vary names a request field that contains U+FFFD: bytes that were not UTF-8 have been replaced, "
                    + "so that different values look the same.",
                "The client must send the field in ASCII or UTF-8."
            )
        default:
            (
                "Only responses to GET are stored, and the method is \(exchange.request.method.rawValue); "
                    + "a HEAD request is answered from the stored response to a GET (RFC 9111 §3).",
                "Look at the response to a GET for this target."
            )
        }
    }

    private static func statusWords(
        _ reason: NotStorableReason,
        _ status: HTTPResponse.Status,
        _ rules: CachingRules
    ) -> Words {
        switch reason {
        case .partial:
            (
                "A \(status.code) is the response to a range or a condition, and not a whole response (RFC 9111 §3.3).",
                "Send the request without Range and conditions, as this cache does itself."
            )
        case .notUnderstood:
            (
                "The response says must-understand, and this cache does not know the meaning of the status "
                    + "\(status.code) (RFC 9111 §5.2.2.3).",
                "Send a status code of RFC 9110, or leave must-understand out."
            )
        default:
            rules.storableStatuses == .ok
                ? (
                    "The rules store only responses with status 200, and this one has \(status.code).",
                    "Send the status 200, or use the rules of a gateway, which store every final status."
                )
                : (
                    "The status \(status.code) is not final: the final response is still to come (RFC 9111 §3).",
                    "Look at the final response."
                )
        }
    }

    private static func directiveWords(
        _ reason: NotStorableReason,
        _ exchange: Exchange,
        _ rules: CachingRules
    ) -> Words {
        let field = exchange.directives(rules).target?.rawName ?? "Cache-Control"
        return switch reason {
        case .private:
            (
                "\(field) says private: the response is for one user, and this cache is shared (RFC 9111 §5.2.2.7).",
                "Send public, or leave private out, if all clients may have the response; private=\"field\" excludes "
                    + "single fields."
            )
        case .notPublic:
            (
                "The rules require public or s-maxage, and the response has neither.",
                "Send public or s-maxage in \(field)."
            )
        case .noCache:
            (
                "\(field) says no-cache, so every use needs a validation, and the response has no validator "
                    + "(RFC 9111 §5.2.2.4).",
                "Send an ETag or a Last-Modified, or leave no-cache out."
            )
        default:
            (
                "\(field) says no-store (RFC 9111 §5.2.2.5).",
                "Leave no-store out; with no-cache and an ETag, every use is validated, and the body is not sent again."
            )
        }
    }

    private static func freshnessWords(_ exchange: Exchange, _ rules: CachingRules) -> Words {
        let lifetimes = exchange.freshness(rules).lifetimes
        let field = exchange.directives(rules).target?.rawName ?? "Cache-Control"
        let hasValidator = Revalidation.hasValidator(exchange.response.headerFields)
        let lifetime = lifetimes.freshUntil.duration(since: lifetimes.generatedAt)
        if exchange.response.status.isErrorOfLimitedFreshness, rules.errorLifetimeLimit <= .zero {
            return (
                "The rules do not store errors with the status \(exchange.response.status.code) (error-ttl is 0 s).",
                "Raise error-ttl, if errors may be stored."
            )
        }
        let send = "Send max-age or s-maxage in \(field)"
        if lifetime > .zero {
            let age = exchange.respondedAt.duration(since: lifetimes.generatedAt)
            return (
                "The response was \(age.inWords) old on arrival, which exceeds its lifetime of \(lifetime.inWords) and "
                    + "the longest time for which it could be stored (RFC 9111 §4.2).",
                "\(send) that is longer than the response takes to arrive, or a validator."
            )
        }
        guard lifetimes.source == .none else {
            return (
                "The lifetime is 0 s by \(lifetimes.source.name), and there is no validator: the response could never "
                    + "be used again (RFC 9111 §4.2.1).",
                "\(send) with a number above 0, or an ETag or Last-Modified to validate with."
            )
        }
        if hasValidator {
            return (
                "The response declares no lifetime, and the status \(exchange.response.status.code) is not "
                    + "stored without one (RFC 9111 §3, §4.2.2).",
                "\(send), or an Expires."
            )
        }
        return (
            "The response declares no lifetime, and there is no validator: it could never be used again "
                + "(RFC 9111 §3).",
            "\(send), or an ETag or Last-Modified to validate with."
        )
    }
}
