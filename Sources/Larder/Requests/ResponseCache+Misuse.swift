import Logging

extension ResponseCache {
    /// Logs why the program cannot go on as it is written, before it stops: a program that is built with optimization
    /// stops without a word.
    package func report(misuse sentence: String) {
        logger.critical("\(sentence)")
    }
}
