// Signs a request to Holdfast and sends it, with Java 17 and nothing else.
//   java Sign.java METHOD URL SECRET_ID SECRET_FILE [BODY_FILE]     prints the status, then the body of the answer
// CA_FILE names a CA to trust. With DRY_RUN=TIMESTAMP:NONCE nothing is sent and the signature is printed.
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import static java.nio.charset.StandardCharsets.UTF_8;

public class Sign {
    static final HexFormat HEX = HexFormat.of();

    // Decodes once and encodes again: upper-case hex, unreserved characters as they are, a plus is a plus.
    static String normal(String text) {
        byte[] raw = text.getBytes(UTF_8);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int i = 0; i < raw.length; i++) {
            if (raw[i] == '%') {
                bytes.write(Integer.parseInt(new String(raw, i + 1, 2, UTF_8), 16));
                i += 2;
            } else {
                bytes.write(raw[i]);
            }
        }
        StringBuilder out = new StringBuilder();
        for (byte b : bytes.toByteArray()) {
            char c = (char) (b & 0xff);
            boolean plain = c < 128 && (Character.isLetterOrDigit(c) || "-._~".indexOf(c) >= 0);
            out.append(plain ? String.valueOf(c) : String.format("%%%02X", (int) c));
        }
        return out.toString();
    }

    static String canonicalQuery(String raw) {
        List<String[]> pairs = new ArrayList<>();
        for (String piece : (raw == null ? "" : raw).split("&")) {
            if (piece.isEmpty()) continue;
            int equal = piece.indexOf('=');
            pairs.add(new String[] {normal(equal < 0 ? piece : piece.substring(0, equal)),
                                    normal(equal < 0 ? "" : piece.substring(equal + 1))});
        }
        pairs.sort(Comparator.<String[], String>comparing(p -> p[0]).thenComparing(p -> p[1]));
        return pairs.stream().map(p -> p[0] + "=" + p[1]).collect(Collectors.joining("&"));
    }

    static String sha256(byte[] bytes) throws Exception {
        return HEX.formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    static String sign(byte[] secret, String method, String host, String path, String query, String timestamp,
                       String nonce, String contentSha256) throws Exception {
        String stringToSign = method + host.toLowerCase(java.util.Locale.ROOT) + path + "\n" + canonicalQuery(query)
                + "\n" + timestamp + "\n" + nonce + "\n" + contentSha256;
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret, "HmacSHA256"));
        return HEX.formatHex(mac.doFinal(stringToSign.getBytes(UTF_8)));
    }

    static SSLContext trusting(String file) throws Exception {
        if (file == null) return SSLContext.getDefault();
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (var in = Files.newInputStream(Path.of(file))) {
            int n = 0;
            for (var one : CertificateFactory.getInstance("X.509").generateCertificates(in))
                store.setCertificateEntry("ca" + n++, one);
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    public static void main(String[] args) throws Exception {
        String method = args[0], secretId = args[2];
        URI url = URI.create(args[1]);
        byte[] secret = Files.readAllBytes(Path.of(args[3]));
        // One final newline of the file is not part of the secret.
        if (secret.length > 0 && secret[secret.length - 1] == '\n') secret = Arrays.copyOf(secret, secret.length - 1);
        if (secret.length == 0) {
            System.err.println("Sign.java: " + args[3] + " holds no secret");
            System.exit(1);
        }
        byte[] body = args.length > 4 ? Files.readAllBytes(Path.of(args[4])) : new byte[0];
        byte[] random = new byte[16];
        new SecureRandom().nextBytes(random);
        String dry = System.getenv("DRY_RUN");
        String[] fresh = dry != null ? dry.split(":")
                : new String[] {String.valueOf(System.currentTimeMillis() / 1000), HEX.formatHex(random)};
        // As HttpClient writes Host: without the port that the scheme implies.
        String host = url.getHost() + (url.getPort() < 0 || url.getPort() == 443 ? "" : ":" + url.getPort());
        String path = url.getRawPath().isEmpty() ? "/" : url.getRawPath();
        String contentSha256 = sha256(body);
        String signature = sign(secret, method, host, path, url.getRawQuery(), fresh[0], fresh[1], contentSha256);
        if (dry != null) {
            System.out.println(signature);
            return;
        }
        HttpRequest.Builder request = HttpRequest.newBuilder(url).timeout(Duration.ofSeconds(10))
                .method(method, body.length > 0 ? HttpRequest.BodyPublishers.ofByteArray(body)
                                                : HttpRequest.BodyPublishers.noBody())
                .header("Authorization", "HMAC-SHA256 SecretId=" + secretId + ", Signature=" + signature)
                .header("X-Timestamp", fresh[0]).header("X-Nonce", fresh[1]).header("X-Content-SHA256", contentSha256);
        if (body.length > 0) request.header("Content-Type", "application/json");
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1)
                .sslContext(trusting(System.getenv("CA_FILE"))).build();
        HttpResponse<String> answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
        System.out.println(answer.statusCode());
        System.out.println(answer.body());
    }
}
