// Signs a request to Holdfast: for iOS and macOS, with CryptoKit. Set the headers that `signedHeaders` answers on a
// URLRequest; host, path and query are to be sent as they were signed.
import CryptoKit
import Foundation

func hex<Bytes: Sequence>(_ bytes: Bytes) -> String where Bytes.Element == UInt8 {
    bytes.map { String(format: "%02x", $0) }.joined()
}

// Decodes once and encodes again: upper-case hex, unreserved characters as they are, a plus is a plus.
func normal(_ text: Substring) -> String {
    let raw = Array(text.utf8)
    var out = ""
    var i = 0
    while i < raw.count {
        var byte = raw[i]
        if byte == UInt8(ascii: "%"), let decoded = UInt8(String(decoding: raw[(i + 1)...(i + 2)], as: UTF8.self), radix: 16) {
            byte = decoded
            i += 2
        }
        let isPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8.contains(byte)
        out += isPlain ? String(UnicodeScalar(byte)) : String(format: "%%%02X", byte)
        i += 1
    }
    return out
}

func canonicalQuery(_ raw: String) -> String {
    let pairs = raw.split(separator: "&").map { piece -> [String] in
        let parts = piece.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return [normal(parts[0]), parts.count > 1 ? normal(parts[1]) : ""]
    }
    // Both are ASCII: the order of their bytes.
    return pairs.sorted { Array($0[0].utf8) == Array($1[0].utf8)
        ? $0[1].utf8.lexicographicallyPrecedes($1[1].utf8) : $0[0].utf8.lexicographicallyPrecedes($1[0].utf8) }
        .map { $0.joined(separator: "=") }.joined(separator: "&")
}

func sign(secret: Data, method: String, host: String, path: String, query: String, timestamp: String, nonce: String,
          contentSha256: String) -> String {
    precondition(!secret.isEmpty, "no secret")
    let lines = [method + host.lowercased() + path, canonicalQuery(query), timestamp, nonce, contentSha256]
    let mac = HMAC<SHA256>.authenticationCode(for: Data(lines.joined(separator: "\n").utf8), using: SymmetricKey(data: secret))
    return hex(mac)
}

func signedHeaders(secretId: String, secret: Data, method: String, host: String, path: String, query: String,
                   body: Data) -> [String: String] {
    let timestamp = String(Int(Date().timeIntervalSince1970))
    let nonce = hex((0..<16).map { _ in UInt8.random(in: 0...255) })
    let contentSha256 = hex(SHA256.hash(data: body))
    let signature = sign(secret: secret, method: method, host: host, path: path, query: query, timestamp: timestamp,
                         nonce: nonce, contentSha256: contentSha256)
    return ["Authorization": "HMAC-SHA256 SecretId=\(secretId), Signature=\(signature)", "X-Timestamp": timestamp,
            "X-Nonce": nonce, "X-Content-SHA256": contentSha256]
}

// The golden vectors of README.md.
let nothing = hex(SHA256.hash(data: Data()))
for (query, nonce, expected) in [
    ("b=2&a=2&a=1&c=&flag&z=%E5%BC%A0", "nonce-000000000003",
     "7db9e09a187a5e2174a8cd84be7c89d79e41b8359b1f830f3c57f393bccbea43"),
    ("a-=1&a=2", "nonce-000000000010",
     "507c823eef6fa8e2ea5429abec144d502c2781cc7a93d56129180980c543e090"),
] {
    precondition(sign(secret: Data("edge-test-secret-0001-0123456789abcdef".utf8), method: "GET", host: "edge.example.cn", path: "/v1/records",
                      query: query, timestamp: "1795400000", nonce: nonce, contentSha256: nothing) == expected)
}
print("ok")
