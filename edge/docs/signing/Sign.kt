// Signs a request to Holdfast: for Android and the JVM, with javax.crypto only. Use the headers that `signedHeaders`
// answers with any HTTP client; host, path and query are to be sent as they were signed.
import java.security.MessageDigest
import java.security.SecureRandom
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec

private fun ByteArray.hex() = joinToString("") { "%02x".format(it.toInt() and 0xff) }

// Decodes once and encodes again: upper-case hex, unreserved characters as they are, a plus is a plus.
private fun normal(text: String): String {
    val raw = text.toByteArray()
    val out = StringBuilder()
    var i = 0
    while (i < raw.size) {
        var byte = raw[i].toInt() and 0xff
        if (byte == '%'.code) {
            byte = String(raw, i + 1, 2).toInt(16)
            i += 2
        }
        val c = byte.toChar()
        if (c in 'A'..'Z' || c in 'a'..'z' || c in '0'..'9' || c in "-._~") out.append(c) else out.append("%%%02X".format(byte))
        i++
    }
    return out.toString()
}

fun canonicalQuery(raw: String): String = raw.split("&").filter { it.isNotEmpty() }
    .map { normal(it.substringBefore("=")) to normal(it.substringAfter("=", "")) }
    .sortedWith(compareBy({ it.first }, { it.second }))
    .joinToString("&") { "${it.first}=${it.second}" }

fun sign(secret: ByteArray, method: String, host: String, path: String, query: String, timestamp: String,
         nonce: String, contentSha256: String): String {
    require(secret.isNotEmpty()) { "no secret" }
    val stringToSign = listOf(method + host.lowercase() + path, canonicalQuery(query), timestamp, nonce, contentSha256)
        .joinToString("\n")
    val mac = Mac.getInstance("HmacSHA256").apply { init(SecretKeySpec(secret, "HmacSHA256")) }
    return mac.doFinal(stringToSign.toByteArray()).hex()
}

fun signedHeaders(secretId: String, secret: ByteArray, method: String, host: String, path: String, query: String,
                  body: ByteArray): Map<String, String> {
    val timestamp = (System.currentTimeMillis() / 1000).toString()
    val nonce = ByteArray(16).also { SecureRandom().nextBytes(it) }.hex()
    val contentSha256 = MessageDigest.getInstance("SHA-256").digest(body).hex()
    val signature = sign(secret, method, host, path, query, timestamp, nonce, contentSha256)
    return mapOf("Authorization" to "HMAC-SHA256 SecretId=$secretId, Signature=$signature", "X-Timestamp" to timestamp,
        "X-Nonce" to nonce, "X-Content-SHA256" to contentSha256)
}

// The golden vectors of README.md.
fun main() {
    val nothing = MessageDigest.getInstance("SHA-256").digest(ByteArray(0)).hex()
    for ((query, nonce, expected) in listOf(
        Triple("b=2&a=2&a=1&c=&flag&z=%E5%BC%A0", "nonce-000000000003",
            "7db9e09a187a5e2174a8cd84be7c89d79e41b8359b1f830f3c57f393bccbea43"),
        Triple("a-=1&a=2", "nonce-000000000010",
            "507c823eef6fa8e2ea5429abec144d502c2781cc7a93d56129180980c543e090"),
    )) check(sign("edge-test-secret-0001-0123456789abcdef".toByteArray(), "GET", "edge.example.cn", "/v1/records", query, "1795400000", nonce, nothing) == expected)
    println("ok")
}
