import HTTPTypes

/// The heads of the packed entries of a shard. Most responses of an API have the same head but for a few values, so
/// that a head is stored as the number of a template and these values.
///
/// There are at most ``templateLimit`` templates, of at most ``textLimit`` bytes each, and they take a limited part of
/// the memory. The head of an entry without one is written into the entry.
struct HeadTable: Sendable {
    private struct Template {
        let layout: Layout
        let text: [UInt8]
        var uses = 0

        /// The memory in bytes that the template takes: the objects of its head, its text, and the entry of the text in
        /// the dictionary. The text is an allocation of up to a power of two.
        var cost: Int {
            layout.head.headerFields.reduce(HeadTable.overhead + 4 * text.count) { sum, _ in
                sum + CacheEntry.fieldOverhead
            }
        }
    }

    /// A head in which some values are empty.
    private struct Layout {
        var head: HTTPResponse
        /// The places of the fields whose values are empty.
        var gaps: [Int] = []
    }

    /// The fields whose values are seldom shared by two responses.
    private static let ownFields: Set<HTTPField.Name> = [
        .age, .contentLength, .contentLocation, .date, .eTag, .expires, .lastModified, .location, .setCookie,
        requestID, traceParent,
    ]
    private static let requestID = HTTPField.Name("X-Request-Id") ?? .date
    private static let traceParent = HTTPField.Name("traceparent") ?? .date

    /// The largest number of templates.
    static let templateLimit = 256
    /// The size in bytes of the longest text of a template.
    static let textLimit = 1_024
    /// The memory in bytes that a template takes beside its text and its fields.
    private static let overhead = 256

    private let limit: Int
    private var templates: [Template?] = []
    private var ids: [[UInt8]: Int] = [:]
    private var free: [Int] = []

    /// The memory in bytes that the templates take.
    private(set) var cost = 0

    /// The number of templates.
    var count: Int { ids.count }

    /// Creates a table without templates.
    /// - Parameter limit: The memory in bytes that the templates may take.
    init(limit: Int) { self.limit = limit }

    /// Writes a head. A template that it uses is in use until the entry releases it.
    mutating func write(_ head: HTTPResponse, bodyCount: Int, to writer: inout PackedWriter) {
        let text = Self.text(of: head)
        if let id = id(of: text) {
            templates[id]?.uses += 1
            writer.write(UInt64(id) + 1)
        } else {
            writer.write(0)
            writer.write(text)
        }
        for field in head.headerFields where Self.ownFields.contains(field.name) {
            // The length of the body is known.
            if field.name == .contentLength, field.value == String(bodyCount) {
                writer.write(0)
                continue
            }
            field.withUnsafeBytesOfValue { value in
                writer.write(UInt64(value.count) + 1)
                writer.append(UnsafeRawBufferPointer(value))
            }
        }
    }

    /// Reads a head.
    func read(_ reader: inout PackedReader, bodyCount: Int) -> HTTPResponse {
        let id = reader.count()
        var layout = id > 0 ? templates[id - 1]?.layout : Self.layout(of: reader.bytes())
        for gap in layout?.gaps ?? [] {
            guard let name = layout?.head.headerFields[gap].name else { continue }
            let length = reader.count()
            layout?.head.headerFields[gap] =
                length == 0
                ? HTTPField(name: name, value: String(bodyCount))
                : HTTPField(name: name, lenientValue: reader.bytes(length - 1))
        }
        guard let layout else { preconditionFailure("A template is there as long as an entry uses it") }
        return layout.head
    }

    /// Notes that an entry does not use its head any more.
    mutating func release(_ reader: inout PackedReader) {
        let id = reader.count() - 1
        guard id >= 0, let template = templates[id] else { return }
        if template.uses > 1 {
            templates[id]?.uses -= 1
        } else {
            ids[template.text] = nil
            templates[id] = nil
            cost -= template.cost
            free.append(id)
        }
    }

    private mutating func id(of text: [UInt8]) -> Int? {
        if let id = ids[text] { return id }
        guard ids.count < Self.templateLimit, text.count <= Self.textLimit else { return nil }
        let template = Template(layout: text.withUnsafeBytes { Self.layout(of: $0) }, text: text)
        guard cost + template.cost <= limit else { return nil }
        cost += template.cost
        let id = free.popLast() ?? templates.count
        if id == templates.count { templates.append(template) } else { templates[id] = template }
        ids[text] = id
        return id
    }

    /// Returns the parts of a head that other heads may share.
    private static func text(of head: HTTPResponse) -> [UInt8] {
        var writer = PackedWriter()
        writer.reserve(256)
        writer.write(UInt64(head.status.code))
        writer.write(head.status.reasonPhrase.utf8)
        writer.write(UInt64(head.headerFields.count))
        for field in head.headerFields {
            writer.write(field.name.rawName.utf8)
            guard !ownFields.contains(field.name) else { continue }
            field.withUnsafeBytesOfValue { value in
                writer.write(UInt64(value.count))
                writer.append(UnsafeRawBufferPointer(value))
            }
        }
        return writer.bytes
    }

    private static func layout(of text: UnsafeRawBufferPointer) -> Layout {
        var reader = PackedReader(text)
        let code = reader.count()
        var layout = Layout(head: HTTPResponse(status: HTTPResponse.Status(code: code, reasonPhrase: reader.text())))
        for place in 0..<reader.count() {
            guard let name = HTTPField.Name(reader.text()) else { preconditionFailure("A name was written as it is") }
            if ownFields.contains(name) {
                layout.gaps.append(place)
                layout.head.headerFields.append(HTTPField(name: name, value: ""))
            } else {
                layout.head.headerFields.append(HTTPField(name: name, lenientValue: reader.bytes()))
            }
        }
        return layout
    }

    /// Traps if the tables disagree; for tests.
    func validate(uses: Int) {
        precondition(templates.reduce(0) { $0 + ($1?.uses ?? 0) } <= uses, "A template that is in use by no entry")
        precondition(templates.count { $0 != nil } == ids.count, "A template that is not found")
        precondition(ids.count + free.count == templates.count, "A lost template")
        precondition(templates.reduce(0) { $0 + ($1?.cost ?? 0) } == cost, "A template that is not charged")
    }
}
