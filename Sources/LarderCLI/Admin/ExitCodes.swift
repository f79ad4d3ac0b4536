import ArgumentParser

/// The exit codes of the commands that use the admin API, and their texts for `--help`.
enum AdminExit {
    /// Nothing was found, or something failed.
    static let failed = ExitCode(1)

    /// The description of the codes.
    /// - Parameters:
    ///   - first: When the command ends with 1.
    ///   - files: True if the command reads files, which ends it with 65 and 66.
    static func codes(_ first: String, files: Bool = false) -> String {
        """
        EXIT STATUS
          0   Done.
          1   \(first)
          64  The command line or a value in it is wrong.
        \(files ? "  65  A file is not what it should be.\n  66  A file cannot be read.\n" : "")\
          69  The admin API cannot be reached, or there is none at the address.
          77  The API refuses the token or the client.
        """
    }
}
