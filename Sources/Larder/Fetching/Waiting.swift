/// Suspends the calling task until its continuation is resumed, or the task is cancelled.
/// - Parameters:
///   - begin: Stores the continuation and returns false, or returns true if the task need not wait after all.
///   - end: Takes the continuation back if it is still stored. Called if the task is cancelled.
package func wait(
    _ begin: (CheckedContinuation<Void, Never>) -> Bool,
    onCancel end: @Sendable () -> CheckedContinuation<Void, Never>?
) async {
    await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
            if begin(continuation) { continuation.resume() }
        }
    } onCancel: {
        end()?.resume()
    }
}
