import HTTPCaching
package import HTTPTypes
import Synchronization

/// The targets of routes whose hits are answered before middleware runs, with the policies of these routes: a table of
/// a fixed size, into which each such route puts the targets that it is asked for.
package final class EarlyTargets: Sendable {
    private struct Target: Sendable {
        let method: HTTPRequest.Method
        let path: String
        let policy: SharedPolicy
    }

    private final class Place: Sendable {
        let target = Mutex<Target?>(nil)
    }

    private let places: [Place]
    /// The largest length of a target that is remembered, in bytes.
    private static var lengthLimit: Int { 2_048 }

    init(size: Int = 4_096) {
        places = (0..<size).map { _ in Place() }
    }

    /// Remembers that hits for the target of a request may be answered before middleware, under a policy.
    package func add(_ request: HTTPRequest, _ policy: SharedPolicy) {
        guard let path = request.path, path.utf8.count <= Self.lengthLimit else { return }
        place(of: request.method, path).target.withLock { target in
            target = Target(method: request.method, path: path, policy: policy)
        }
    }

    /// Returns the policy for the target of a request; nil if its hits are not answered before middleware, as far as is
    /// known.
    package func policy(for request: HTTPRequest) -> SharedPolicy? {
        guard let path = request.path else { return nil }
        return place(of: request.method, path).target.withLock { target in
            // Two spellings of one letter are equal as text, and are two targets.
            guard let target, target.method == request.method, target.path.utf8.elementsEqual(path.utf8) else {
                return nil
            }
            return target.policy
        }
    }

    private func place(of method: HTTPRequest.Method, _ path: String) -> Place {
        var hasher = Hasher()
        hasher.combine(method)
        hasher.combine(path)
        return places[Int(UInt(bitPattern: hasher.finalize()) % UInt(places.count))]
    }
}
