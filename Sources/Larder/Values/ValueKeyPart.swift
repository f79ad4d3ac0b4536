#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A part of the key of a cached value.
///
/// Texts, integers, `Bool` and `UUID` are parts. Another type is one if its text distinguishes any two of its values
/// that are different, and is the same in every process: the descriptions of `Data` and `Date`, for example, do not.
public protocol ValueKeyPart: Sendable {
    /// The text of the part.
    var keyText: String { get }
}

extension String: ValueKeyPart {
    /// The text of this value.
    public var keyText: String { self }
}

extension Substring: ValueKeyPart {
    /// The text of this value.
    public var keyText: String { String(self) }
}

extension Bool: ValueKeyPart {
    /// The text of this value.
    public var keyText: String { self ? "true" : "false" }
}

extension UUID: ValueKeyPart {
    /// The text of this value.
    public var keyText: String { uuidString }
}

extension ValueKeyPart where Self: FixedWidthInteger {
    /// The decimal number.
    public var keyText: String { String(self) }
}

extension Int: ValueKeyPart {}
extension Int8: ValueKeyPart {}
extension Int16: ValueKeyPart {}
extension Int32: ValueKeyPart {}
extension Int64: ValueKeyPart {}
extension UInt: ValueKeyPart {}
extension UInt8: ValueKeyPart {}
extension UInt16: ValueKeyPart {}
extension UInt32: ValueKeyPart {}
extension UInt64: ValueKeyPart {}
