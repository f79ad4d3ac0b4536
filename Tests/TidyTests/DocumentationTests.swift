import TestHelpers
import Testing

/// Checks that what the library's modules declare as public is documented.
@Suite(.timeLimit(.minutes(5))) struct DocumentationTests {
    /// The modules that `make docs` documents.
    static let modules = [
        "HTTPCaching", "Larder", "LarderHummingbird", "LarderRedis", "LarderTestSupport", "OpenMetrics",
    ]

    /// The beginnings of the declarations that need no comment, because they implement a requirement of a protocol,
    /// which has one.
    static let witnesses = [
        // The standard library's protocols
        "static func ==", "static func <", "func hash(into", "init(stringLiteral", "let description",
        "var description", "func makeIterator()", "mutating func next()",
        // Hummingbird's protocols
        "func respond(to", "func response(from",
        // `CacheStore`
        "let entryLimit", "var entryLimit", "var isAvailable", "func find(_ location", "func load(_ location",
        "func save(_ entry", "func discard(_ entry", "func validity(of readVersion",
        "func invalidate(_ scopes: [InvalidationScope])", "func remove(_ key",
        "func count(at",
        // `CacheStatusReadable`
        "var cacheStatusField",
        // `OriginResponse`
        "var bodyLength", "init(head: HTTPResponse,", "init(headOnly", "func pourBody(into",
    ]

    static func sources() throws -> [TidyTests.File] {
        try modules.flatMap { try TidyTests.files(below: "Sources/\($0)") }
    }

    @Test(arguments: try sources()) func `A public declaration has a doc comment`(_ file: TidyTests.File) {
        for number in Self.declarations(in: file.lines) + Self.members(in: file.lines) {
            let before = file.lines[..<number].last { !$0.drop { $0 == " " }.hasPrefix("@") } ?? ""
            #expect(before.drop { $0 == " " }.hasPrefix("///"), "\(file.path):\(number + 1): \(file.lines[number])")
        }
    }

    @Test func `The check finds what is declared`() {
        let lines = [
            "/// A type.", "@frozen public enum Kind {", "    case first", "    var isFirst: Bool {",
            "        switch self { case .first: true }", "    }", "}", "public extension A {}", "public import NIOCore",
            "extension Kind {", "    public static func == (left: Kind, right: Kind) -> Bool { true }",
            "    @inlinable", "    public func run() {}", "}", "public protocol Runner {", "    func run()", "}",
        ]
        #expect(Self.declarations(in: lines) == [1, 12, 14])
        #expect(Self.members(in: lines) == [2, 15])
    }

    @Test(arguments: modules) func `The page of a module names its public types`(_ module: String) throws {
        let page = try PackageFolder.text(of: "docs/\(module).docc/\(module).md").split(separator: "\n")
        for file in try TidyTests.files(below: "Sources/\(module)") {
            for line in file.lines {
                let type = /^(?:@\w+ )*public (?:final )?(?:actor|class|enum|protocol|struct) (\w+)/
                guard let name = line.firstMatch(of: type)?.1 else { continue }
                #expect(page.contains("- ``\(name)``"), "\(file.path): \(name)")
            }
        }
    }

    /// Returns the indices of the lines that declare something public.
    private static func declarations(in lines: [String]) -> [Int] {
        lines.indices.filter { number in
            guard let declared = lines[number].firstMatch(of: /^ *(?:@\w+(?:\(.*?\))? )*public (.*)/)?.1 else {
                return false
            }
            return !(["import ", "extension "] + witnesses).contains { declared.hasPrefix($0) }
        }
    }

    /// Returns the indices of the lines that declare the cases of public enums and the requirements of public
    /// protocols, which do not say `public`. Their indentation tells them from the code inside of them.
    private static func members(in lines: [String]) -> [Int] {
        var open: [(indentation: String, keywords: Set<Substring>)] = []
        var members: [Int] = []
        for (number, line) in lines.enumerated() {
            if let type = line.firstMatch(of: /^( *)(?:@\w+ )*public (?:indirect )?(enum|protocol) .*\{$/) {
                open.append((String(type.1), type.2 == "enum" ? ["case"] : ["associatedtype", "func", "init", "var"]))
            } else if let last = open.last {
                let declaration = line.dropFirst(last.indentation.count + 4)
                if line == last.indentation + "}" {
                    open.removeLast()
                } else if !declaration.hasPrefix(" "), last.keywords.contains(keyword(of: declaration)) {
                    members.append(number)
                }
            }
        }
        return members
    }

    /// Returns the keyword of a declaration, without its attributes and modifiers.
    private static func keyword(of declaration: Substring) -> Substring {
        let words = declaration.split { " (<".contains($0) }
        return words.first { !$0.hasPrefix("@") && !["indirect", "mutating", "static"].contains($0) } ?? ""
    }
}
