import HTTPCaching
import Larder

extension StorageBlocker {
    /// The reason in a few words, for the headline: `the response says no-store`.
    var phrase: String {
        switch reason {
        case .bypassed(let reason): Self.phrase(for: reason)
        case .write: "the request may change something"
        case .notStored(let reason): Self.phrase(for: reason)
        }
    }

    private static func phrase(for reason: BypassReason) -> String {
        switch reason {
        case .asked: "the request asks to bypass the cache"
        case .rule: "the route does not cache this request"
        case .method: "the method is neither GET nor HEAD"
        case .content: "the request has content"
        case .cookie: "the request has a cookie that is a credential"
        case .authorization: "the request has credentials"
        case .head: "the route answers HEAD itself"
        case .upgrade: "the request asks for WebSocket"
        case .precondition: "only the origin can evaluate the condition of the request"
        case .target: "the target cannot be part of a key"
        case .alteredBytes: "the request has bytes that are not UTF-8"
        case .noRoom: "the memory for bodies in flight is used up"
        case .nested: "the request was made by a fetch for the same key"
        case .uncacheable: "recent responses for the key could not be stored"
        }
    }

    private static func phrase(for reason: NotStorableReason) -> String {
        switch reason {
        case .method: "only responses to GET are stored"
        case .requestNoStore: "the request says no-store"
        case .status: "responses with this status are not stored"
        case .partial: "it is not a whole response"
        case .notUnderstood: "the response says must-understand, and its status is not known"
        case .noStore: "the response says no-store"
        case .private: "the response says private"
        case .authorization: "the request has credentials"
        case .setCookie: "the response sets a cookie"
        case .varyStar: "no other request would match its Vary"
        case .notPublic: "the response says neither public nor s-maxage"
        case .noCache: "the response says no-cache, and has no validator"
        case .noFreshness: "the response has no usable lifetime"
        case .unacceptedCoding: "the request does not accept its content coding"
        case .alteredBytes: "the response has bytes that are not UTF-8"
        case .requestAlteredBytes: "the request has bytes that are not UTF-8"
        case .eventStream: "the response is an event stream"
        }
    }

    private static func phrase(for reason: NotStoredReason) -> String {
        switch reason {
        case .notStorable(let reason): phrase(for: reason)
        case .policy: "the policy does not store it"
        case .tooLarge: "the body is too large"
        case .tooManyTags: "the response has too many tags"
        case .tagNotAccepted: "the response has an invalid tag"
        case .selectingFieldsTooLong: "the request fields that Vary names are too long"
        case .noRoom: "the memory for bodies in flight is used up"
        case .tooSlow: "the body took too long"
        case .brokenOff: "the body is incomplete"
        case .originFailed: "the origin failed"
        case .unconfirmedError: "the request may have caused the error"
        case .overtaken: "the response was invalidated while it was fetched"
        case .staleValue: "the response was made from a stale value"
        case .unavailable: "the store cannot be reached"
        }
    }
}
