// Runs the official SDK of npm: reads a list of orders as JSON on stdin, carries them out one after the other, and
// writes a list of {"result"} or {"error"}.
//   node client.cjs FOLDER      FOLDER/node_modules holds alipay-sdk
// {"do":"exec","config":{...},"edgePublicKey":"PEM","method":"...","bizContent":{...}}   its answers are verified
// {"do":"curl","config":{...},"path":"/v3/...","body":{...}}                              version 3 of the protocol
// {"do":"verify","privateKey":"PEM","publicKey":"PEM","params":{...}}                    a signed call
const path = require('node:path');
const { AlipaySdk } = require(path.join(process.argv[2], 'node_modules', 'alipay-sdk'));

// What a caller adds who wants degraded answers too: the key of the edge counts beside Alipay's.
class EdgeSdk extends AlipaySdk {
  constructor(config, edgePublicKey) {
    super(config);
    this.edgePublicKey = edgePublicKey;
  }
  checkResponseSign(raw, responseKey, sign, traceId) {
    try {
      return super.checkResponseSign(raw, responseKey, sign, traceId);
    } catch (wrong) {
      const alipays = this.config.alipayPublicKey;
      this.config.alipayPublicKey = this.edgePublicKey;
      try {
        return super.checkResponseSign(raw, responseKey, sign, traceId);
      } finally {
        this.config.alipayPublicKey = alipays;
      }
    }
  }
}

async function carryOut(order) {
  if (order.do === 'verify') {
    const sdk = new AlipaySdk({ appId: 'any', privateKey: order.privateKey, alipayPublicKey: order.publicKey });
    return sdk.checkNotifySignV2(order.params);
  }
  if (order.do === 'curl') return await new AlipaySdk(order.config).curl('POST', order.path, { body: order.body });
  const sdk = order.edgePublicKey ? new EdgeSdk(order.config, order.edgePublicKey) : new AlipaySdk(order.config);
  return await sdk.exec(order.method, { bizContent: order.bizContent, ...order.params }, { validateSign: true });
}

async function main() {
  let text = '';
  for await (const chunk of process.stdin) text += chunk;
  const out = [];
  for (const order of JSON.parse(text)) {
    try {
      out.push({ result: await carryOut(order) });
    } catch (problem) {
      out.push({ error: String(problem && problem.message) });
    }
  }
  process.stdout.write(JSON.stringify(out));
}

main().then(() => process.exit(0), problem => { console.error(problem); process.exit(1); });
