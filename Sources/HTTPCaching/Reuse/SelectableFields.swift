package import HTTPTypes

extension HTTPRequest {
    /// The fields by which responses may differ: those of the request, and `Host`, which HTTPTypes stores as the
    /// authority. If a client sends a second `Host` field, both values are included, so that it does not matter which
    /// of them a handler reads.
    package var selectableFields: HTTPFields {
        guard let authority else { return headerFields }
        var fields = headerFields
        fields.append(HTTPField(name: .hostField, value: authority))
        return fields
    }
}
