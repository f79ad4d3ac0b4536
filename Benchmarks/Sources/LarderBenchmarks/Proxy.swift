import Foundation

/// A caching reverse proxy, as it is started for a measurement: on one core, in the clear, with its cache in memory.
struct Proxy {
    let name: String
    let program: URL
    /// What the program needs to find its libraries, where it was not installed.
    var environment: [String: String] = [:]
    /// The arguments for a port to listen on, a port of the origin, and a directory of its own.
    let arguments: (_ port: Int, _ origin: Int, _ directory: URL) throws -> [String]
}

extension Proxy {
    /// The program of this package.
    /// - Parameter options: More options; by default it stops at once.
    static func larder(_ program: URL, name: String = "larder", options: [String] = ["--drain-delay", "0s"]) -> Proxy {
        Proxy(name: name, program: program) { port, origin, _ in
            ["serve", "--origin", "http://127.0.0.1:\(origin)", "--listen", "127.0.0.1:\(port)"] + options
        }
    }

    /// nginx with `proxy_cache`, tuned as its manual has it: files go out by `sendfile` from a file system in memory,
    /// and their descriptors are kept.
    static func nginx(in tools: Tools) -> Proxy? {
        guard let program = tools.program("nginx") else { return nil }
        return Proxy(name: "nginx", program: program, environment: tools.environment) { port, origin, directory in
            let place = directory.path()
            let text = """
                daemon off;
                worker_processes 1;
                pid \(place)/pid;
                error_log \(place)/errors crit;
                \(geteuid() == 0 ? "user root root;" : "")
                events { worker_connections 1024; }
                http {
                    access_log off;
                    sendfile on;
                    tcp_nopush on;
                    keepalive_requests 1000000000;
                    open_file_cache max=100 inactive=1h;
                    open_file_cache_valid 1h;
                    client_body_temp_path \(place)/client;
                    proxy_temp_path \(place)/proxy;
                    fastcgi_temp_path \(place)/fastcgi;
                    uwsgi_temp_path \(place)/uwsgi;
                    scgi_temp_path \(place)/scgi;
                    proxy_cache_path \(place)/cache keys_zone=responses:10m use_temp_path=off;
                    server {
                        listen 127.0.0.1:\(port);
                        location / {
                            proxy_pass http://127.0.0.1:\(origin);
                            proxy_http_version 1.1;
                            proxy_set_header Connection "";
                            proxy_cache responses;
                            proxy_cache_valid 200 1h;
                        }
                    }
                }

                """
            let file = directory.appending(path: "nginx.conf")
            try text.write(to: file, atomically: true, encoding: .utf8)
            return ["-p", place, "-e", "\(place)/errors", "-c", file.path()]
        }
    }

    /// Varnish with the VCL it comes with, and one pool of threads.
    static func varnish(in tools: Tools) -> Proxy? {
        guard let program = tools.program("varnishd") else { return nil }
        return Proxy(name: "varnish", program: program, environment: tools.environment) { port, origin, directory in
            let file = directory.appending(path: "default.vcl")
            try """
            vcl 4.1;
            backend default { .host = "127.0.0.1"; .port = "\(origin)"; }

            """.write(to: file, atomically: true, encoding: .utf8)
            var arguments = [
                "-F", "-f", file.path(), "-a", "127.0.0.1:\(port)", "-s", "malloc,256m", "-p", "thread_pools=1",
                "-n", directory.appending(path: "work").path(), "-j", "none", "-T", "none", "-S", "none",
            ]
            // It compiles its configuration, and asks for gcc.
            if tools.program("gcc") == nil {
                arguments += ["-p", "cc_command=exec clang -O2 -fpic -shared -o %o %s"]
            }
            return arguments
        }
    }
}

/// Where programs are: installed, or taken from Debian's packages into a directory.
struct Tools {
    let directory: URL

    func program(_ name: String) -> URL? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders =
            path.split(separator: ":").map { URL(filePath: String($0)) }
            + [URL(filePath: "/usr/local/sbin"), URL(filePath: "/usr/sbin"), directory.appending(path: "usr/sbin")]
        return folders.map { $0.appending(path: name) }
            .first { FileManager.default.isExecutableFile(atPath: $0.path()) }
    }

    /// Where the libraries are that came with the programs.
    var environment: [String: String] {
        let base = directory.appending(path: "usr/lib")
        let folders = (try? FileManager.default.contentsOfDirectory(at: base, includingPropertiesForKeys: nil)) ?? []
        let paths = folders.filter { $0.lastPathComponent.hasSuffix("-linux-gnu") }
            .flatMap { [$0.path(), $0.appending(path: "varnish").path()] }
        return paths.isEmpty ? [:] : ["LD_LIBRARY_PATH": paths.joined(separator: ":")]
    }
}
