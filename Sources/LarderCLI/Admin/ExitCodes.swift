import ArgumentParser

/// The exit codes of the commands that use the admin API, and their texts for `--help`.
enum AdminExit {
    /// Nothing was found, or something failed.
    static let failed = ExitCode(1)

    /// The description of the codes.
    /// - Parameter first: When the command ends with 1.
    static func codes(_ first: String) -> String {
        """
        EXIT STATUS
          0   Done.
          1   \(first)
          64  The command line or a value in it is wrong.
          65  A file, such as that of the token, is not what it should be.
          66  A file cannot be read.
          69  The admin API cannot be reached, or there is none at the address.
          77  The API refuses the token or the client.
        """
    }
}
