import AsyncHTTPClient
public import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SystemErrors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The reason why an origin did not answer, as an error type of `Proxy-Status` (RFC 9209 §2.3).
public struct UpstreamError: Error, Hashable, Sendable, CustomStringConvertible {
    enum Code: String, Hashable, Sendable, CaseIterable {
        case connectionRefused = "connection_refused"
        case connectionTimeout = "connection_timeout"
        case connectionTerminated = "connection_terminated"
        case connectionLimitReached = "connection_limit_reached"
        case connectionReadTimeout = "connection_read_timeout"
        case destinationNotFound = "destination_not_found"
        case dnsError = "dns_error"
        case tlsProtocolError = "tls_protocol_error"
        case responseTimeout = "http_response_timeout"
        case protocolError = "http_protocol_error"
        case incompleteResponse = "http_response_incomplete"
        case headerSectionSize = "http_response_header_section_size"
        case requestError = "http_request_error"
        case requestDenied = "http_request_denied"
        case loopDetected = "proxy_loop_detected"
        case internalError = "proxy_internal_error"
    }

    let code: Code
    /// The reason in plain words, for logs and for the person who starts a program.
    package let reason: String
    private let ownStatus: Int?

    init(_ code: Code, _ reason: String, status: HTTPResponse.Status? = nil) {
        self.code = code
        self.reason = reason
        self.ownStatus = status?.code
    }

    /// The error of a connection that could not be made within the connect timeout.
    public static let connectionTimeout = UpstreamError(.connectionTimeout, "connecting took too long")
    /// The error of an origin that did not begin its response within the response timeout.
    public static let responseTimeout = UpstreamError(.responseTimeout, "no response in time")
    /// The error of a request whose client is slow while other requests wait for the connection.
    static let slowClient = UpstreamError(
        .connectionLimitReached,
        "the client is slow, and other requests wait for its connection"
    )
    /// The error of a target that servers read differently, or not at all.
    public static let illegalTarget = UpstreamError(.requestError, "the target cannot be forwarded")

    /// The error type of RFC 9209, such as `connection_refused`.
    public var type: String { code.rawValue }

    public var description: String { "\(code.rawValue): \(reason)" }

    /// The status for the client: "HTTP status codes that proxies generate" of RFC 9209 §2.3.
    public var status: HTTPResponse.Status {
        if let ownStatus { return HTTPResponse.Status(code: ownStatus) }
        return switch code {
        case .connectionTimeout, .connectionReadTimeout, .responseTimeout: .gatewayTimeout
        case .connectionLimitReached: .serviceUnavailable
        case .requestError: .badRequest
        case .requestDenied: .methodNotAllowed
        case .loopDetected: HTTPResponse.Status(code: 508, reasonPhrase: "Loop Detected")
        case .connectionRefused, .connectionTerminated, .destinationNotFound, .dnsError, .tlsProtocolError,
            .protocolError, .incompleteResponse, .headerSectionSize:
            .badGateway
        case .internalError: .internalServerError
        }
    }

    /// True if the origin may have failed because of the request.
    var mayBeDueToRequest: Bool {
        switch code {
        case .connectionTerminated, .protocolError, .incompleteResponse, .headerSectionSize: true
        default: false
        }
    }

    /// True if the origin caused the error, rather than the request.
    var isOfOrigin: Bool {
        switch code {
        case .requestError, .requestDenied, .loopDetected, .internalError: false
        default: true
        }
    }
}

extension UpstreamError {
    /// Creates the error that corresponds to an error of the client library.
    package init(_ error: any Error) {
        switch error {
        case let error as UpstreamError: self = error
        case is CancellationError: self.init(.internalError, "the gateway is stopping")
        case let error as HTTPClientError: self.init(client: error)
        case HTTPParserError.headerOverflow: self.init(.headerSectionSize, "the header fields are too large")
        case HTTPParserError.invalidEOFState: self.init(.incompleteResponse, "the origin closed the connection")
        case is HTTPParserError, is NIOHTTPDecoderError:
            self.init(.protocolError, "the response is not valid HTTP (\(error))")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            self.init(.tlsProtocolError, ErrorText.describe(error))
        case let error as NIOConnectionError:
            if let failure = error.connectionErrors.last?.error {
                self.init(failure)
            } else {
                let isUnknown = error.dnsAError != nil || error.dnsAAAAError != nil
                self.init(isUnknown ? .dnsError : .destinationNotFound, ErrorText.describe(error))
            }
        case is SocketAddressError.UnknownHost: self.init(.dnsError, ErrorText.describe(error))
        case let error as ChannelError:
            if case .connectTimeout = error {
                self = .connectionTimeout
            } else {
                self.init(.connectionTerminated, "the connection is closed")
            }
        case let error as IOError:
            let isRefused = error.errnoCode == ECONNREFUSED
            self.init(isRefused ? .connectionRefused : .connectionTerminated, ErrorText.describe(error))
        default: self.init(.connectionTerminated, ErrorText.describe(error))
        }
    }

    private init(client error: HTTPClientError) {
        switch error {
        case .connectTimeout: self = .connectionTimeout
        case .tlsHandshakeTimeout: self.init(.connectionTimeout, "the TLS handshake took too long")
        case .getConnectionFromPoolTimeout:
            self.init(.connectionLimitReached, "all connections were in use for too long")
        case .deadlineExceeded: self = .responseTimeout
        case .readTimeout: self.init(.connectionReadTimeout, "the origin paused for too long")
        case .writeTimeout: self.init(.connectionReadTimeout, "the origin did not read the request in time")
        case .invalidURL, .emptyHost, .emptyScheme, .bodyLengthMismatch, .traceRequestWithBody:
            self.init(.requestError, "the request is invalid (\(error.shortDescription))")
        case .cancelled, .alreadyShutdown:
            self.init(.internalError, "the client disconnected, or the gateway is stopping")
        case .remoteConnectionClosed: self.init(.connectionTerminated, "the origin closed the connection")
        default: self.init(.protocolError, "the response is not valid HTTP (\(error.shortDescription))")
        }
    }
}
