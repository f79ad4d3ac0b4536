import Logging

extension ResponseCache {
    /// Logs a misuse of the API before the program stops, since a program that is built with optimization stops without
    /// a message.
    package func report(misuse sentence: String) {
        logger.critical("\(sentence)")
    }
}
