import HTTPCaching
import HTTPTypes
import LarderExplain
import Testing

@Suite(.timeLimit(.minutes(5))) struct MessageFileTests {
    /// A file and the values that are read from it: method and target, status, `X`, and the length of the content.
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let file: String
        var request: String?
        var status = 200
        var x: String? = "1"
        var length: Int?
        var testDescription: String { name }
    }

    static let rows: [Row] = [
        Row(name: "a response alone", file: "HTTP/1.1 200 OK\nX: 1\n\nbody", length: 4),
        Row(name: "with CRLF", file: "HTTP/1.1 200 OK\r\nX: 1\r\n\r\nbo\r\n", length: 4),
        Row(name: "of HTTP/2, as curl -i has it", file: "HTTP/2 200 \r\nx: 1\r\n\r\n"),
        Row(name: "without a reason or an end", file: "HTTP/1.1 200\nX: 1"),
        Row(name: "with a declared length", file: "HTTP/1.1 200\nX: 1\nContent-Length: 99\n\n", length: 99),
        Row(name: "with a field without a value", file: "HTTP/1.1 200\nX:\n\n", x: ""),
        Row(name: "with a folded field", file: "HTTP/1.1 200\nX: 1\n  2\n\t3\n\n", x: "1 2 3"),
        Row(name: "after empty lines", file: "\r\n\n\nHTTP/1.1 200\nX: 1\n\n"),
        Row(
            name: "a request before it",
            file: "GET /a?b HTTP/1.1\nHost: h\n\nHTTP/1.1 404\nX: 1\n\n",
            request: "GET https://h/a?b",
            status: 404
        ),
        Row(
            name: "a request in absolute form",
            file: "GET http://h:1/a HTTP/1.1\nHost: other\n\nHTTP/1.1 200\nX: 1\n\n",
            request: "GET http://h:1/a"
        ),
        Row(
            name: "a request in absolute form, without a path",
            file: "GET http://h?a HTTP/1.1\n\nHTTP/1.1 200\nX: 1\n\n",
            request: "GET http://h/?a"
        ),
        Row(
            name: "a request with content",
            file: "PUT /a HTTP/1.1\nHost: h\nContent-Length: 5\n\nHTTP/HTTP/1.1 204\nX: 1\n\n",
            request: "PUT https://h/a",
            status: 204
        ),
        Row(
            name: "a request whose empty line is lost",
            file: "GET /a HTTP/1.1\nHost: h\nHTTP/1.1 200\nX: 1\n\n",
            request: "GET https://h/a"
        ),
        Row(name: "after a 100", file: "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nX: 1\n\n"),
        Row(name: "a 103 alone", file: "HTTP/1.1 103 Early Hints\nX: 1\n\n", status: 103),
        Row(
            name: "the last of a chain of redirects",
            file: "HTTP/1.1 301 Moved\nLocation: /b\nX: 0\nContent-Length: 9\n\nHTTP/1.1 200 OK\nX: 1\n\nbody",
            length: 4
        ),
        Row(
            name: "the last of a chain whose contents are there",
            file: "HTTP/1.1 301\nX: 0\nContent-Length: 3\n\n<p>HTTP/1.1 200 OK\nX: 1\nContent-Length: 2\n\nok\n",
            length: 2
        ),
        Row(
            name: "content that looks like a response",
            file: "HTTP/1.1 200 OK\nX: 1\n\nlog:\nHTTP/1.1 500 Oh\nX: 2\n\n",
            length: 27
        ),
        Row(
            name: "what curl -v writes",
            file: """
                * Host h:80 was resolved.
                > GET /a HTTP/1.1
                > Host: h
                > Accept: */*
                >\u{20}
                * Request completely sent off
                < HTTP/1.1 200 OK
                < X: 1
                < Content-Length: 4
                <\u{20}
                { [4 bytes data]
                HTTP/1.1 500 No
                * Connection #0 to host h left intact
                """,
            request: "GET https://h/a",
            length: 4
        ),
        Row(
            name: "what curl -vL writes",
            file: "> GET /a HTTP/2\r\n> Host: h\r\n>\r\n< HTTP/2 302 \r\n< x: 0\r\n<\r\n* Issue another request\n"
                + "> GET /b HTTP/2\r\n> Host: h\r\n>\r\n< HTTP/2 103\r\n<\r\n< HTTP/2 200 \r\n< x: 1\r\n<\r\nbody",
            request: "GET https://h/b"
        ),
    ]

    @Test(arguments: rows) func `A file in any supported format is read`(_ row: Row) throws {
        let file = try MessageFile(row.file.utf8)
        let request = file.request.map {
            "\($0.method.rawValue) \($0.scheme ?? "")://\($0.authority ?? "")\($0.path ?? "")"
        }
        #expect(request == row.request)
        #expect(file.response.status.code == row.status)
        #expect(file.response.headerFields[.init("X") ?? .age] == row.x)
        #expect(file.bodyLength == row.length)
    }

    @Test(
        arguments: [
            ("", .noResponse, nil), ("\n\n", .noResponse, nil), ("hello", .startLine, 1),
            ("\n\nHTTP/1.1 20 OK\n", .startLine, 3), ("HTTP/1.1 099 OK\n", .startLine, 1),
            ("HTTP/9 200 OK\n", .startLine, 1), ("GET / HTTP/1.1\n\n", .noResponse, nil),
            ("GET / HTTP/1.1\n\nhello\n", .startLine, 3), ("HTTP/1.1 200\nX 1\n\n", .field, 2),
            ("HTTP/1.1 200\nX : 1\n\n", .field, 2), ("HTTP/1.1 200\n:status: 200\n\n", .field, 2),
            ("HTTP/1.1 200\nA: 1\nX: \u{0}\n\n", .field, 3), ("HTTP/1.1 200\n folded\n\n", .field, 2),
            ("GET http:///a HTTP/1.1\n\nHTTP/1.1 200\n\n", .startLine, 2),
            ("* curl\n< X: 1\n", .startLine, 2),
            (String(repeating: "A: 1\n", count: 1), .startLine, 1),
            ("HTTP/1.1 200\n" + String(repeating: "A: 1\n", count: 1_001), .tooManyFields, 1_002),
            (String(repeating: " ", count: 1 << 20) + " ", .tooLarge, nil),
        ] as [(String, MessageFileError.Code, Int?)]
    ) func `Unreadable files are rejected with their lines`(_ text: String, _ code: MessageFileError.Code, _ line: Int?)
    {
        let error = #expect(throws: MessageFileError.self) { try MessageFile(text.utf8) }
        #expect(error?.code == code)
        #expect(error?.line == line)
    }

    @Test func `An error is a single line with the line number`() {
        let error = #expect(throws: MessageFileError.self) { try MessageFile("HTTP/1.1 200\nX\u{7} 1\n".utf8) }
        #expect(error?.description == "line 2: \"X? 1\" is not a field: expected one such as Age: 5")
    }

    @Test func `A field value is read without altering its bytes`() throws {
        let file = try MessageFile(Array("HTTP/1.1 200\nX: ".utf8) + [0xE9] + Array("\n\n".utf8))
        let value = file.response.headerFields.first?.withUnsafeBytesOfValue { Array($0) }
        #expect(value == [0xE9])
    }

    @Test func `Many folded lines are read in linear time`() throws {
        let file = "HTTP/1.1 200\nX: 1\n" + String(repeating: " a\n", count: 300_000)
        #expect(try MessageFile(file.utf8).response.headerFields.count == 1)
    }

    @Test func `A response without a request counts as received at its Date`() throws {
        let made = start.advanced(by: .seconds(-50))
        let file = try MessageFile("HTTP/1.1 200\nDate: \(HTTPDate.format(made))\nAge: 7\n\n".utf8)
        let exchange = file.exchange(now: start)
        #expect(exchange.respondedAt == made)
        #expect(exchange.isRequestAssumed)
        #expect(exchange.request.method == .get)
        #expect(try MessageFile("HTTP/1.1 200\nDate: soon\n\n".utf8).exchange(now: start).respondedAt == start)
    }
}
