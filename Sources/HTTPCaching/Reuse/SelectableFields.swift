package import HTTPTypes

extension HTTPRequest {
    /// The fields by which responses may differ: those of the request, and `Host`, which HTTPTypes keeps as the
    /// authority. A second `Host` that a client smuggled in stays beside it, whichever of the two a handler looks at.
    package var selectableFields: HTTPFields {
        guard let authority else { return headerFields }
        var fields = headerFields
        fields.append(HTTPField(name: .hostField, value: authority))
        return fields
    }
}
