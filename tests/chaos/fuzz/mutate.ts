/** Mutated SIP: what a broken phone, a bad middlebox or an attacker may send. The same seed gives the same messages. */

/** xorshift32: small, fast, reproducible. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1
  return (below) => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state % below
  }
}

type Random = (below: number) => number

const LONGEST = 8_000

/** What parsers stumble over: separators, ends, nulls, numbers at their limits, foreign bytes, half-finished tokens. */
const TOKENS = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    '\r\n ',
    '\0',
    '\t',
    ' ',
    '"',
    '\\',
    '\\"',
    '<',
    '>',
    ';',
    ',',
    ':',
    '@',
    '%',
    '%00',
  ],
  ...['%zz', '[', ']', '[::1]', '[fe80::1%25lo]', '?', '&', '=', '/', '//', '*', '()', '(()', '\u00e9', '\ud83d\ude00'],
  ...[
    '-1',
    '0',
    '65536',
    '4294967295',
    '4294967296',
    '18446744073709551616',
    '1e9',
    '0x10',
    '999999999999999999999999',
  ],
  ...[
    'Content-Length: 0\r\n',
    'Content-Length: 99999\r\n',
    'l: -5\r\n',
    'Via: SIP/2.0/UDP\r\n',
    'v: \r\n',
    'CSeq: 1 ACK\r\n',
  ],
  ...[
    'Contact: *\r\n',
    'Route: <sip:127.0.0.1;lr>\r\n',
    'Record-Route: <\r\n',
    'Require: nothing\r\n',
    'Max-Forwards: 0\r\n',
  ],
  ...['Expires: 4294967296\r\n', 'Session-Expires: 1\r\n', 'Authorization: Digest x\r\n', 'Replaces: a;to-tag=b\r\n'],
  ...[
    ';tag=',
    ';branch=z9hG4bK',
    ';branch=',
    ';received=',
    ';rport=',
    ';lr',
    ';expires=',
    'sip:',
    'sips:',
    'tel:+',
    'urn:service:sos',
  ],
  ...[
    'SIP/2.0',
    'SIP/3.0',
    'INVITE',
    'multipart/mixed;boundary=x',
    '--x\r\n',
    'v=0\r\n',
    'm=audio 0 RTP/AVP\r\n',
    'a=crypto:\r\n',
  ],
].map((token) => Buffer.from(token))

type Change = (message: Buffer, random: Random, other: Buffer) => Buffer

const span = (message: Buffer, random: Random, most = 64): [number, number] => {
  const from = random(message.length + 1)
  return [from, Math.min(message.length, from + 1 + random(most))]
}

const lines = (message: Buffer): Buffer[] => {
  const found: Buffer[] = []
  let from = 0
  for (let at = message.indexOf('\n'); at >= 0; at = message.indexOf('\n', from)) {
    found.push(message.subarray(from, at + 1))
    from = at + 1
  }
  found.push(message.subarray(from))
  return found
}

const CHANGES: readonly Change[] = [
  function flipsBits(message, random) {
    const changed = Buffer.from(message)
    for (let i = random(4); i >= 0 && changed.length > 0; i--) {
      const at = random(changed.length)
      changed[at] = (changed[at] as number) ^ (1 << random(8))
    }
    return changed
  },
  function leavesOut(message, random) {
    const [from, to] = span(message, random)
    return Buffer.concat([message.subarray(0, from), message.subarray(to)])
  },
  function repeats(message, random) {
    const [from, to] = span(message, random)
    const part = message.subarray(from, to)
    return Buffer.concat([message.subarray(0, to), ...Array<Buffer>(1 + random(8)).fill(part), message.subarray(to)])
  },
  function inserts(message, random) {
    const at = random(message.length + 1)
    return Buffer.concat([message.subarray(0, at), TOKENS[random(TOKENS.length)] as Buffer, message.subarray(at)])
  },
  function overwrites(message, random) {
    const [from, to] = span(message, random, 16)
    return Buffer.concat([message.subarray(0, from), TOKENS[random(TOKENS.length)] as Buffer, message.subarray(to)])
  },
  function fills(message, random) {
    const at = random(message.length + 1)
    return Buffer.concat([message.subarray(0, at), Buffer.alloc(1 + random(2000), random(256)), message.subarray(at)])
  },
  function splices(message, random, other) {
    return Buffer.concat([message.subarray(0, random(message.length + 1)), other.subarray(random(other.length + 1))])
  },
  function cutsOff(message, random) {
    return message.subarray(0, random(message.length + 1))
  },
  function changesLines(message, random, other) {
    const all = lines(message)
    const foreign = lines(other)
    const at = random(all.length)
    const what = random(4)
    if (what === 0) all.splice(at, 1)
    else if (what === 1) all.splice(at, 0, all[random(all.length)] as Buffer)
    else if (what === 2) all.splice(at, 0, foreign[random(foreign.length)] as Buffer)
    else all.push(...all.splice(at, 1))
    return Buffer.concat(all)
  },
]

/** One to four changes to a message of the corpus. */
export function mutate(corpus: readonly Buffer[], random: Random): Buffer {
  let message = corpus[random(corpus.length)] as Buffer
  for (let i = random(4); i >= 0; i--) {
    const change = CHANGES[random(CHANGES.length)] as Change
    message = change(message, random, corpus[random(corpus.length)] as Buffer)
  }
  return message.length > LONGEST ? message.subarray(0, LONGEST) : message
}
