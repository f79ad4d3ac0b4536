import Foundation

extension FileHandle {
    /// Reads to the end, or up to `limit` bytes. A pipe returns fewer bytes at a time than requested.
    func readAll(upTo limit: Int) throws -> Data {
        var data = Data()
        while data.count < limit, let part = try read(upToCount: limit - data.count), !part.isEmpty {
            data += part
        }
        return data
    }
}
