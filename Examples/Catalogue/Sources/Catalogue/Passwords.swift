import Crypto
import CryptoExtras
import Foundation
import NIOPosix

/// Hashes passwords with scrypt, and makes the tokens of sessions.
public struct PasswordHashing: Sendable {
    let rounds: Int

    /// Creates a hashing with this many rounds, a power of 2. Fewer than the default are for tests.
    public init(rounds: Int = 1 << 15) { self.rounds = rounds }

    /// Returns the rounds, a random salt and the hash, separated by dollar signs.
    func hash(_ password: String) throws -> String {
        let salt = randomHex(byteCount: 16)
        return "\(rounds)$\(salt)$\(try derive(password, salt: salt, rounds: rounds))"
    }

    /// Returns whether a password has this hash. Without a hash it takes as long, so that the time does not tell which
    /// users there are. It blocks a thread, which is not one of those that serve requests.
    func verify(_ password: String, hash: String?) async throws -> Bool {
        let parts = (hash ?? "\(rounds)$none$none").split(separator: "$").map(String.init)
        return try await NIOThreadPool.singleton.runIfActive {
            try derive(password, salt: parts[1], rounds: Int(parts[0])!) == parts[2]
        }
    }

    private func derive(_ password: String, salt: String, rounds: Int) throws -> String {
        let key = try KDF.Scrypt.deriveKey(
            from: Array(password.utf8),
            salt: Array(salt.utf8),
            outputByteCount: 32,
            rounds: rounds,
            blockSize: 8,
            parallelism: 1
        )
        return key.withUnsafeBytes { hex($0) }
    }
}

/// Returns random bytes as hexadecimal digits.
func randomHex(byteCount: Int) -> String {
    SymmetricKey(size: SymmetricKeySize(bitCount: byteCount * 8)).withUnsafeBytes { hex($0) }
}

/// Returns the SHA-256 of a text as hexadecimal digits.
func sha256(_ text: String) -> String { hex(SHA256.hash(data: Data(text.utf8))) }

private func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}
