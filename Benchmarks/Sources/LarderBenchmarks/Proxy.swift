import Foundation

/// A caching reverse proxy as it is started for a measurement: on one core, without TLS, with its cache in memory.
struct Proxy {
    let name: String
    let program: URL
    /// The environment by which the program finds its libraries if it was not installed.
    var environment: [String: String] = [:]
    /// The function that returns the arguments for a port to listen on, a port of the origin, and a separate directory.
    let arguments: (_ port: Int, _ origin: Int, _ directory: URL) throws -> [String]
}

extension Proxy {
    /// Returns the proxy of this package.
    /// - Parameter options: Further options; by default the one that stops it without a delay.
    static func larder(_ program: URL, name: String = "larder", options: [String] = ["--drain-delay", "0s"]) -> Proxy {
        Proxy(name: name, program: program) { port, origin, _ in
            ["serve", "--origin", "http://127.0.0.1:\(origin)", "--listen", "127.0.0.1:\(port)"] + options
        }
    }

    /// Returns nginx with `proxy_cache`, configured as its manual advises: files are sent by `sendfile` from a file
    /// system in memory, and their descriptors are cached. Returns nil if nginx is missing.
    /// - Parameter certificate: The certificate for TLS and HTTP/2; nil for neither.
    static func nginx(in tools: Tools, certificate: Certificate? = nil) -> Proxy? {
        guard let program = tools.program("nginx") else { return nil }
        return Proxy(name: "nginx", program: program, environment: tools.environment) { port, origin, directory in
            let place = directory.path()
            let tls = certificate.map {
                "ssl_certificate \($0.certificate); ssl_certificate_key \($0.key); ssl_protocols TLSv1.2 TLSv1.3;"
            }
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
                        listen 127.0.0.1:\(port)\(tls == nil ? "" : " ssl http2");
                        \(tls ?? "")
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

    /// Returns Varnish with one pool of threads and its default VCL; nil if Varnish is missing.
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
            // Varnish compiles its configuration with gcc.
            if tools.program("gcc") == nil {
                arguments += ["-p", "cc_command=exec clang -O2 -fpic -shared -o %o %s"]
            }
            return arguments
        }
    }
}

extension Proxy {
    /// Returns HAProxy with one thread and its cache in memory, configured as its manual advises; nil if it is missing.
    static func haproxy(in tools: Tools) -> Proxy? {
        guard let program = tools.program("haproxy") else { return nil }
        return Proxy(name: "HAProxy", program: program, environment: tools.environment) { port, origin, directory in
            let text = """
                global
                    nbthread 1
                    maxconn 8192
                cache responses
                    total-max-size 256
                    max-object-size 2097152
                    max-age 3600
                defaults
                    mode http
                    timeout connect 5s
                    timeout client 60s
                    timeout server 60s
                frontend clients
                    bind 127.0.0.1:\(port)
                    default_backend origin
                backend origin
                    http-request cache-use responses
                    http-response cache-store responses
                    server origin 127.0.0.1:\(origin)

                """
            let file = directory.appending(path: "haproxy.cfg")
            try text.write(to: file, atomically: true, encoding: .utf8)
            return ["-db", "-f", file.path()]
        }
    }

    /// A Redis that writes nothing to disks.
    static var redis: Proxy {
        Proxy(name: "Redis", program: URL(filePath: "/usr/bin/env")) { port, _, _ in
            ["redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        }
    }
}

/// The places of programs: installed, or unpacked from Debian's packages into a directory.
struct Tools {
    let directory: URL

    func program(_ name: String) -> URL? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders =
            path.split(separator: ":").map { URL(filePath: String($0)) }
            + [URL(filePath: "/usr/local/sbin"), URL(filePath: "/usr/sbin")]
            + ["usr/sbin", "usr/bin"].map { directory.appending(path: $0) }
        return folders.map { $0.appending(path: name) }
            .first { FileManager.default.isExecutableFile(atPath: $0.path()) }
    }

    /// The directories of the libraries that came with the programs.
    var environment: [String: String] {
        let base = directory.appending(path: "usr/lib")
        let folders = (try? FileManager.default.contentsOfDirectory(at: base, includingPropertiesForKeys: nil)) ?? []
        let paths = folders.filter { $0.lastPathComponent.hasSuffix("-linux-gnu") }
            .flatMap { [$0.path(), $0.appending(path: "varnish").path()] }
        return paths.isEmpty ? [:] : ["LD_LIBRARY_PATH": paths.joined(separator: ":")]
    }
}
