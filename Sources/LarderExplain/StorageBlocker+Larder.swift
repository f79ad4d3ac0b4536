import HTTPCaching
import HTTPTypes
import Larder

extension StorageBlocker {
    /// Creates the blocker for a reason of the cache itself.
    init(_ notStored: NotStoredReason, _ exchange: Exchange, _ policy: CachePolicy) {
        if case .notStorable(let refusal) = notStored {
            self.init(refusal, exchange, policy.rules)
            return
        }
        let words = Self.words(for: notStored, exchange, policy)
        self.init(reason: .notStored(notStored), sentence: words.sentence, remedy: words.remedy)
    }

    private static func words(for notStored: NotStoredReason, _ exchange: Exchange, _ policy: CachePolicy) -> Words {
        switch notStored {
        case .notStorable(let refusal): ("The rules refuse it: \(refusal.detail).", "See the rules.")
        case .tooLarge:
            (
                "The body\(exchange.bodyLength.map { " of \($0) bytes" } ?? "") is larger than the limit of "
                    + "\(policy.bodyLimit), so that it passes through.",
                "Send less, or raise the limit for bodies."
            )
        case .selectingFieldsTooLong:
            (
                "The fields that the response varies by have more than \(policy.keys.lengthLimit) in this request.",
                "Vary by fields with short values."
            )
        case .noRoom:
            (
                "The memory for bodies on their way is used up, so that the body passes through.",
                "Nothing from the origin: raise the limit of bodies in flight, or send less at a time."
            )
        case .tooManyTags:
            (
                "The response has more than \(policy.tagLimit) tags.",
                "Send fewer tags, each for more of the responses, or raise the limit for tags."
            )
        case .tagNotAccepted:
            (
                "The response has a tag of more than \(CacheTag.maximumLength) bytes, or one that is not UTF-8, by which "
                    + "it could not be invalidated.",
                "Send \(CacheTag.expectation)."
            )
        case .tooSlow:
            (
                "The body was still coming in after \(policy.captureTime.inWords).",
                "Send the body in less time; a stream without an end is not kept."
            )
        case .originFailed:
            (
                "The origin failed, and the response that is stored is fresh or may be served instead.",
                "Nothing: the response is stored again once the origin answers."
            )
        case .brokenOff:
            (
                "The body broke off, or was not of the length that Content-Length declared (RFC 9111 §3.3).",
                "Send the body whole."
            )
        case .overtaken:
            (
                "Something that covers the response was invalidated while it was fetched.",
                "Nothing: the next request fetches it anew."
            )
        case .unavailable:
            ("The store cannot be reached, or takes nothing.", "Nothing from the origin: see to the store.")
        }
    }

    /// Creates the blocker for a request that bypasses the cache.
    init(_ reason: BypassReason) {
        let words = Self.words(for: reason)
        self.init(reason: .passedBy(reason), sentence: words.sentence, remedy: words.remedy)
    }

    private static func words(for reason: BypassReason) -> Words {
        switch reason {
        case .asked: ("The request asks to pass the cache by, and may.", "Leave the parameter out.")
        case .rule:
            (
                "The rule of the route lets this request pass the cache by.",
                "Take the request out of the route's bypass rule."
            )
        case .method:
            ("The method is safe, and neither GET nor HEAD: this cache has no answer to it.", "Use GET.")
        case .content:
            (
                "The request has content, which the answer may depend on and no key holds (RFC 9110 §9.3.1).",
                "Ask by GET without content."
            )
        case .cookie:
            (
                "The request has a Cookie that is a credential by the policy, and no user is part of the key.",
                "Name the cookies that are credentials, declare that they do not matter, or keep users apart by key."
            )
        case .authorization:
            (
                "The request has a field with credentials, such as Authorization, and no user is part of the key.",
                "Declare in the policy that credentials do not matter, or keep users apart by key."
            )
        case .head:
            (
                "The handler of the route answers HEAD itself, and its answer has no body to store.",
                "Look at the GET for this target."
            )
        case .upgrade:
            (
                "The request asks to change to the WebSocket protocol, which is for its connection alone.",
                "Nothing: there is no response to store."
            )
        case .precondition:
            (
                "If-Match and If-Unmodified-Since ask about the origin's state, which it alone can judge "
                    + "(RFC 9111 §4.3.2).",
                "Ask with If-None-Match or If-Modified-Since, which a cache can answer."
            )
        case .target:
            (
                "The target is no path that a key can be made of, too long, or one that servers may read in many ways.",
                "Ask for a path that starts with a slash, at a host, in printable ASCII, without \"#\", and without "
                    + "dot segments among encoded slashes, backslashes or \";\"."
            )
        case .alteredBytes:
            (
                "A value that tells responses apart holds U+FFFD: bytes that are not UTF-8 do not pass unchanged.",
                "The client has to send the field in ASCII or UTF-8."
            )
        case .noRoom:
            (
                "The response is in Redis, and the memory for bodies on their way is used up.",
                "Raise the limit of bodies in flight, or send less at a time."
            )
        case .nested:
            ("The request was made by a fetch for the same key, which must not wait for itself.", "Nothing.")
        case .uncacheable:
            (
                "The request has conditions or a range, and nothing was kept lately of what the server answers here.",
                "Ask without, once the response can be stored."
            )
        }
    }

    /// Creates the blocker for a request that changes something.
    init(writing exchange: Exchange, under policy: CachePolicy) {
        let targets = policy.targets(changedBy: exchange.request, .answered(exchange.response))
        self.init(
            reason: .write,
            sentence: "\(exchange.request.method.rawValue) may change something, so that its answer is not stored, and "
                + (targets.isEmpty
                    ? "as it failed, nothing is invalidated"
                    : "what is stored for \(targets.map { printable($0) }.listed) is "
                        + "invalidated") + " (RFC 9111 §4.4).",
            remedy: "Look at the GET for this target."
        )
    }
}
