public import HTTPCaching

/// The reason why a response was not stored, or cannot be used from the store: the `detail` of `Cache-Status`.
public enum NotStoredReason: Error, Hashable, Sendable {
    /// The rules of caching, or of the policy, forbid it.
    case notStorable(NotStorableReason)
    /// The function of the policy that decides about responses returned false.
    case policy
    /// The body, or the entry as a whole, is larger than the limit.
    case tooLarge
    /// The handler gave the response more tags than an entry can have.
    case tooManyTags
    /// The handler named a tag that is too long or not UTF-8, by which the response could never be invalidated.
    case tagNotAccepted
    /// The request's values of the fields that the response is selected by are longer than the limit.
    case selectingFieldsTooLong
    /// The memory for bodies in flight is used up.
    case noRoom
    /// The body was still arriving when the time for capturing it was over, such as a stream without an end.
    case tooSlow
    /// The body broke off, or did not have the length that its head declared.
    case brokenOff
    /// The response is an error, and the stored response is of more use.
    case originFailed
    /// The response is an error that the request may have caused, and other requests wait: one of them asks first.
    case unconfirmedError
    /// A scope of the response was invalidated while it was fetched.
    case overtaken
    /// The response was made from a cached value that was stale.
    case staleValue
    /// The store cannot be reached, or does not accept responses.
    case unavailable

    /// The token of `Cache-Status`.
    public var detail: String {
        switch self {
        case .notStorable(let reason): reason.detail
        case .policy: "policy"
        case .tooLarge: "too-large"
        case .tooManyTags: "too-many-tags"
        case .tagNotAccepted: "tag-not-accepted"
        case .selectingFieldsTooLong: "selecting-fields-too-long"
        case .noRoom: "no-room"
        case .tooSlow: "too-slow"
        case .brokenOff: "broken-off"
        case .originFailed: "origin-failed"
        case .unconfirmedError: "unconfirmed-error"
        case .overtaken: "overtaken"
        case .staleValue: "stale-value"
        case .unavailable: "store-unavailable"
        }
    }

    /// True if the next response for the same key will probably not be stored either. Failures and races say nothing
    /// about the next one.
    var isLasting: Bool {
        switch self {
        case .notStorable(let reason): reason.isLasting
        case .policy, .tooLarge, .tooManyTags, .tagNotAccepted, .tooSlow: true
        case .brokenOff, .originFailed, .unconfirmedError, .overtaken, .staleValue, .unavailable, .noRoom,
            .selectingFieldsTooLong:
            false
        }
    }
}

extension NotStoredReason {
    /// True if another request for the same key may well get a response that is stored.
    var isDueToRequest: Bool {
        switch self {
        case .notStorable(.method), .notStorable(.requestNoStore), .notStorable(.authorization),
            .notStorable(.unacceptedCoding),
            .notStorable(.requestAlteredBytes), .selectingFieldsTooLong:
            true
        default: false
        }
    }
}

extension NotStorableReason {
    /// True if the reason holds for the route, and not only for this request.
    fileprivate var isLasting: Bool {
        switch self {
        case .method, .requestNoStore, .authorization, .partial, .unacceptedCoding, .requestAlteredBytes: false
        default: true
        }
    }
}
