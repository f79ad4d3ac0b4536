import HTTPCaching
import HTTPTypes
public import Logging
import Synchronization

/// A source of request IDs that are unique among all gateways: a random beginning, and a number.
final class RequestIDs: Sendable {
    /// The length of the longest ID that is accepted from a trusted proxy, in bytes: 128.
    static let lengthLimit = 128

    private let prefix: String
    private let last = Atomic<UInt64>(0)

    init() {
        let random = String(UInt64.random(in: .min ... .max), radix: 36)
        prefix = String(repeating: "0", count: 13 - random.utf8.count) + random + "-"
    }

    /// Returns another ID.
    func next() -> String { prefix + String(last.wrappingAdd(1, ordering: .relaxed).newValue, radix: 36) }

    /// Returns the ID that a trusted proxy has sent; nil unless it is a short text of letters, digits and `-._~+/=:@`.
    static func accepted(_ text: String) -> String? {
        let isID =
            (1...lengthLimit).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                ASCII.isUnreserved(byte) || "+/=:@".utf8.contains(byte)
            }
        return isID ? text : nil
    }

    /// The ID of the request that the running task answers, or fetches for; nil if there is none.
    @TaskLocal static var current: String?
}

extension Logger.MetadataProvider {
    /// A provider that adds `request-id` to the lines that are logged while a gateway answers a request.
    public static let gatewayRequest = Logger.MetadataProvider {
        RequestIDs.current.map { ["request-id": "\($0)"] } ?? [:]
    }
}

extension HTTPField.Name {
    /// `X-Request-Id`, the ID of a request, by convention.
    static let xRequestID = constant("X-Request-Id")
}
