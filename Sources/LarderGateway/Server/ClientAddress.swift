import HTTPCaching
package import HTTPTypes

/// The header fields that give the client's address to origins.
package enum ClientAddress {
    /// The fields into which the gateway writes the client's address. A key would hold the value that the client sent,
    /// so responses that vary by these fields are not shared with other clients.
    package static let fields: [HTTPField.Name] = [.xForwardedFor, .xRealIP]
}

extension HTTPField.Name {
    /// `X-Forwarded-For`.
    package static let xForwardedFor = constant("X-Forwarded-For")
    /// `X-Real-IP`.
    package static let xRealIP = constant("X-Real-IP")
}
