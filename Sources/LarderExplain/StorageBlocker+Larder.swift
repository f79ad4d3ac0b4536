import HTTPCaching
import HTTPTypes
import Larder

extension StorageBlocker {
    /// Creates the blocker for a reason of the cache itself.
    init(_ notStored: NotStoredReason, _ exchange: Exchange, _ policy: CachePolicy) {
        if case .notStorable(let reason) = notStored {
            self.init(reason, exchange, policy.rules)
            return
        }
        let words = Self.words(for: notStored, exchange, policy)
        self.init(reason: .notStored(notStored), sentence: words.sentence, remedy: words.remedy)
    }

    private static func words(for notStored: NotStoredReason, _ exchange: Exchange, _ policy: CachePolicy) -> Words {
        switch notStored {
        case .notStorable(let reason): ("The rules forbid storing it: \(reason.detail).", "See the rules.")
        case .policy:
            (
                "The function that the policy asks about responses returned false.",
                "Change the function that was given to `storing(if:)`."
            )
        case .tooLarge:
            (
                "The body\(exchange.bodyLength.map { " of \($0) bytes" } ?? "") is larger than the limit of "
                    + "\(policy.bodyLimit), so it is forwarded without being stored.",
                "Send a smaller body, or raise the limit for bodies."
            )
        case .selectingFieldsTooLong:
            (
                "The request fields that the response varies by are longer than \(policy.keys.lengthLimit) here.",
                "Vary by fields with short values."
            )
        case .noRoom:
            (
                "The memory for bodies in flight is used up, so the body is forwarded without being stored.",
                "Raise the limit for bodies in flight, or send smaller bodies."
            )
        case .tooManyTags:
            (
                "The response has more than \(policy.tagLimit) tags.",
                "Send fewer and more general tags, or raise the limit for tags."
            )
        case .tagNotAccepted:
            (
                "The response has a tag that is longer than \(CacheTag.maximumLength) bytes or not UTF-8, so that it "
                    + "could not be invalidated by that tag.",
                "Send \(CacheTag.expectation)."
            )
        case .tooSlow:
            (
                "The body was not complete after \(policy.captureTime.inWords).",
                "Send the body in less time; a stream without an end is not stored."
            )
        case .unconfirmedError:
            (
                "The request may have caused the error, and other requests wait, one of which asks first.",
                "None: the error is stored if another request gets it as well."
            )
        case .originFailed:
            (
                "The origin failed, and the stored response is fresh or may be served instead.",
                "None: a new response is stored once the origin succeeds."
            )
        case .brokenOff:
            (
                "The body is incomplete, or does not have the length that Content-Length declares (RFC 9111 §3.3).",
                "Send the complete body."
            )
        case .overtaken:
            (
                "The response was invalidated while it was fetched.",
                "None: the next request fetches it again."
            )
        case .staleValue:
            (
                "The response was made from a cached value that was stale.",
                "None: the next response is made from the new value."
            )
        case .unavailable:
            ("The store cannot be reached, or does not accept responses.", "Check the store.")
        }
    }

    /// Creates the blocker for a request that bypasses the cache.
    init(_ reason: BypassReason) {
        let words = Self.words(for: reason)
        self.init(reason: .bypassed(reason), sentence: words.sentence, remedy: words.remedy)
    }

    private static func words(for reason: BypassReason) -> Words {
        switch reason {
        case .asked: ("The request asks to bypass the cache, and is allowed to.", "Leave the parameter out.")
        case .rule:
            (
                "The route has `cache: off`, or a `bypass` that matches this request.",
                "Remove `cache: off` from the route, or change its `bypass`."
            )
        case .method:
            ("The method is safe, but neither GET nor HEAD: its responses are not cached.", "Use GET.")
        case .content:
            (
                "The request has content, on which the response may depend, and which is not part of the key "
                    + "(RFC 9110 §9.3.1).",
                "Send a GET without content."
            )
        case .cookie:
            (
                "The request has a Cookie that is a credential by the policy, and no user is part of the key.",
                "Name the cookies that are credentials, declare that they do not affect responses, or add the user to "
                    + "the key."
            )
        case .authorization:
            (
                "The request has a field with credentials, such as Authorization, and no user is part of the key.",
                "Declare in the policy that credentials do not affect responses, or add the user to the key."
            )
        case .head:
            (
                "The handler of the route answers HEAD itself, and its response has no body to store.",
                "Look at the response to a GET for this target."
            )
        case .upgrade:
            (
                "The request asks to switch to the WebSocket protocol, which concerns only its connection.",
                "None: there is no response to store."
            )
        case .precondition:
            (
                "If-Match and If-Unmodified-Since concern the state of the origin, which only the origin knows "
                    + "(RFC 9111 §4.3.2).",
                "Send If-None-Match or If-Modified-Since, which a cache can evaluate."
            )
        case .target:
            (
                "The target is not a path that can be part of a key, is too long, or has too many readings.",
                "Request a path that starts with a slash, with a host, in printable ASCII, without \"#\", and without "
                    + "dot segments next to encoded slashes, backslashes or \";\"."
            )
        case .alteredBytes:
            (
                "A value that selects the response contains U+FFFD: bytes that were not UTF-8 have been replaced.",
                "The client must send the field in ASCII or UTF-8."
            )
        case .noRoom:
            (
                "The response is in Redis, and the memory for bodies in flight is used up.",
                "Raise the limit for bodies in flight, or send smaller bodies."
            )
        case .nested:
            ("The request was made by a fetch for the same key, which must not wait for itself.", "None.")
        case .uncacheable:
            (
                "The request has conditions or a range, and recent responses for its key could not be stored.",
                "Send the request without them, once the response can be stored."
            )
        }
    }

    /// Creates the blocker for a request that changes something.
    init(writing exchange: Exchange, under policy: CachePolicy) {
        let targets = policy.targets(changedBy: exchange.request, .answered(exchange.response))
        self.init(
            reason: .write,
            sentence: "\(exchange.request.method.rawValue) may change something, so its response is not stored, and "
                + (targets.isEmpty
                    ? "since it failed, nothing is invalidated"
                    : "stored responses for \(targets.map { printable($0) }.listed) are "
                        + "invalidated") + " (RFC 9111 §4.4).",
            remedy: "Look at the response to a GET for this target."
        )
    }
}
