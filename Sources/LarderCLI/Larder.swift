import ArgumentParser

/// The program `larder`.
@main
struct LarderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "larder",
        abstract: "A response cache in front of any API."
    )
}
