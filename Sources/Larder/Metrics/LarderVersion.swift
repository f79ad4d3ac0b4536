/// The version of Larder, and of the compiler that it was built with.
package enum LarderVersion {
    /// The version of Larder.
    package static let current = "0.1.0-dev"

    /// The version of the Swift compiler.
    package static var compiler: String {
        #if compiler(>=6.4)
            "6.4"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }
}
