import Foundation

/// The machine and the versions of the compared programs, for the documents.
struct Versions {
    /// The rows of a table.
    let lines: [String]

    init(_ field: Field) {
        let rows = [
            ("machine", Self.machine()), ("kernel", Self.output(["uname", "-sr"])),
            ("Swift", Self.version(["swift", "--version"])),
        ]
        let programs = ["nginx": "-v", "Varnish": "-V", "HAProxy": "-v", "Redis": "--version", "h2load": "--version"]
        let names = ["nginx": "nginx", "Varnish": "varnishd", "HAProxy": "haproxy", "Redis": "redis-server"]
        let versions = programs.sorted { $0.key.lowercased() < $1.key.lowercased() }.map { name, option in
            let program = field.tools.program(names[name] ?? name)
            return (name, program.flatMap { Self.version([$0.path(), option], field.tools.environment) })
        }
        lines = (rows + versions + Self.python(field.tools)).map { "| \($0) | \($1 ?? "not measured") |" }
    }

    private static func machine() -> String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let cores = text.split(separator: "\n").count { $0.hasPrefix("processor") }
        let model = text.firstMatch(of: /model name\s*: (.*)/).map { ", \($0.1)" } ?? ""
        return "\(cores) cores\(model)"
    }

    /// Returns the versions of Python and of the packages that are measured.
    private static func python(_ tools: Tools) -> [(String, String?)] {
        let program = tools.directory.appending(path: "python/bin/python").path()
        let packages = ["fastapi", "uvicorn", "uvloop", "fastapi-cache2", "cashews", "redis", "hiredis"]
        let script = "import sys, importlib.metadata as m; print(*[m.version(n) for n in sys.argv[1:]])"
        let found = output([program, "-c", script] + packages)?.split(separator: " ").map(String.init)
        let versions = found.map { zip(packages, $0).map { "\($0) \($1)" }.joined(separator: ", ") }
        return [("Python", version([program, "--version"])), ("Python packages", versions)]
    }

    /// Returns the first number with points that a program prints.
    private static func version(_ words: [String], _ environment: [String: String] = [:]) -> String? {
        output(words, environment)?.firstMatch(of: /\d+(\.\d+)+/).map { String($0.0) }
    }

    private static func output(_ words: [String], _ environment: [String: String] = [:]) -> String? {
        let text = try? Command(words, environment: environment).output()
        return text?.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
