import HTTPCaching
package import HTTPTypes

/// The client's address, as a gateway tells it to origins.
package enum ClientAddress {
    /// The fields that the gateway writes it into. Keys would hold what the client wrote there, so that answers that
    /// differ by these are for nobody else.
    package static let fields: [HTTPField.Name] = [.xForwardedFor, .xRealIP]
}

extension HTTPField.Name {
    /// `X-Forwarded-For`.
    package static let xForwardedFor = constant("X-Forwarded-For")
    /// `X-Real-IP`.
    package static let xRealIP = constant("X-Real-IP")
}
