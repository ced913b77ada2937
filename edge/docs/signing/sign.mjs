// Signs a request to Holdfast and sends it, with Node.js and nothing else.
//   node sign.mjs METHOD URL SECRET_ID SECRET_FILE [BODY_FILE]     prints the status, then the body of the answer
// CA_FILE names a CA to trust. With DRY_RUN=TIMESTAMP:NONCE nothing is sent and the signature is printed.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';

// Decodes once and encodes again: upper-case hex, unreserved characters as they are, a plus is a plus.
function normal(text) {
  const raw = text.replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return raw.replace(/[^A-Za-z0-9\-._~]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0'));
}

export function canonicalQuery(raw) {
  const pairs = raw.split('&').filter(Boolean).map((piece) => {
    const equal = piece.indexOf('=');
    return equal < 0 ? [normal(piece), ''] : [normal(piece.slice(0, equal)), normal(piece.slice(equal + 1))];
  });
  const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  pairs.sort((a, b) => order(a[0], b[0]) || order(a[1], b[1]));
  return pairs.map((pair) => pair.join('=')).join('&');
}

export function sign({ secret, method, host, path, query, timestamp, nonce, body }) {
  const contentSha256 = createHash('sha256').update(body).digest('hex');
  const lines = [method + host.toLowerCase() + path, canonicalQuery(query), timestamp, nonce, contentSha256];
  return { contentSha256, signature: createHmac('sha256', secret).update(lines.join('\n')).digest('hex') };
}

const [method, address, secretId, secretFile, bodyFile] = process.argv.slice(2);
const url = new URL(address); // its host, path and query are what is sent
let secret = readFileSync(secretFile);
if (secret.at(-1) === 10) secret = secret.subarray(0, -1); // one final newline of the file is not part of the secret
if (!secret.length) {
  console.error(`sign.mjs: ${secretFile} holds no secret`);
  process.exit(1);
}
const body = bodyFile ? readFileSync(bodyFile) : Buffer.alloc(0);
const dry = process.env.DRY_RUN?.split(':');
const [timestamp, nonce] = dry ?? [String(Math.floor(Date.now() / 1000)), randomBytes(16).toString('hex')];
const { signature, contentSha256 } = sign({
  secret, method, host: url.host, path: url.pathname, query: url.search.slice(1), timestamp, nonce, body,
});
if (dry) {
  console.log(signature);
} else {
  const headers = {
    Authorization: `HMAC-SHA256 SecretId=${secretId}, Signature=${signature}`,
    'X-Timestamp': timestamp,
    'X-Nonce': nonce,
    'X-Content-SHA256': contentSha256,
  };
  if (body.length) Object.assign(headers, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  const ca = process.env.CA_FILE ? readFileSync(process.env.CA_FILE) : undefined;
  const request = https.request(url, { method, headers, ca, timeout: 10000 }, (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (part) => { text += part; });
    answer.on('end', () => console.log(`${answer.statusCode}\n${text}`));
  });
  request.on('timeout', () => request.destroy(new Error('no answer in 10 s')));
  request.end(body);
}
